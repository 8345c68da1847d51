//! What OpenID clients are handed: codes and access tokens.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use rand::RngExt;

use crate::domain::token::TokenHash;

/// Of 32 bytes in base64url without padding. Tokens of sessions are shorter.
const LENGTH: usize = 43;

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(String);

        impl $name {
            /// A new one, of 256 random bits.
            #[must_use]
            pub fn random() -> Self {
                Self(BASE64URL_NOPAD.encode(&rand::rng().random::<[u8; 32]>()))
            }

            /// Reads one; none where the text is not 43 characters of base64url.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                is_base64url_of_32_bytes(text).then(|| Self(text.to_owned()))
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

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

opaque! {
    /// What a client redeems, once, for an access token and an ID token. `Debug` hides it.
    AuthorizationCode
}

opaque! {
    /// What a client shows to read claims. `Debug` hides it.
    AccessToken
}

/// Whether a text is 43 characters of base64url, as a SHA-256 is.
#[must_use]
pub fn is_base64url_of_32_bytes(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.len() == LENGTH && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_43_characters_and_hides_them() {
        let code = AuthorizationCode::random();
        assert_eq!(code.expose().len(), LENGTH);
        assert_ne!(code.expose(), AuthorizationCode::random().expose());
        let again = AuthorizationCode::parse(code.expose()).unwrap();
        assert!(again.hash() == code.hash());
        assert_eq!(format!("{code:?}"), "AuthorizationCode(…)");
        let long = format!("{}A", code.expose());
        for wrong in ["", &code.expose()[1..], &long, &code.expose().replacen(|_| true, "+", 1)] {
            assert!(AccessToken::parse(wrong).is_none(), "{wrong}");
        }
    }
}
