//! ID tokens (OpenID Connect Core, 2), and those that clients show again.

use std::time::Duration;

use common::accounts::Granted;
use common::crypto::signing_keys::{JwtKind, SigningKeys};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// How long an ID token is good.
const LIFE: Duration = Duration::from_secs(10 * 60);

/// RFC 7519, 4.1, OpenID Connect Core, 2, and RFC 8176.
#[derive(Debug, Serialize)]
pub struct IdTokenClaims<'a> {
    iss: &'a str,
    sub: String,
    aud: &'a str,
    iat: i64,
    exp: i64,
    auth_time: i64,
    sid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    amr: [&'static str; 2],
}

impl<'a> IdTokenClaims<'a> {
    /// For a client, of what its code was good for.
    pub(super) fn of(
        granted: &'a Granted,
        issuer: &'a str,
        client_id: &'a str,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            iss: issuer,
            sub: granted.user_id.to_string(),
            aud: client_id,
            iat: now.unix_timestamp(),
            exp: (now + LIFE).unix_timestamp(),
            auth_time: granted.auth_time.unix_timestamp(),
            sid: &granted.session_id,
            nonce: granted.nonce.as_deref(),
            amr: ["otp", "sms"],
        }
    }
}

/// What an ID token says that a client was given, however long ago.
#[derive(Debug, Deserialize)]
pub struct Hint {
    iss: String,
    pub sub: String,
    /// The client.
    pub aud: String,
    /// The session.
    pub sid: String,
    /// In Unix seconds.
    exp: i64,
}

impl Hint {
    /// Reads one; none where it is not one of ours.
    #[must_use]
    pub fn read(keys: &SigningKeys, issuer: &str, jwt: &str) -> Option<Self> {
        keys.verify(JwtKind::IdToken, jwt).filter(|hint: &Self| hint.iss == issuer)
    }

    /// Whether it is an old one, which others may have seen meanwhile.
    #[must_use]
    pub fn has_expired(&self, now: OffsetDateTime) -> bool {
        self.exp <= now.unix_timestamp()
    }
}
