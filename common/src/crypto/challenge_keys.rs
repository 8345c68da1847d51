//! How a challenge is signed, so that the API knows its own again.

use std::fmt;

use crate::crypto::secret::{Secret, SecretTooShort, TagKey};

/// The keys derived from `OTP_SECRET`: the first signs, all are known again.
#[derive(Clone)]
pub struct ChallengeKeys(Vec<TagKey>);

impl ChallengeKeys {
    /// Derives keys (HKDF-SHA256) from a comma-separated list of secrets.
    ///
    /// # Errors
    /// A secret with fewer than 32 characters.
    pub fn derive(secrets: &str) -> Result<Self, SecretTooShort> {
        let (first, older) = Secret::parse_list(secrets)?;
        let keys = std::iter::once(&first).chain(&older);
        Ok(Self(keys.map(|secret| secret.tag_key("cheershare challenge")).collect()))
    }

    /// HMAC-SHA256 of a text, in hexadecimal.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        self.0.first().map(|key| key.tag(text.as_bytes())).unwrap_or_default()
    }

    /// Whether one of the keys made this signature.
    #[must_use]
    pub fn has_signed(&self, text: &str, signature: &str) -> bool {
        self.0.iter().any(|key| key.is_tag(text.as_bytes(), signature))
    }
}

impl fmt::Debug for ChallengeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengeKeys(…)")
    }
}
