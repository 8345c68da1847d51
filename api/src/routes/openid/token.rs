//! `POST /oauth/token` (RFC 6749, 4.1.3, and OpenID Connect Core, 3.1.3).

use poem::http::{HeaderValue, header};
use poem::web::Json;
use poem::{IntoResponse, Request, Response};
use serde_json::json;

use super::{Provider, with_header};
use crate::http::client_credentials::authenticate;
use crate::http::error::ApiError;
use crate::http::form;
use crate::http::oauth_error::{OAuthError, OAuthErrorKind};
use crate::service::openid::{self, TokensError};

impl Provider {
    pub(super) async fn token(&self, mut request: Request) -> poem::Result<Response> {
        let body = request.take_body();
        let mut form = form::read(&request, body).await?;
        let client = authenticate(&request, &mut form, &self.state)?;
        let missing = |description| error(OAuthErrorKind::InvalidRequest, description);
        let grant_type =
            form.take("grant_type").ok_or(missing("The parameter grant_type is missing"))?;
        if grant_type != "authorization_code" {
            let text = "grant_type has to be authorization_code";
            return Err(error(OAuthErrorKind::UnsupportedGrantType, text).into());
        }
        let Some(terms) = &client.openid else {
            let text = "Nobody signs in to this client: it has no redirect_uris";
            return Err(error(OAuthErrorKind::UnauthorizedClient, text).into());
        };
        let code = form.take("code").ok_or(missing("The parameter code is missing"))?;
        let redirect_uri =
            form.take("redirect_uri").ok_or(missing("The parameter redirect_uri is missing"))?;
        let verifier = form.take("code_verifier");
        let tokens = openid::redeem(
            &self.state,
            &self.openid,
            client.id.as_str(),
            terms,
            &code,
            &redirect_uri,
            verifier.as_deref(),
        )
        .await
        .map_err(poem_error)?;
        let answer = json!({
            "access_token": tokens.access_token.expose(),
            "token_type": "Bearer",
            "expires_in": tokens.expires_in,
            "scope": tokens.scope,
            "id_token": tokens.id_token,
        });
        let response = Json(answer).into_response();
        // RFC 6749, 5.1.
        Ok(with_header(response, header::PRAGMA, Some(HeaderValue::from_static("no-cache"))))
    }
}

fn error(kind: OAuthErrorKind, description: &'static str) -> OAuthError {
    OAuthError { kind, description }
}

fn poem_error(failure: TokensError) -> poem::Error {
    match failure {
        TokensError::WrongCode => {
            let text = "The code is unknown, expired or used, or was given for something else";
            error(OAuthErrorKind::InvalidGrant, text).into()
        }
        TokensError::Jwt(error) => ApiError::from(error).into(),
        TokensError::Accounts(error) => ApiError::from(error).into(),
    }
}
