//! `POST /tokens/current/jwt` and `GET /oauth/jwks`

use std::sync::Arc;

use common::crypto::signing_keys::{KeyMaterial, PublicJwk};
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Deserialize;
use time::OffsetDateTime;
use time::macros::datetime;

use super::Tag;
use crate::http::bearer::BearerToken;
use crate::http::error::{ErrorKind, Failure, Failures};
use crate::http::strict_json::StrictJson;
use crate::service::jwts::Audience;
use crate::state::AppState;

/// New keys are published for longer than this before one of them signs.
const CACHE_CONTROL: &str = "public, max-age=300";

#[derive(Debug)]
pub struct JwtsApi;

/// Whom a JWT is for.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct JwtRequest {
    /// The program that is to accept it (`aud`), 1 to 255 characters, none of them a control
    /// character, and not the id of an OpenID client. Without one the JWT has no `aud`.
    audience: Option<String>,
}

/// A JWT.
#[derive(Debug, Object)]
#[oai(example)]
pub struct Jwt {
    /// Always true.
    success: bool,
    /// The JWT. It cannot be ended before it expires.
    token: String,
    /// When it expires (RFC 3339, UTC).
    expires_at: OffsetDateTime,
}

/// The public keys that JWTs are checked by (RFC 7517).
#[derive(Debug, Object)]
#[oai(example)]
pub struct Jwks {
    /// All of them.
    keys: Vec<Jwk>,
}

/// A public key.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Jwk {
    /// `RSA` or `EC`
    kty: String,
    /// Always `sig`.
    #[oai(rename = "use")]
    usage: String,
    /// `RS256` or `ES256`
    alg: String,
    /// The key's thumbprint (RFC 7638), which JWTs have in their header.
    kid: String,
    /// The modulus of an RSA key, in base64url.
    n: Option<String>,
    /// The exponent of an RSA key, in base64url.
    e: Option<String>,
    /// The curve of an EC key: `P-256`.
    crv: Option<String>,
    /// A coordinate of an EC key, in base64url.
    x: Option<String>,
    /// The other coordinate of an EC key, in base64url.
    y: Option<String>,
}

impl From<&PublicJwk> for Jwk {
    fn from(key: &PublicJwk) -> Self {
        let jwk = Self {
            kty: String::new(),
            usage: "sig".to_owned(),
            alg: key.alg.to_owned(),
            kid: key.kid.clone(),
            n: None,
            e: None,
            crv: None,
            x: None,
            y: None,
        };
        match key.material.clone() {
            KeyMaterial::Rsa { n, e } => {
                Self { kty: "RSA".to_owned(), n: Some(n), e: Some(e), ..jwk }
            }
            KeyMaterial::P256 { x, y } => Self {
                kty: "EC".to_owned(),
                crv: Some("P-256".to_owned()),
                x: Some(x),
                y: Some(y),
                ..jwk
            },
        }
    }
}

/// Caches may keep it.
#[derive(ApiResponse, Debug)]
pub enum JwksAnswer {
    /// The keys
    #[oai(status = 200)]
    Keys(
        Json<Jwks>,
        /// For how long it may be kept (RFC 9111)
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[derive(Debug)]
pub struct JwtFailures;

impl Failures for JwtFailures {
    const KINDS: &'static [ErrorKind] = &[
        ErrorKind::InvalidPayload,
        ErrorKind::InvalidAudience,
        ErrorKind::Unauthorized,
        ErrorKind::NoSigningKeys,
        ErrorKind::RequestTimeout,
        ErrorKind::TooManyJwts,
        ErrorKind::PayloadTooLarge,
        ErrorKind::UnsupportedMediaType,
    ];
}

#[derive(Debug)]
pub struct JwksFailures;

impl Failures for JwksFailures {
    const KINDS: &'static [ErrorKind] = &[ErrorKind::NoSigningKeys];
}

#[OpenApi]
impl JwtsApi {
    /// Get a JWT
    ///
    /// For a program that is too far away to ask about the token with each request, and checks the
    /// JWT by the keys of `GET /oauth/jwks` instead. It says who is signed in, for five minutes
    /// unless the service is set otherwise, and never for longer than the token lives. It goes on
    /// for that time when the session has ended.
    #[oai(
        path = "/tokens/current/jwt",
        method = "post",
        tag = "Tag::Sessions",
        operation_id = "issueJwt"
    )]
    async fn issue(
        &self,
        state: Data<&Arc<AppState>>,
        current: BearerToken,
        body: StrictJson<JwtRequest>,
    ) -> Result<Json<Jwt>, Failure<JwtFailures>> {
        let audience = body
            .0
            .audience
            .as_deref()
            .map(|text| Audience::parse(text).ok_or(ErrorKind::InvalidAudience));
        let audience = audience.transpose()?;
        // What it gets are ID tokens, and one that a user asks for is none.
        let clients = state.registered_clients.get();
        if audience.as_ref().is_some_and(|audience| clients.openid(audience.as_str()).is_some()) {
            return Err(ErrorKind::InvalidAudience.into());
        }
        let current = current.0;
        let now = state.clock.now();
        let issued = state.jwts.issue(&current.user, &current.session, audience.as_ref(), now);
        let (token, expires_at) = issued.await?;
        Ok(Json(Jwt { success: true, token, expires_at }))
    }

    /// See the keys of JWTs
    ///
    /// Public. A JWT names the key that it is checked by (`kid`).
    #[oai(path = "/oauth/jwks", method = "get", tag = "Tag::Programs", operation_id = "getJwks")]
    async fn jwks(&self, state: Data<&Arc<AppState>>) -> Result<JwksAnswer, Failure<JwksFailures>> {
        let keys = state.jwts.keys.get();
        let keys = keys.as_ref().as_ref().ok_or(ErrorKind::NoSigningKeys)?;
        let keys = keys.public().map(Jwk::from).collect();
        Ok(JwksAnswer::Keys(Json(Jwks { keys }), CACHE_CONTROL.to_owned()))
    }
}

impl Example for JwtRequest {
    fn example() -> Self {
        Self { audience: Some("https://orders.example.com".to_owned()) }
    }
}

impl Example for Jwt {
    fn example() -> Self {
        Self {
            success: true,
            token:
                "eyJhbGciOiJFUzI1NiIsImtpZCI6Ii4uLiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
                    .to_owned(),
            expires_at: datetime!(2026-11-23 07:09:59 UTC),
        }
    }
}

impl Example for Jwks {
    fn example() -> Self {
        Self {
            keys: vec![Jwk {
                kty: "EC".to_owned(),
                usage: "sig".to_owned(),
                alg: "ES256".to_owned(),
                kid: "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U".to_owned(),
                n: None,
                e: None,
                crv: Some("P-256".to_owned()),
                x: Some("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU".to_owned()),
                y: Some("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0".to_owned()),
            }],
        }
    }
}
