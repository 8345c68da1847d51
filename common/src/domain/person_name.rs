//! A person's name, as they give it.

use unicode_normalization::UnicodeNormalization;

const LONGEST: usize = 100;

/// A name: trimmed, in Unicode's form NFC, 1 to 100 characters, none of them a control character.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PersonName(String);

/// A name that is too long or has control characters.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("has to have 1 to {LONGEST} characters, none of them a control character")]
pub struct InvalidPersonName;

impl PersonName {
    /// Reads a name; none where only blanks were given.
    ///
    /// # Errors
    /// More than 100 characters, or a control character.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidPersonName> {
        let name: String = text.trim().nfc().take(LONGEST + 1).collect();
        if name.chars().count() > LONGEST || name.chars().any(char::is_control) {
            return Err(InvalidPersonName);
        }
        Ok((!name.is_empty()).then_some(Self(name)))
    }

    /// A name that was parsed before it was stored.
    pub(crate) fn from_store(text: String) -> Self {
        Self(text)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_normalised() {
        assert_eq!(PersonName::parse("  Zoe\u{308} ").unwrap().unwrap().as_str(), "Zo\u{eb}");
        assert_eq!(PersonName::parse(" \t ").unwrap(), None);
    }

    #[test]
    fn the_limit_counts_characters() {
        assert!(PersonName::parse(&"é".repeat(100)).is_ok());
        for bad in ["é".repeat(101), "a\0b".to_owned(), "a\nb".to_owned(), "\u{85}x\u{7f}".to_owned()] {
            assert_eq!(PersonName::parse(&bad), Err(InvalidPersonName));
        }
    }
}
