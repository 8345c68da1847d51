//! JWTs: what another program checks without asking. One outlives its session by its own life.

use std::time::Duration;

use common::accounts::Session;
use common::accounts::entities::user;
use common::crypto::signing_keys::{JwtKind, SigningError, SigningKeys};
use common::domain::ids::{JwtId, SessionId};
use serde::Serialize;
use time::OffsetDateTime;

use crate::reload::Reloadable;

/// How JWTs are made.
#[derive(Clone, Debug)]
pub struct JwtIssuer {
    /// None in production where no file is named.
    pub keys: Reloadable<Option<SigningKeys>>,
    /// Where the API is reached from outside, where that is known.
    pub issuer: Option<String>,
    pub ttl: Duration,
}

/// Why there is no JWT.
#[derive(Debug, thiserror::Error)]
pub enum JwtError {
    #[error("there are no signing keys")]
    NoKeys,
    #[error(transparent)]
    Signing(#[from] SigningError),
}

/// Whom a JWT is for: 1 to 255 characters, none of them a control character.
#[derive(Clone, Debug, Serialize)]
pub struct Audience(String);

impl Audience {
    /// Reads one; none where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let length = text.chars().count();
        let fits = (1..=255).contains(&length) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// RFC 7519, 4.1, OpenID Connect Core, 2 and 5.1, and RFC 8176.
#[derive(Serialize)]
struct Claims<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a Audience>,
    iat: i64,
    exp: i64,
    jti: JwtId,
    sid: &'a SessionId,
    auth_time: i64,
    amr: [&'static str; 2],
    phone_number: &'a str,
    phone_number_verified: bool,
}

impl JwtIssuer {
    /// A JWT of a user's session, and when it expires.
    ///
    /// # Errors
    /// [`JwtError`].
    pub fn issue(
        &self,
        user: &user::Model,
        session: &Session,
        audience: Option<&Audience>,
        now: OffsetDateTime,
    ) -> Result<(String, OffsetDateTime), JwtError> {
        let keys = self.keys.get();
        let keys = keys.as_ref().as_ref().ok_or(JwtError::NoKeys)?;
        let expires_at = (now + self.ttl).min(session.expires_at);
        let claims = Claims {
            iss: self.issuer.as_deref(),
            sub: user.id.to_string(),
            aud: audience,
            iat: now.unix_timestamp(),
            exp: expires_at.unix_timestamp(),
            jti: JwtId::random(),
            sid: &session.id,
            auth_time: session.created_at.unix_timestamp(),
            amr: ["otp", "sms"],
            phone_number: user.phone_number.as_str(),
            phone_number_verified: true,
        };
        Ok((keys.sign(JwtKind::OfUser, &claims)?, expires_at))
    }
}
