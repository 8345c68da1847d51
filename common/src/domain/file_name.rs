//! What a user calls a file. It is shown and sent back, and names nothing on a disk.

use unicode_normalization::UnicodeNormalization;

use crate::domain::characters::{is_format, is_invisible, is_separator, turns_text};

/// In bytes of UTF-8, as file systems have it.
const LONGEST: usize = 255;
/// Where a client gives none.
const UNNAMED: &str = "file";

/// A name without a path: in Unicode's form NFC, 1 to 255 bytes, one character of them visible.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileName(String);

/// A name that is too long, cannot be seen, is `.` or `..`, or has characters that mislead.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "has to have 1 to {LONGEST} bytes, none of them a control character or one that turns text"
)]
pub struct InvalidFileName;

impl FileName {
    /// Reads a name. Cleaned away are a path before it, with slashes or backslashes, marks of
    /// direction that turn nothing, and blanks at its ends.
    ///
    /// # Errors
    /// What is left has more than 255 bytes, nothing visible, control characters such as NUL or
    /// line breaks, or characters that turn the text after them; or it is `.` or `..`.
    pub fn parse(text: &str) -> Result<Self, InvalidFileName> {
        let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let is_mark = |char: &char| matches!(char, '\u{200e}' | '\u{200f}' | '\u{61c}');
        let longer = LONGEST + 1;
        let name: String =
            last.trim().chars().filter(|char| !is_mark(char)).nfc().take(longer).collect();
        let is_unwanted = |char: char| char.is_control() || is_separator(char) || turns_text(char);
        let is_visible =
            |char: char| !(char.is_whitespace() || is_invisible(char) || is_format(char));
        if name.len() > LONGEST
            || matches!(name.as_str(), "." | "..")
            || name.chars().any(is_unwanted)
            || !name.chars().any(is_visible)
        {
            return Err(InvalidFileName);
        }
        Ok(Self(name))
    }

    /// The name of a file whose client gives none.
    #[must_use]
    pub fn unnamed() -> Self {
        Self(UNNAMED.to_owned())
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
    fn a_path_before_the_name_and_marks_without_effect_are_cleaned_away() {
        for (text, name) in [
            ("holiday.jpg", "holiday.jpg"),
            ("../../etc/passwd", "passwd"),
            ("/etc/passwd", "passwd"),
            (r"C:\Users\Asha\photo.png", "photo.png"),
            (r"..\..\boot.ini", "boot.ini"),
            ("  Zoe\u{308}.txt ", "Zo\u{eb}.txt"),
            ("\u{200f}דוד.pdf", "דוד.pdf"),
            ("a..b", "a..b"),
            ("...", "..."),
            ("👩‍👩‍👧.png", "👩‍👩‍👧.png"),
            ("\"quoted\"; x=y", "\"quoted\"; x=y"),
        ] {
            assert_eq!(FileName::parse(text).unwrap().as_str(), name, "{text:?}");
        }
    }

    #[test]
    fn what_misleads_or_is_no_name_is_refused() {
        let long = "é".repeat(128);
        for bad in [
            "",
            " ",
            ".",
            "..",
            "a/..",
            "a/",
            "a\\",
            "a\0.txt",
            "a\r\nSet-Cookie: x",
            "a\u{2028}b",
            "photo\u{202e}gnp.exe",
            "\u{2066}a\u{2069}",
            "\u{200b}",
            "\u{200f}",
            &long,
        ] {
            assert_eq!(FileName::parse(bad), Err(InvalidFileName), "{bad:?}");
        }
        assert!(FileName::parse(&"é".repeat(127)).is_ok());
    }
}
