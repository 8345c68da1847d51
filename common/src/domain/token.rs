//! Bearer tokens (RFC 6750).

use std::fmt;

use sha2::{Digest, Sha256};
use strum::IntoStaticStr;

use crate::domain::ids::random_base32;

/// Length of a token in characters.
const LENGTH: usize = 26;

/// A bearer token: 16 random bytes, base32 without padding, 26 characters. `Debug` hides them.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    #[must_use]
    pub fn random() -> Self {
        Self(random_base32())
    }

    /// Reads a token; none where it does not have 26 characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == LENGTH && text.is_ascii()).then(|| Self(text.to_owned()))
    }

    /// What is stored in its place.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }

    /// The characters, for the one answer that hands it out.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The SHA-256 of a token.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct TokenHash(Vec<u8>);

impl TokenHash {
    /// What is stored in place of a secret of at least 128 random bits.
    pub(crate) fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).to_vec())
    }

    pub(crate) fn from_store(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// What a token gives a right to.
#[derive(Clone, Copy, Debug, Eq, IntoStaticStr, PartialEq)]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum Scope {
    Authentication,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_26_characters_and_hides_them() {
        let token = Token::random();
        assert_eq!(token.expose().len(), LENGTH);
        assert_eq!(format!("{token:?} {:?}", token.hash()), "Token(…) TokenHash(…)");
        assert_eq!(Token::parse(token.expose()).unwrap().hash(), token.hash());
        assert!(Token::parse(&token.expose()[1..]).is_none());
    }
}
