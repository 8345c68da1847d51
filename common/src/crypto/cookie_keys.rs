//! How a browser's cookie holds a session: sealed, so that whoever reads the cookie has no token.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;

use crate::crypto::secret::{SealKey, Secret, SecretTooShort};
use crate::domain::token::Token;

/// Who gets a cookie. One for all hosts of a domain does not open what is for its own host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CookieAudience {
    OwnHost,
    Domain,
}

impl CookieAudience {
    fn context(self) -> &'static [u8] {
        match self {
            Self::OwnHost => b"",
            Self::Domain => b"domain",
        }
    }
}

/// The keys derived from `OTP_SECRET`: the first seals, all open.
#[derive(Clone)]
pub struct CookieKeys(Vec<SealKey>);

impl CookieKeys {
    /// Derives keys (HKDF-SHA256) from a comma-separated list of secrets.
    ///
    /// # Errors
    /// A secret with fewer than 32 characters.
    pub fn derive(secrets: &str) -> Result<Self, SecretTooShort> {
        let (first, older) = Secret::parse_list(secrets)?;
        let keys = std::iter::once(&first).chain(&older);
        Ok(Self(keys.map(|secret| secret.seal_key("cheershare session cookie")).collect()))
    }

    /// The value of a cookie, in characters that need no quotes.
    #[must_use]
    pub fn seal(&self, token: &Token, audience: CookieAudience) -> String {
        let sealed =
            self.0.first().map(|key| key.seal(token.expose().as_bytes(), audience.context()));
        BASE64URL_NOPAD.encode(&sealed.unwrap_or_default())
    }

    /// The token in a cookie that one of the keys has sealed for that audience.
    #[must_use]
    pub fn open(&self, value: &[u8], audience: CookieAudience) -> Option<Token> {
        let sealed = BASE64URL_NOPAD.decode(value).ok()?;
        let opened = self.0.iter().find_map(|key| key.open(&sealed, audience.context()))?;
        Token::parse(std::str::from_utf8(&opened).ok()?)
    }
}

impl fmt::Debug for CookieKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieKeys(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::CookieAudience::{Domain, OwnHost};
    use super::*;

    const OLD: &str = "an old secret with more than 32 characters";
    const NEW: &str = "a new secret with more than 32 characters!";

    #[test]
    fn a_token_comes_out_with_one_of_the_secrets_alone() {
        let old = CookieKeys::derive(OLD).unwrap();
        let token = Token::random();
        let value = old.seal(&token, OwnHost);
        assert_ne!(value, old.seal(&token, OwnHost), "each is another");
        assert!(!value.contains(token.expose()));
        let opened = |secrets: &str, value: &str| {
            let keys = CookieKeys::derive(secrets).unwrap();
            keys.open(value.as_bytes(), OwnHost).map(|token| token.hash())
        };
        assert_eq!(opened(OLD, &value), Some(token.hash()));
        assert_eq!(opened(&format!("{NEW},{OLD}"), &value), Some(token.hash()));
        assert_eq!(opened(NEW, &value), None);
        for wrong in
            ["", "=", token.expose(), &value[1..], &format!("{value}A"), &format!("{value}=")]
        {
            assert_eq!(opened(OLD, wrong), None, "{wrong}");
        }
        assert!(old.open(value.as_bytes(), Domain).is_none());
        assert!(old.open(old.seal(&token, Domain).as_bytes(), OwnHost).is_none());
    }
}
