//! Who sends a request, as sessions and events remember it.

use crate::address::ClientAddress;

/// The longest name of a device, in characters.
const LONGEST: usize = 200;

/// Where a request comes from, and what sends it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Client {
    /// Where it comes from.
    pub address: ClientAddress,
    /// What sends it.
    pub device: Device,
}

/// What a client calls itself (`User-Agent`, RFC 9110): no control characters, single blanks, at most 200 characters. Empty where
/// it says nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Device(String);

impl Device {
    /// Cleans what a client says. Bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn of(user_agent: &[u8]) -> Self {
        let text = String::from_utf8_lossy(user_agent);
        let mut device = String::new();
        // A tab is a control character and a blank; it parts words all the same.
        for word in text.split_whitespace() {
            let word: String = word.chars().filter(|char| !char.is_control()).collect();
            if !(word.is_empty() || device.is_empty()) {
                device.push(' ');
            }
            device.push_str(&word);
        }
        if let Some((end, _)) = device.char_indices().nth(LONGEST) {
            device.truncate(end);
        }
        Self(device.trim_end().to_owned())
    }

    /// The text, which may be empty.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, unless it is empty.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        Some(self.as_str()).filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_one_line_of_at_most_200_characters() {
        for (said, kept) in [
            ("", ""),
            (" \t ", ""),
            ("\u{7}\u{85}", ""),
            ("curl/8.5.0", "curl/8.5.0"),
            ("  Mozilla/5.0 \t (X11;   Linux) ", "Mozilla/5.0 (X11; Linux)"),
            ("a\u{0} \u{1b}[31mb\u{7f}\n\u{9f} c", "a [31mb c"),
            ("Téléphone", "Téléphone"),
            (&"é".repeat(201), &*"é".repeat(200)),
            (&format!("{} x", "y".repeat(199)), &*"y".repeat(199)),
        ] {
            assert_eq!(Device::of(said.as_bytes()).as_str(), kept, "{said:?}");
            assert_eq!(Device::of(kept.as_bytes()).as_str(), kept, "once is enough");
        }
        assert_eq!(Device::of(b"a\xffb").as_str(), "a\u{fffd}b");
        assert_eq!((Device::of(b"").name(), Device::of(b"a").name()), (None, Some("a")));
    }
}
