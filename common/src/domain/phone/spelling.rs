//! Which digits a text dials.

use crate::domain::characters::{decimal_digit, is_blank, is_dash, is_left_behind};

/// Longest spelling that is looked at, in characters: E.164 has 15 digits, the rest is punctuation.
const LONGEST_SPELLING: usize = 64;
const PLUS: [char; 2] = ['+', '\u{ff0b}'];
/// What people write between digits, but for blanks and dashes; each in its full width too.
const PUNCTUATION: &str = "()./\u{ff08}\u{ff09}\u{ff0e}\u{ff0f}";
const OPENING: [char; 2] = ['(', '\u{ff08}'];
/// What is left behind where a number was copied out of a list.
const AT_THE_END: &str = ",;";
const SCHEME: &str = "tel:";

#[derive(Debug, Eq, PartialEq)]
pub(super) enum Dialled {
    /// Digits that begin with a calling code: they were written after a plus.
    FromAnywhere(String),
    /// Digits as they are dialled within a country.
    AtHome(String),
}

impl Dialled {
    /// None where there is anything but digits and what people write around them.
    pub(super) fn read(text: &str) -> Option<Self> {
        let visible: String =
            text.chars().filter(|char| !is_left_behind(*char)).take(LONGEST_SPELLING + 1).collect();
        if visible.chars().count() > LONGEST_SPELLING {
            return None;
        }
        let number = visible.trim();
        let number = match number.split_at_checked(SCHEME.len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest.trim_start(),
            _ => number,
        };
        let number =
            number.trim_end_matches(|char: char| AT_THE_END.contains(char) || char.is_whitespace());
        let begins_well =
            |char| PLUS.contains(&char) || OPENING.contains(&char) || decimal_digit(char).is_some();
        if !number.starts_with(begins_well) {
            return None;
        }
        let is_written_between =
            |char: char| is_blank(char) || is_dash(char) || PUNCTUATION.contains(char);
        let mut dialled = number.chars().filter(|char| !is_written_between(*char)).peekable();
        let has_plus = dialled.next_if(|char| PLUS.contains(char)).is_some();
        let digits = dialled.map(decimal_digit).collect::<Option<String>>()?;
        Some(if has_plus { Self::FromAnywhere(digits) } else { Self::AtHome(digits) })
    }
}
