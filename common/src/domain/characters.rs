//! What kinds of characters people type and paste, beyond ASCII.

use rlibphonenumber::PHONE_NUMBER_UTIL;

/// The ASCII digit of a decimal digit of any script (Unicode's category Nd).
pub(crate) fn decimal_digit(char: char) -> Option<char> {
    if char.is_ascii() {
        return Some(char).filter(char::is_ascii_digit);
    }
    // The library has the table.
    PHONE_NUMBER_UTIL.normalize_digits_only(char.encode_utf8(&mut [0; 4])).chars().next()
}

/// Dashes, hyphens and minus signs (Unicode's property `Dash`, without those of few scripts).
pub(crate) fn is_dash(char: char) -> bool {
    matches!(
        char,
        '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
    )
}

/// What is not shown by itself, such as joiners, bidirectional controls, byte-order marks and soft
/// hyphens (Unicode's property `Default_Ignorable_Code_Point`).
pub(crate) fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// What formats the text around it and shows nothing without it (the rest of Unicode's category Cf).
pub(crate) fn is_format(char: char) -> bool {
    matches!(char,
        '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}')
}

/// What ends a line or a paragraph without being a control character.
pub(crate) fn is_separator(char: char) -> bool {
    matches!(char, '\u{2028}' | '\u{2029}')
}

/// What stays behind in a number or OTP that was copied, and says nothing. An override from right
/// to left is not that: behind it digits are read in another order than they are kept.
pub(crate) fn is_left_behind(char: char) -> bool {
    is_invisible(char) && char != '\u{202e}'
}

/// A blank within a line.
pub(crate) fn is_blank(char: char) -> bool {
    char == '\t' || char.is_whitespace() && !char.is_control() && !is_separator(char)
}

/// What changes the direction of the text after it: embeddings, overrides and isolates (Unicode's
/// UAX #9).
pub(crate) fn turns_text(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_digit_of_any_script_is_that_digit() {
        // Each block of Nd begins with its zero: Arabic, Persian, Devanagari, Bengali, Tamil, Thai,
        // Khmer, full width, bold, Adlam.
        for zero in "٠۰०০௦๐០０𝟎𞥐".chars() {
            for digit in 0..10 {
                let char = char::from_u32(zero as u32 + digit).unwrap();
                assert_eq!(decimal_digit(char), char::from_digit(digit, 10), "{char}");
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_digit_is_none() {
        for char in "²½①Ⅷ௰一lO ".chars() {
            assert_eq!(decimal_digit(char), None, "{char}");
        }
    }
}
