//! `POST /oauth/introspect` and `POST /oauth/revoke`: what registered clients ask about a token.

use std::sync::Arc;

use common::accounts::entities::user;
use common::accounts::{AccessGrant, Session};
use common::domain::client::Client;
use common::domain::token::Scope;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::Tag;
use crate::http::client_credentials::AboutToken;
use crate::http::error::{ErrorKind, Failures};
use crate::http::oauth_error::{OAuthError, OAuthErrorKind, OAuthFailure, OAuthFailures};
use crate::service::introspection::{self, LiveToken};
use crate::service::registered_clients::{OWN_CLIENT_ID, RegisteredClient};
use crate::state::AppState;

#[derive(Debug)]
pub struct OAuthApi;

/// Whether a token is live, and what it stands for (RFC 7662, 2.2).
#[derive(Debug, Default, Object)]
#[oai(example, skip_serializing_if_is_none)]
pub struct Introspection {
    /// Whether the token is live. Where it is not, there is no other field.
    active: bool,
    /// The user's id.
    sub: Option<String>,
    /// The session's id, which stays when its token is renewed. It is not the token.
    sid: Option<String>,
    /// When the session began, or an OpenID client got the token (Unix seconds).
    iat: Option<i64>,
    /// When the token expires (Unix seconds).
    exp: Option<i64>,
    /// When the user gave an OTP (Unix seconds).
    auth_time: Option<i64>,
    /// What the token gives a right to: `authentication`, or the scopes of an OpenID client.
    scope: Option<String>,
    /// Whom the token was issued to: an OpenID client, or `cheershare`, this service's own sign-in.
    client_id: Option<String>,
    /// `Bearer`
    token_type: Option<String>,
    /// The user's number (E.164), where the client may have it.
    phone_number: Option<String>,
    /// Always true: the user gave an OTP that was sent there.
    phone_number_verified: Option<bool>,
}

/// The token is not live any more.
#[derive(ApiResponse, Debug)]
pub enum Revoked {
    /// Done, or there was nothing to do
    #[oai(status = 200)]
    Done,
}

#[derive(Debug)]
pub struct IntrospectionFailures;

impl Failures for IntrospectionFailures {
    const KINDS: &'static [ErrorKind] = &[ErrorKind::RequestTimeout, ErrorKind::PayloadTooLarge];
    const USUAL: &'static [ErrorKind] =
        &[ErrorKind::Internal, ErrorKind::UserStoreUnavailable, ErrorKind::Overloaded];
}

impl OAuthFailures for IntrospectionFailures {
    const CODES: &'static [OAuthErrorKind] =
        &[OAuthErrorKind::InvalidRequest, OAuthErrorKind::InvalidClient];
}

#[derive(Debug)]
pub struct RevocationFailures;

impl Failures for RevocationFailures {
    const KINDS: &'static [ErrorKind] = IntrospectionFailures::KINDS;
    const USUAL: &'static [ErrorKind] = IntrospectionFailures::USUAL;
}

impl OAuthFailures for RevocationFailures {
    const CODES: &'static [OAuthErrorKind] = &[
        OAuthErrorKind::InvalidRequest,
        OAuthErrorKind::UnauthorizedClient,
        OAuthErrorKind::InvalidClient,
    ];
}

#[OpenApi]
impl OAuthApi {
    /// Ask about a token
    ///
    /// For the backends of the operator's own apps (RFC 7662): is this token live, and whose is it?
    /// Ask with each request that comes with a token, and a session that ends has ended there too.
    /// Whatever is not a live token is `{"active":false}`, and so is every token to a client whose
    /// entry in `CLIENTS_FILE` does not say `"introspect": true`. The access token of an OpenID client
    /// is live to that client alone, whatever its entry says.
    #[oai(
        path = "/oauth/introspect",
        method = "post",
        tag = "Tag::Programs",
        operation_id = "introspectToken"
    )]
    async fn introspect(
        &self,
        state: Data<&Arc<AppState>>,
        about: AboutToken,
    ) -> Result<Json<Introspection>, OAuthFailure<IntrospectionFailures>> {
        let found = introspection::introspect(*state, &about.asking, &about.token).await?;
        Ok(Json(match found {
            Some(LiveToken::Session(current)) => {
                Introspection::of(&current.user, &current.session, &about.asking)
            }
            Some(LiveToken::Access(grant)) => Introspection::of_access(*grant, &about.asking),
            None => Introspection::default(),
        }))
    }

    /// End the session of a token
    ///
    /// For the same programs (RFC 7009): the user signs out, and every door shuts. A token that is
    /// not live is answered 200 too. A client whose entry does not say `"introspect": true` gets
    /// `unauthorized_client`, unless users sign in to it by OpenID Connect: then it ends access
    /// tokens of its own, and their session goes on.
    #[oai(
        path = "/oauth/revoke",
        method = "post",
        tag = "Tag::Programs",
        operation_id = "revokeToken"
    )]
    async fn revoke(
        &self,
        state: Data<&Arc<AppState>>,
        client: Data<&Client>,
        about: AboutToken,
    ) -> Result<Revoked, OAuthFailure<RevocationFailures>> {
        if !about.asking.introspect && about.asking.openid.is_none() {
            return Err(OAuthError {
                kind: OAuthErrorKind::UnauthorizedClient,
                description: "This client may not revoke tokens",
            }
            .into());
        }
        introspection::revoke(*state, &about.asking, &about.token, *client).await?;
        Ok(Revoked::Done)
    }
}

impl Introspection {
    fn of_access(grant: AccessGrant, asking: &RegisteredClient) -> Self {
        let AccessGrant { user, session_id, client_id, scope, auth_time, created_at, expires_at } =
            grant;
        let may_know = asking.phone_number || scope.split(' ').any(|scope| scope == "phone");
        let phone_number = may_know.then(|| user.phone_number.into_string());
        Self {
            active: true,
            sub: Some(user.id.to_string()),
            sid: Some(session_id),
            iat: Some(created_at.unix_timestamp()),
            exp: Some(expires_at.unix_timestamp()),
            auth_time: Some(auth_time.unix_timestamp()),
            scope: Some(scope),
            client_id: Some(client_id),
            token_type: Some("Bearer".to_owned()),
            phone_number_verified: phone_number.as_ref().map(|_| true),
            phone_number,
        }
    }

    fn of(user: &user::Model, session: &Session, asking: &RegisteredClient) -> Self {
        let began = session.created_at.unix_timestamp();
        let phone_number = asking.phone_number.then(|| user.phone_number.clone().into_string());
        Self {
            active: true,
            sub: Some(user.id.to_string()),
            sid: Some(session.id.to_string()),
            iat: Some(began),
            exp: Some(session.expires_at.unix_timestamp()),
            auth_time: Some(began),
            scope: Some(Scope::Authentication.into_str().to_owned()),
            client_id: Some(OWN_CLIENT_ID.to_owned()),
            token_type: Some("Bearer".to_owned()),
            phone_number_verified: phone_number.as_ref().map(|_| true),
            phone_number,
        }
    }
}

impl Example for Introspection {
    fn example() -> Self {
        Self {
            active: true,
            sub: Some("1".to_owned()),
            sid: Some("k5x2aw7nqf3c4zt6y2h4v5xk7e".to_owned()),
            iat: Some(1_795_417_499),
            exp: Some(1_795_590_299),
            auth_time: Some(1_795_417_499),
            scope: Some("authentication".to_owned()),
            client_id: Some(OWN_CLIENT_ID.to_owned()),
            token_type: Some("Bearer".to_owned()),
            phone_number: Some("+919876543210".to_owned()),
            phone_number_verified: Some(true),
        }
    }
}
