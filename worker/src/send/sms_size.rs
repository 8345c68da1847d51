//! How many segments an SMS takes (3GPP TS 23.038, 23.040): carriers bill each of them.

/// The default alphabet of GSM-7; each character is one septet.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿\
                     abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension; each character is two septets.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SmsSize {
    /// `GSM-7`, or `UCS-2` where one character is not in GSM-7.
    pub encoding: &'static str,
    /// Septets in GSM-7; in UCS-2 units of 16 bits, of which a character above U+FFFF takes two.
    pub characters: usize,
    /// Messages that are sent; the phone joins them.
    pub segments: usize,
}

impl SmsSize {
    #[must_use]
    pub fn of(text: &str) -> Self {
        let septets = text.chars().map(septets).collect::<Option<Vec<_>>>();
        // The capacity of an SMS by itself, and of each segment of a longer one, which has a
        // header.
        let (encoding, widths, single, segment) = match septets {
            Some(widths) => ("GSM-7", widths, 160, 153),
            None => ("UCS-2", text.chars().map(char::len_utf16).collect(), 70, 67),
        };
        let characters = widths.iter().sum();
        let segments = if characters <= single { 1 } else { segments(&widths, segment) };
        Self { encoding, characters, segments }
    }
}

fn septets(character: char) -> Option<usize> {
    if BASIC.contains(character) { Some(1) } else { EXTENSION.contains(character).then_some(2) }
}

/// No character is split between two segments.
fn segments(widths: &[usize], capacity: usize) -> usize {
    let mut segments = 1;
    let mut used = 0;
    for width in widths {
        if used + width > capacity {
            segments += 1;
            used = 0;
        }
        used += width;
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_whole() {
        // 128 codes, of which one leads to the extension.
        assert_eq!((BASIC.chars().count(), EXTENSION.chars().count()), (127, 10));
    }

    #[test]
    fn text_encoding_characters_and_segments() {
        let a = |count: usize| "a".repeat(count);
        let o = |count: usize| "\u{905}".repeat(count);
        let cases = [
            (String::new(), "GSM-7", 0, 1),
            ("Your code is 123456.\n\n@example.com #123456".to_owned(), "GSM-7", 42, 1),
            (a(160), "GSM-7", 160, 1),
            (a(161), "GSM-7", 161, 2),
            (a(306), "GSM-7", 306, 2),
            (a(307), "GSM-7", 307, 3),
            ("€".repeat(80), "GSM-7", 160, 1),
            (format!("{}a", "€".repeat(80)), "GSM-7", 161, 2),
            // 76 of them fill 152 septets of 153: the last of each segment stays empty.
            ("€".repeat(153), "GSM-7", 306, 3),
            ("[a]{b}^~|\\".to_owned(), "GSM-7", 18, 1),
            // A typographic apostrophe is enough for the other encoding.
            (format!("{}’", a(69)), "UCS-2", 70, 1),
            (format!("{}’", a(70)), "UCS-2", 71, 2),
            (o(70), "UCS-2", 70, 1),
            (o(134), "UCS-2", 134, 2),
            (o(135), "UCS-2", 135, 3),
            ("😀".repeat(35), "UCS-2", 70, 1),
            ("😀".repeat(36), "UCS-2", 72, 2),
            // 33 of them fill 66 characters of 67.
            ("😀".repeat(67), "UCS-2", 134, 3),
            ("ç".to_owned(), "UCS-2", 1, 1),
            ("Ç`".to_owned(), "UCS-2", 2, 1),
        ];
        for (text, encoding, characters, segments) in cases {
            assert_eq!(SmsSize::of(&text), SmsSize { encoding, characters, segments }, "{text}");
        }
    }
}
