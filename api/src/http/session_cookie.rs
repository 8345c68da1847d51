//! The cookie that holds a browser's session. It opens `/auth/verify`, and the operations of files to
//! pages of the service itself, so nothing that a foreign page makes a browser ask for changes
//! anything.

use std::time::Duration;

use common::crypto::cookie_keys::{CookieAudience, CookieKeys};
use common::domain::token::Token;
use poem::http::{HeaderMap, HeaderValue, header};

/// What a browser holds: one for the sign-in page's own host, and where apps stand on other hosts of
/// a domain, another for these. What one of them sees of it opens no door of the sign-in page's.
#[derive(Clone, Debug)]
pub struct SessionCookie {
    own: Cookie,
    shared: Option<Cookie>,
    keys: CookieKeys,
}

#[derive(Clone, Debug)]
struct Cookie {
    name: &'static str,
    attributes: String,
    audience: CookieAudience,
}

impl Cookie {
    fn new(name: &'static str, audience: CookieAudience, is_secure: bool) -> Self {
        let secure = if is_secure { "; Secure" } else { "" };
        let attributes = format!("; Path=/; HttpOnly; SameSite=Lax{secure}");
        Self { name, attributes, audience }
    }

    /// The value of `Set-Cookie`.
    fn header(&self, value: &str, seconds: u64) -> Option<HeaderValue> {
        let Self { name, attributes, .. } = self;
        HeaderValue::try_from(format!("{name}={value}; Max-Age={seconds}{attributes}")).ok()
    }
}

impl SessionCookie {
    /// A cookie of the host that sets it alone, and one of a domain and all below it.
    #[must_use]
    pub fn new(keys: CookieKeys, domain: Option<&str>, is_secure: bool) -> Self {
        // By these prefixes browsers take it from nobody else (RFC 6265bis, 4.1.3): `__Host-` not
        // from a sibling domain, either not by http.
        let (own, shared) = if is_secure {
            ("__Host-cheershare", "__Secure-cheershare")
        } else {
            ("cheershare", "cheershare-shared")
        };
        let shared = domain.map(|domain| {
            let mut cookie = Cookie::new(shared, CookieAudience::Domain, is_secure);
            cookie.attributes.push_str("; Domain=");
            cookie.attributes.push_str(domain);
            cookie
        });
        Self { own: Cookie::new(own, CookieAudience::OwnHost, is_secure), shared, keys }
    }

    /// The token that a browser holds for the sign-in page's host, live or not. Of two cookies with
    /// this name one is not ours, so neither counts.
    pub(crate) fn token_in(&self, headers: &HeaderMap) -> Option<Token> {
        self.open(&self.own, headers)
    }

    /// The token that a browser holds for apps.
    pub(crate) fn token_for_apps_in(&self, headers: &HeaderMap) -> Option<Token> {
        self.open(self.shared.as_ref().unwrap_or(&self.own), headers)
    }

    fn open(&self, cookie: &Cookie, headers: &HeaderMap) -> Option<Token> {
        self.keys.open(only_cookie(headers, cookie.name)?, cookie.audience)
    }

    /// Makes a browser hold a token for so long.
    pub(crate) fn set(&self, token: &Token, life: Duration) -> Vec<HeaderValue> {
        let value = |cookie: &Cookie| self.keys.seal(token, cookie.audience);
        self.cookies().filter_map(|it| it.header(&value(it), life.as_secs())).collect()
    }

    /// Makes a browser forget what it holds.
    pub(crate) fn clear(&self) -> Vec<HeaderValue> {
        self.cookies().filter_map(|it| it.header("", 0)).collect()
    }

    fn cookies(&self) -> impl Iterator<Item = &Cookie> {
        std::iter::once(&self.own).chain(&self.shared)
    }
}

/// The value of a cookie with this name; none where there are several.
pub(crate) fn only_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = cookies(headers, name);
    match (values.next(), values.next()) {
        (value, None) => value,
        _ => None,
    }
}

/// Whether there is a cookie with this name, whatever its value.
pub(crate) fn has_cookie(headers: &HeaderMap, name: &str) -> bool {
    cookies(headers, name).next().is_some()
}

fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs
        .filter_map(move |pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
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
        let with = |domain, is_secure| SessionCookie::new(cookie().keys, domain, is_secure).clear();
        let usual = "Path=/; HttpOnly; SameSite=Lax";
        let own = format!("__Host-cheershare=; Max-Age=0; {usual}; Secure");
        assert_eq!(with(None, true), [own.as_str()]);
        let shared =
            format!("__Secure-cheershare=; Max-Age=0; {usual}; Secure; Domain=example.com");
        assert_eq!(with(Some("example.com"), true), [own, shared]);
        assert_eq!(with(None, false), [format!("cheershare=; Max-Age=0; {usual}")]);
    }

    /// An app that gets the domain's cookie can send it to us under any name.
    #[test]
    fn a_domain_s_cookie_opens_nothing_of_the_page_s_host() {
        let cookie = SessionCookie::new(cookie().keys, Some("example.com"), true);
        let token = Token::random();
        let set = cookie.set(&token, Duration::from_secs(60));
        let values: Vec<&str> = set
            .iter()
            .map(|set| set.to_str().unwrap().split_once(';').unwrap().0.split_once('=').unwrap().1)
            .collect();
        let headers = |line: String| {
            [(header::COOKIE, HeaderValue::try_from(line).unwrap())].into_iter().collect()
        };
        let both =
            headers(format!("__Host-cheershare={}; __Secure-cheershare={}", values[0], values[1]));
        for found in [cookie.token_in(&both), cookie.token_for_apps_in(&both)] {
            assert_eq!(found.map(|token| token.hash()), Some(token.hash()));
        }
        let swapped =
            headers(format!("__Host-cheershare={}; __Secure-cheershare={}", values[1], values[0]));
        assert!(cookie.token_in(&swapped).is_none());
        assert!(cookie.token_for_apps_in(&swapped).is_none());
    }

    #[test]
    fn it_is_found_among_others_and_only_once() {
        let token = Token::random();
        let set = cookie().set(&token, Duration::from_secs(172_800));
        let (own, attributes) = set[0].to_str().unwrap().split_once("; ").unwrap();
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
