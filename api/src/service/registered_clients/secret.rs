//! The secrets of registered clients, and what is kept of them.
//!
//! A secret has 256 random bits, so nobody finds it by trying, however fast a hash is: SHA-256 is
//! enough, and a slow hash, which is for what people choose, would cost every request its time.

use std::fmt;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Before the hash, so that another one may be used some day.
const PREFIX: &str = "sha256:";

/// What a client sends as its secret.
#[derive(Clone, Debug)]
pub struct ClientSecret(SecretString);

impl ClientSecret {
    /// A new one: 32 random bytes in base64url, 43 characters.
    #[must_use]
    pub fn random() -> Self {
        Self::from(BASE64URL_NOPAD.encode(&rand::rng().random::<[u8; 32]>()))
    }

    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.expose()).into())
    }

    /// The characters, for the one answer that hands them out.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for ClientSecret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// The SHA-256 of a secret.
#[derive(Clone)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Reads `sha256:` and 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.strip_prefix(PREFIX)?.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// As [`SecretHash::parse`] reads it.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{PREFIX}{}", HEXLOWER.encode(&self.0))
    }

    /// Takes as long whatever the other one is.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_and_random_and_debug_shows_none_of_it() {
        let secret = ClientSecret::random();
        assert_eq!(secret.expose().len(), 43);
        assert_ne!(secret.expose(), ClientSecret::random().expose());
        let shown = format!("{secret:?} {:?}", secret.hash());
        assert!(!shown.contains(secret.expose()) && !shown.contains(&secret.hash().text()[7..]));
    }

    #[test]
    fn a_hash_is_what_other_programs_make_of_a_secret() {
        // printf secret | sha256sum
        let text = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        assert_eq!(ClientSecret::from("secret".to_owned()).hash().text(), text);
        assert!(
            SecretHash::parse(text).unwrap().is(&ClientSecret::from("secret".to_owned()).hash())
        );
        for wrong in [
            "",
            "sha256:",
            &text[7..],
            &text[..70],
            &format!("{text}0"),
            &text.to_uppercase(),
            &text.replace("sha256", "sha512"),
            &text.replace("2b", "2g"),
        ] {
            assert!(SecretHash::parse(wrong).is_none(), "{wrong}");
        }
    }
}
