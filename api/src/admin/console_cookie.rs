//! The cookie that holds the session of an operator who has signed in to the console. No script can
//! read it, and pages of other sites do not make a browser send it.

use std::time::Duration;

use common::domain::token::Token;
use poem::http::{HeaderMap, header};

use crate::http::session_cookie::{has_cookie, only_cookie};

/// Cookies know no ports: whatever else is served on this host by http sees the one without the
/// prefix and may set it. By the prefix browsers take it from this host alone, and by https
/// (RFC 6265bis, 4.1.3).
const NAME: &str = "cheershare-console";
const SECURE_NAME: &str = "__Host-cheershare-console";
/// A day's work.
pub(super) const LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// The token that a browser holds, live or not; none where there are several. Where there is the one
/// that only we can have set by https, no other counts.
pub(super) fn token_in(headers: &HeaderMap) -> Option<Token> {
    let name = if has_cookie(headers, SECURE_NAME) { SECURE_NAME } else { NAME };
    let value = only_cookie(headers, name).filter(|value| !value.is_empty())?;
    Token::parse(std::str::from_utf8(value).ok()?)
}

/// Makes a browser hold that for 12 hours.
pub(super) fn set(token: &Token, request: &HeaderMap) -> String {
    cookie(token.expose(), LIFE, request)
}

/// Makes a browser forget what it holds.
pub(super) fn clear(request: &HeaderMap) -> String {
    cookie("", Duration::ZERO, request)
}

/// A tunnel brings a browser here by http, a proxy by https: its `Origin` tells.
fn cookie(value: &str, life: Duration, request: &HeaderMap) -> String {
    let origin = request.get(header::ORIGIN).map_or(&[][..], |origin| origin.as_bytes());
    let (name, secure) =
        if origin.starts_with(b"https:") { (SECURE_NAME, "; Secure") } else { (NAME, "") };
    let seconds = life.as_secs();
    format!("{name}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Strict{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_secure_where_the_browser_came_by_https() {
        let origin = |origin: &'static str| {
            let headers = [(header::ORIGIN, origin.parse().unwrap())];
            headers.into_iter().collect::<HeaderMap>()
        };
        let usual = "cheershare-console=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict";
        assert_eq!(clear(&HeaderMap::new()), usual);
        assert_eq!(clear(&origin("http://127.0.0.1:4001")), usual);
        let by_https = format!("__Host-{usual}; Secure");
        assert_eq!(clear(&origin("https://admin.internal")), by_https);
        let token = Token::random();
        let set = set(&token, &origin("http://127.0.0.1:4001"));
        let (own, attributes) = set.split_once("; ").unwrap();
        assert!(attributes.starts_with("Max-Age=43200; "), "{attributes}");
        let found = |line: &str| {
            let headers = [(header::COOKIE, line.parse().unwrap())].into_iter().collect();
            token_in(&headers).map(|token| token.hash())
        };
        assert!(found(own) == Some(token.hash()));
        for line in ["", "cheershare-console=", &format!("{own}; {own}"), "cheershare-console=x"] {
            assert!(found(line).is_none(), "{line}");
        }
        let other = Token::random();
        let own_by_https = format!("__Host-{own}");
        assert!(found(&own_by_https) == Some(token.hash()));
        let planted = format!("{NAME}={}", other.expose());
        assert!(found(&format!("{planted}; {own_by_https}")) == Some(token.hash()));
        assert!(found(&format!("{planted}; {SECURE_NAME}=")).is_none(), "what is over is no other");
    }
}
