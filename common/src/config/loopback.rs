use std::net::IpAddr;

/// Whether a host, as a URL or a `Host` header has it without its port, is this machine: an address
/// of its own, or a name that leads nowhere else (RFC 6761, 6.3).
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_told_from_all_others() {
        for host in [
            "localhost",
            "LocalHost",
            "localhost.",
            "app.localhost",
            "127.0.0.1",
            "127.8.0.1",
            "[::1]",
            "::1",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            ".",
            "example.com",
            "localhost.example.com",
            "notlocalhost",
            "127.0.0.1.nip.io",
            "0.0.0.0",
            "[::]",
            "192.168.1.7",
            "10.0.0.1",
            "[::ffff:10.0.0.1]",
            "127.1",
            "[localhost]",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
