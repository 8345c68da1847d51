//! JWTs: what another program checks without asking. One outlives its session by its own life.

use std::time::Duration;

use common::accounts::Session;
use common::accounts::entities::user;
use common::crypto::signing_keys::{JwtKind, SigningError, SigningKeys};
use common::domain::ids::{JwtId, SessionId};
use serde::Serialize;
use time::OffsetDateTime;

use crate::reload::Reloadable;
use crate::service::turns::Turns;

/// How JWTs are made.
#[derive(Clone, Debug)]
pub struct JwtIssuer {
    /// None in production where no file is named.
    pub keys: Reloadable<Option<SigningKeys>>,
    /// Where the API is reached from outside, where that is known.
    pub issuer: Option<String>,
    pub ttl: Duration,
    /// Of signatures that take their time.
    pub turns: Turns,
}

/// Why there is no JWT.
#[derive(Debug, thiserror::Error)]
pub enum JwtError {
    #[error("there are no signing keys")]
    NoKeys,
    /// The user waits for as many already, or others take all places for too long.
    #[error("too many JWTs are being signed")]
    Busy,
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
    pub async fn issue(
        &self,
        user: &user::Model,
        session: &Session,
        audience: Option<&Audience>,
        now: OffsetDateTime,
    ) -> Result<(String, OffsetDateTime), JwtError> {
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
        Ok((self.sign(JwtKind::OfUser, user.id, &claims).await?, expires_at))
    }

    /// A JWT with these claims, for a user. Signatures that take their time are made apart from what
    /// answers requests, a few at once.
    ///
    /// # Errors
    /// [`JwtError`].
    pub async fn sign(
        &self,
        kind: JwtKind,
        user_id: i64,
        claims: &(impl Serialize + Sync),
    ) -> Result<String, JwtError> {
        let keys = self.keys.get();
        let present = keys.as_ref().as_ref().ok_or(JwtError::NoKeys)?;
        if !present.sign_slowly() {
            return Ok(present.sign(kind, claims)?);
        }
        let claims = serde_json::to_value(claims).map_err(SigningError::from)?;
        let sign = move || keys.as_ref().as_ref().map(|keys| keys.sign(kind, &claims));
        let signed = self.turns.take((kind, user_id), sign).await.ok_or(JwtError::Busy)?;
        Ok(signed.ok_or(JwtError::NoKeys)??)
    }
}
