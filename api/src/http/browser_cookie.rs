//! The cookie by which a browser is known again that began to sign in to an app: whoever else is
//! sent there by its link has begun nothing.

use common::domain::ids::BrowserId;
use common::ledger::authorization_requests;
use poem::http::{HeaderMap, HeaderValue};

use super::session_cookie::only_cookie;

#[derive(Clone, Copy, Debug)]
pub struct BrowserCookie {
    is_secure: bool,
}

impl BrowserCookie {
    #[must_use]
    pub fn new(is_secure: bool) -> Self {
        Self { is_secure }
    }

    /// By this prefix browsers take it from this host alone (RFC 6265bis, 4.1.3).
    fn name(self) -> &'static str {
        if self.is_secure { "__Host-cheershare-browser" } else { "cheershare-browser" }
    }

    /// Which browser asks, where it has asked before.
    pub(crate) fn browser_of(self, headers: &HeaderMap) -> Option<BrowserId> {
        BrowserId::parse(std::str::from_utf8(only_cookie(headers, self.name())?).ok()?)
    }

    /// Makes a browser keep that for as long as a request is kept.
    pub(crate) fn set(self, browser: &BrowserId) -> Option<HeaderValue> {
        let (name, seconds) = (self.name(), authorization_requests::KEEP.as_secs());
        let secure = if self.is_secure { "; Secure" } else { "" };
        let attributes = "Path=/; HttpOnly; SameSite=Lax";
        let value = format!("{name}={browser}; Max-Age={seconds}; {attributes}{secure}");
        HeaderValue::try_from(value).ok()
    }
}

#[cfg(test)]
mod tests {
    use poem::http::header;

    use super::*;

    #[test]
    fn a_browser_is_known_by_its_own_cookie_alone() {
        let browser = BrowserId::random();
        for (cookie, name) in [
            (BrowserCookie::new(true), "__Host-cheershare-browser"),
            (BrowserCookie::new(false), "cheershare-browser"),
        ] {
            let set = cookie.set(&browser).unwrap();
            let set = set.to_str().unwrap();
            let (own, attributes) = set.split_once("; ").unwrap();
            assert_eq!(own, format!("{name}={browser}"));
            assert!(attributes.starts_with("Max-Age=600; Path=/; HttpOnly; SameSite=Lax"));
            assert_eq!(attributes.ends_with("; Secure"), cookie.is_secure);
            let found = |line: &str| {
                let value = HeaderValue::from_str(line).unwrap();
                cookie.browser_of(&[(header::COOKIE, value)].into_iter().collect())
            };
            assert_eq!(found(own), Some(browser.clone()));
            for line in ["", &own[1..], &own[..own.len() - 1], &format!("{own}; {own}")] {
                assert_eq!(found(line), None, "{line}");
            }
        }
    }
}
