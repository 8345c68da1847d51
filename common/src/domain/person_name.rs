//! A person's name, as they give it.

use unicode_normalization::UnicodeNormalization;

use crate::domain::characters::{is_format, is_invisible, is_separator, turns_text};

const LONGEST: usize = 100;
/// What is blank and nothing else, but no white space: Braille's pattern without dots, and music's
/// note without a head.
const BLANKS: [char; 2] = ['\u{2800}', '\u{1d159}'];

/// A name: trimmed, in Unicode's form NFC, 1 to 100 characters, one of them visible, none of them a
/// control character or one that turns the text around it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PersonName(String);

/// A name that is too long, cannot be seen, or has control characters.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "has to have 1 to {LONGEST} characters, one of them visible, none of them a control character"
)]
pub struct InvalidPersonName;

impl PersonName {
    /// Reads a name; none where only blanks were given.
    ///
    /// # Errors
    /// More than 100 characters, none that can be seen, or a control character.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidPersonName> {
        let name: String = text.trim().nfc().take(LONGEST + 1).collect();
        if name.is_empty() {
            return Ok(None);
        }
        let is_unwanted = |char: char| char.is_control() || is_separator(char) || turns_text(char);
        if name.chars().count() > LONGEST
            || name.chars().any(is_unwanted)
            || !name.chars().any(is_visible)
        {
            return Err(InvalidPersonName);
        }
        Ok(Some(Self(name)))
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

fn is_visible(char: char) -> bool {
    !(char.is_whitespace() || is_invisible(char) || is_format(char) || BLANKS.contains(&char))
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
        for bad in
            ["é".repeat(101), "a\0b".to_owned(), "a\nb".to_owned(), "\u{85}x\u{7f}".to_owned()]
        {
            assert_eq!(PersonName::parse(&bad), Err(InvalidPersonName));
        }
    }

    #[test]
    fn a_name_can_be_seen() {
        for bad in [
            "\u{200b}",
            "\u{2800}",
            "\u{3164}",
            "\u{feff} \u{2060}",
            "\u{ad}",
            "\u{e0041}",
            "\u{fe0f}",
            "\u{fff9}",
            "\u{13430}",
            "\u{110bd}",
            "\u{1d159}",
            "Asha\u{2028}Rao",
        ] {
            assert_eq!(PersonName::parse(bad), Err(InvalidPersonName), "{bad:?}");
        }
    }

    #[test]
    fn a_name_does_not_turn_the_text_around_it() {
        for bad in
            ["Asha\u{202e}", "\u{202e}gnp.ahsA", "\u{202a}Asha\u{202c}", "\u{2066}Asha\u{2069}"]
        {
            assert_eq!(PersonName::parse(bad), Err(InvalidPersonName), "{bad:?}");
        }
    }

    #[test]
    fn names_of_all_scripts_are_names() {
        for good in [
            "👩‍👩‍👧",
            "❤️",
            "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
            "श्री\u{200d}",
            "क्\u{200c}ष",
            "می\u{200c}خواهم",
            "\u{200f}דוד",
            "张伟",
            "O'Brien-Łuczak",
            "⠁",
        ] {
            assert_eq!(PersonName::parse(good).unwrap().unwrap().as_str(), good, "{good:?}");
        }
    }
}
