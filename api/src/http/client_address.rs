//! Whose request it is, behind however many proxies.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use common::domain::client::ClientAddress;
use ipnet::IpNet;
use poem::Addr;
use poem::http::{HeaderMap, HeaderName};
use poem::web::RemoteAddr;

/// The proxies whose word about a client's address is believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = &'static str;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        if list.trim() == "none" {
            return Ok(Self::default());
        }
        let network = |text: &str| {
            let text = text.trim();
            text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        };
        let networks = list.split(',').map(network).collect::<Result<_, _>>();
        networks
            .map(Self)
            .map_err(|_| "has to be a list of networks like 10.0.0.0/8,fd00::/8, or none")
    }
}

/// How a client's address is found.
#[derive(Clone, Debug)]
pub struct AddressRule {
    pub trusted: TrustedProxies,
    /// In which header. All others are ignored.
    pub header: HeaderName,
}

impl AddressRule {
    /// The first hop, counted from the right, that is no trusted proxy. The header is read only
    /// when the peer is trusted; what cannot be read in it ends the chain, because nothing to its
    /// left can be believed.
    #[must_use]
    pub fn client_of(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let mut client = peer;
        if self.trusted.trust(peer) {
            let lines = headers.get_all(&self.header).iter().rev();
            let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
            for hop in hops {
                let Some(hop) = parse_hop(hop) else { break };
                client = hop;
                if !self.trusted.trust(hop) {
                    break;
                }
            }
        }
        client.into()
    }

    /// The same for a connection as the server knows it.
    #[must_use]
    pub fn client_of_connection(&self, remote: &RemoteAddr, headers: &HeaderMap) -> ClientAddress {
        let peer = match &remote.0 {
            Addr::SocketAddr(address) => address.ip(),
            // In-process tests have no connection.
            _ => IpAddr::from([0, 0, 0, 0]),
        };
        self.client_of(peer, headers)
    }
}

/// An address, with a port or without.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    // A header may hold any bytes. Those of one hop must not hide the others, which proxies add to
    // the same line.
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use poem::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn rule(trusted: &str) -> AddressRule {
        AddressRule {
            trusted: trusted.parse().unwrap(),
            header: HeaderName::from_static("x-forwarded-for"),
        }
    }

    #[test]
    fn header_peer_and_expected_address() {
        let cases: &[(&str, &str, &[&str], &str)] = &[
            // Nobody is trusted, or the peer is not.
            ("none", "203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            ("10.0.0.0/8", "203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            // One proxy, a spoofed entry to the left.
            ("10.0.0.0/8", "10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.0/8", "10.0.0.1", &["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.0/8", "10.0.0.1", &["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
            // Two proxies; a client that claims to be one.
            ("10.0.0.0/8", "10.0.0.1", &["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.0/8", "10.0.0.1", &["10.9.9.9, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            // All trusted: the farthest. Nothing said: the peer.
            ("10.0.0.0/8", "10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.0/8", "10.0.0.1", &[], "10.0.0.1"),
            // What cannot be read ends the chain.
            ("10.0.0.0/8", "10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.0/8", "10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.0/8", "10.0.0.1", &[""], "10.0.0.1"),
            // Ports, IPv6, mapped addresses.
            ("10.0.0.0/8", "10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", &["[2001:db8::5]:4711"], "2001:db8::/64"),
            ("fd00::/8", "fd00::1", &["2001:db8:0:7:a::5"], "2001:db8:0:7::/64"),
            ("10.0.0.0/8", "10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", "10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
        ];
        for (trusted, peer, lines, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert("x-real-ip", "6.6.6.6".parse().unwrap());
            headers.insert("forwarded", "for=6.6.6.6".parse().unwrap());
            for line in *lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            let client = rule(trusted).client_of(peer.parse().unwrap(), &headers);
            assert_eq!(client.to_string(), *expected, "{trusted} {peer} {lines:?}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_read_is_refused() {
        for list in ["", "10.0.0.0/33", "all", "10.0.0.0/8,", "none,10.0.0.1"] {
            assert!(list.parse::<TrustedProxies>().is_err(), "{list}");
        }
    }

    /// `PROPTEST_CASES` makes it more.
    fn cases() -> ProptestConfig {
        ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
    }

    fn proxy() -> impl Strategy<Value = IpAddr> {
        any::<[u8; 3]>().prop_map(|[b, c, d]| IpAddr::from([10, b, c, d]))
    }

    fn outsider() -> impl Strategy<Value = IpAddr> {
        let v4 = (prop_oneof![0..10_u8, 11..=255_u8], any::<[u8; 3]>());
        let v4 = v4.prop_map(|(a, [b, c, d])| IpAddr::from([a, b, c, d]));
        let v6 = (1..=u16::MAX, any::<u128>()).prop_map(|(first, rest)| {
            IpAddr::from(Ipv6Addr::from_bits(u128::from(first) << 112 | rest >> 16))
        });
        prop_oneof![v4, v6]
    }

    /// As proxies write an address: with a port or without.
    fn spelled(address: IpAddr, port: Option<u16>) -> String {
        port.map_or_else(|| address.to_string(), |port| SocketAddr::new(address, port).to_string())
    }

    fn headers(lines: &[Vec<u8>]) -> HeaderMap {
        let values = lines.iter().map(|line| HeaderValue::from_bytes(line).unwrap());
        values.map(|value| (HeaderName::from_static("x-forwarded-for"), value)).collect()
    }

    /// Any bytes that HTTP lets stand in a header.
    fn any_line() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(b'\t'), 32..127_u8, 128..=255_u8];
        prop::collection::vec(byte, 0..100)
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn a_client_cannot_change_what_the_proxies_saw_of_it(
            claimed in prop::collection::vec(any_line(), 0..4),
            client in outsider(),
            port in any::<Option<u16>>(),
            proxies in prop::collection::vec(proxy(), 0..4),
            peer in proxy(),
            in_one_line in any::<bool>(),
        ) {
            let mut seen = vec![spelled(client, port)];
            seen.extend(proxies.iter().map(IpAddr::to_string));
            let mut lines = claimed;
            if in_one_line && let Some(last) = lines.last_mut() {
                last.extend(format!(",{}", seen.join(", ")).bytes());
            } else {
                lines.extend(seen.into_iter().map(String::into_bytes));
            }
            let found = rule("10.0.0.0/8").client_of(peer, &headers(&lines));
            prop_assert_eq!(found, ClientAddress::from(client));
        }

        #[test]
        fn nobody_but_a_proxy_is_believed(
            lines in prop::collection::vec(any_line(), 0..4),
            peer in outsider(),
        ) {
            let found = rule("10.0.0.0/8").client_of(peer, &headers(&lines));
            prop_assert_eq!(found, ClientAddress::from(peer));
        }

        #[test]
        fn what_cannot_be_read_is_as_good_as_nothing(
            lines in prop::collection::vec("[g-z ,;=\u{80}-\u{2fff}]{0,100}", 0..4),
            peer in proxy(),
        ) {
            let lines: Vec<Vec<u8>> = lines.into_iter().map(String::into_bytes).collect();
            let found = rule("10.0.0.0/8").client_of(peer, &headers(&lines));
            prop_assert_eq!(found, ClientAddress::from(peer));
        }
    }
}
