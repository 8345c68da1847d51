//! Where a request comes from and what sends it, as limits, sessions and events see it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest name of a device, in characters.
const LONGEST: usize = 200;

/// Where a request comes from, and what sends it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Client {
    pub address: ClientAddress,
    pub device: Device,
}

/// What a client calls itself (`User-Agent`, RFC 9110): no control characters, single blanks, at
/// most 200 characters. Empty where it says nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Device(String);

impl Device {
    /// Cleans what a client says. Bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn from_user_agent(user_agent: &[u8]) -> Self {
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

    /// A name that was cleaned before it was stored.
    pub(crate) fn from_store(text: String) -> Self {
        Self(text)
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

/// A client's address: IPv4 whole, IPv6 by its /64, which is what one subscriber gets. An
/// IPv4-mapped IPv6 address is the IPv4 one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ClientAddress(IpAddr);

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        })
    }
}

impl ClientAddress {
    /// Reads what its `Display` wrote.
    pub(crate) fn from_store(text: &str) -> Option<Self> {
        text.split('/').next()?.parse::<IpAddr>().ok().map(Self::from)
    }

    /// What usually one owner of many addresses has.
    #[must_use]
    pub fn network(self) -> ClientNetwork {
        ClientNetwork(match self.0 {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & !0xff)),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 80))),
        })
    }
}

/// A network of client addresses: an IPv4 /24 or an IPv6 /48.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ClientNetwork(IpAddr);

impl fmt::Display for ClientNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => write!(f, "{v4}/24"),
            IpAddr::V6(v6) => write!(f, "{v6}/48"),
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
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
            assert_eq!(Device::from_user_agent(said.as_bytes()).as_str(), kept, "{said:?}");
            assert_eq!(Device::from_user_agent(kept.as_bytes()).as_str(), kept, "once is enough");
        }
        assert_eq!(Device::from_user_agent(b"a\xffb").as_str(), "a\u{fffd}b");
        assert_eq!(
            (Device::from_user_agent(b"").name(), Device::from_user_agent(b"a").name()),
            (None, Some("a"))
        );
    }

    #[test]
    fn subscribers_are_told_apart_and_nothing_finer() {
        for (address, shown, network) in [
            ("203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
            ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64", "2001:db8:1::/48"),
            ("::1", "::/64", "::/48"),
        ] {
            let address = ClientAddress::from(address.parse::<IpAddr>().unwrap());
            assert_eq!(address.to_string(), shown);
            assert_eq!(address.network().to_string(), network);
        }
    }
}
