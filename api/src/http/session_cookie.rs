//! The cookie that holds a browser's session. It opens `/auth/verify` and no operation, so nothing
//! that a foreign page makes a browser ask for changes anything.

use std::time::Duration;

use common::crypto::cookie_keys::CookieKeys;
use common::domain::token::Token;
use poem::http::{HeaderMap, HeaderValue, header};

#[derive(Clone, Debug)]
pub struct SessionCookie {
    name: &'static str,
    attributes: String,
    keys: CookieKeys,
}

impl SessionCookie {
    /// A cookie of the host that sets it alone, or of a domain and all below it.
    #[must_use]
    pub fn new(keys: CookieKeys, domain: Option<&str>, is_secure: bool) -> Self {
        // By these prefixes browsers take it from nobody else (RFC 6265bis, 4.1.3): `__Host-` not
        // from a sibling domain, either not by http.
        let name = match (is_secure, domain) {
            (true, None) => "__Host-cheershare",
            (true, Some(_)) => "__Secure-cheershare",
            (false, _) => "cheershare",
        };
        let mut attributes = "; Path=/; HttpOnly; SameSite=Lax".to_owned();
        if is_secure {
            attributes.push_str("; Secure");
        }
        if let Some(domain) = domain {
            attributes.push_str("; Domain=");
            attributes.push_str(domain);
        }
        Self { name, attributes, keys }
    }

    /// The token that a browser holds, live or not. Of two cookies with this name one is not ours,
    /// so neither counts.
    pub(crate) fn token_in(&self, headers: &HeaderMap) -> Option<Token> {
        self.keys.open(only_cookie(headers, self.name)?)
    }

    /// Makes a browser hold a token for so long.
    pub(crate) fn set(&self, token: &Token, life: Duration) -> Option<HeaderValue> {
        self.header(&self.keys.seal(token), life.as_secs())
    }

    /// Makes a browser forget what it holds.
    pub(crate) fn clear(&self) -> Option<HeaderValue> {
        self.header("", 0)
    }

    /// The value of `Set-Cookie`.
    fn header(&self, value: &str, seconds: u64) -> Option<HeaderValue> {
        let Self { name, attributes, .. } = self;
        HeaderValue::try_from(format!("{name}={value}; Max-Age={seconds}{attributes}")).ok()
    }
}

/// The value of a cookie with this name; none where there are several.
pub(crate) fn only_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let mut values = pairs
        .filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    match (values.next(), values.next()) {
        (value, None) => value,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie() -> SessionCookie {
        let keys = CookieKeys::derive("a secret with more than 32 characters").unwrap();
        SessionCookie::new(keys, None, true)
    }

    #[test]
    fn its_name_says_who_may_set_it() {
        let with = |domain, is_secure| {
            SessionCookie::new(cookie().keys, domain, is_secure).clear().unwrap()
        };
        let usual = "Path=/; HttpOnly; SameSite=Lax";
        assert_eq!(with(None, true), format!("__Host-cheershare=; Max-Age=0; {usual}; Secure"));
        assert_eq!(
            with(Some("example.com"), true),
            format!("__Secure-cheershare=; Max-Age=0; {usual}; Secure; Domain=example.com")
        );
        assert_eq!(with(None, false), format!("cheershare=; Max-Age=0; {usual}"));
    }

    #[test]
    fn it_is_found_among_others_and_only_once() {
        let token = Token::random();
        let set = cookie().set(&token, Duration::from_secs(172_800)).unwrap();
        let (own, attributes) = set.to_str().unwrap().split_once("; ").unwrap();
        assert!(attributes.starts_with("Max-Age=172800; "), "{attributes}");
        let found = |lines: &[&[u8]]| {
            let values = lines.iter().map(|line| HeaderValue::from_bytes(line).unwrap());
            let headers = values.map(|value| (header::COOKIE, value)).collect();
            cookie().token_in(&headers).map(|token| token.hash())
        };
        let with = |text: &str| text.replace("OWN", own);
        for line in ["OWN", "a=b; OWN", "OWN;a=b", "a; OWN; =; b=OWN", "x__Host-cheershare=1; OWN"]
        {
            assert_eq!(found(&[with(line).as_bytes()]), Some(token.hash()), "{line}");
        }
        assert_eq!(found(&[b"a=\xff\xfe", own.as_bytes()]), Some(token.hash()));
        let value = own.split_once('=').unwrap().1;
        for line in [
            "",
            "a=b",
            "OWN; OWN",
            "OWN; __Host-cheershare=",
            "__Host-cheershare=x; OWN",
            "__Host-cheershare",
            "__Host-cheershare=",
            "__host-cheershare=VALUE",
            "cheershare=VALUE",
            "__Secure-cheershare=VALUE",
            "__Host-cheershare=\"VALUE\"",
            "__Host-cheershare =VALUE",
        ] {
            let line = with(line).replace("VALUE", value);
            assert_eq!(found(&[line.as_bytes()]), None, "{line}");
        }
        assert_eq!(found(&[own.as_bytes(), own.as_bytes()]), None);
        let token = format!("__Host-cheershare={}", token.expose());
        assert_eq!(found(&[token.as_bytes()]), None, "the token itself is no cookie");
    }
}
