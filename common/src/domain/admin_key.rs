//! The keys of the admin API, and what their holders may do.

use std::fmt;

use clap::ValueEnum;
use data_encoding::BASE32_NOPAD;
use rand::RngExt;
use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::domain::token::TokenHash;

/// What a key begins with, so that whoever finds one knows what it opens.
const PREFIX: &str = "csa_";
/// Characters behind it: 32 random bytes in base32 without padding.
const LENGTH: usize = 52;

/// A key, which is shown once and kept as its hash. `Debug` hides it.
#[derive(Clone)]
pub struct AdminKey(String);

impl AdminKey {
    #[must_use]
    pub fn random() -> Self {
        let random = BASE32_NOPAD.encode(&rand::rng().random::<[u8; 32]>()).to_ascii_lowercase();
        Self(format!("{PREFIX}{random}"))
    }

    /// Reads a key; none where the text has another form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let base32 = |byte: u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte);
        let random = text.strip_prefix(PREFIX)?;
        (random.len() == LENGTH && random.bytes().all(base32)).then(|| Self(text.to_owned()))
    }

    /// What is stored in its place, and looked up: how long that takes tells nothing of the key.
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

impl fmt::Debug for AdminKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminKey(…)")
    }
}

/// What a key's holder may do; each may do what those before it may.
#[derive(
    Clone,
    Copy,
    Debug,
    EnumString,
    Eq,
    IntoStaticStr,
    Ord,
    PartialEq,
    PartialOrd,
    ValueEnum,
    VariantArray,
)]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum AdminRole {
    /// Sees everything but whole numbers, and changes nothing
    Viewer,
    /// Helps users: what can be undone, and whole numbers
    Operator,
    /// May do everything
    Owner,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_hides_itself() {
        let key = AdminKey::random();
        assert_eq!(key.expose().len(), PREFIX.len() + LENGTH);
        assert_eq!(AdminKey::parse(key.expose()).unwrap().hash(), key.hash());
        assert_eq!(format!("{key:?}"), "AdminKey(…)");
        let text = key.expose();
        for wrong in
            ["", "csa_", &text[1..], &text[..55], &text.to_uppercase(), &format!("{text}a")]
        {
            assert!(AdminKey::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn each_role_may_do_what_those_before_it_may() {
        assert!(AdminRole::VARIANTS.is_sorted());
        assert_eq!("operator".parse(), Ok(AdminRole::Operator));
    }
}
