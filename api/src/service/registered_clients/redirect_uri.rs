//! Where browsers are led with an answer for a client: exactly where the operator said (RFC 9700,
//! 2.1), but for the port on the user's own machine (RFC 8252, 7.3).

use std::fmt;

use reqwest::Url;

const LONGEST: usize = 2_000;

/// One of a client's own.
#[derive(Clone, Debug)]
pub struct RedirectUri(String);

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RedirectUri {
    /// Reads one of `https`, of `http` to the user's own machine, or of an app's own scheme.
    ///
    /// # Errors
    /// What is wrong with it, in words that quote nothing.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const NO_URI: &str = "has to be an absolute URI in ASCII";
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}*".contains(&byte);
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(plain) {
            return Err(NO_URI);
        }
        let url = Url::parse(text).map_err(|_| NO_URI)?;
        if text.contains('#') {
            return Err("has to have no fragment");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has to name nobody before the host");
        }
        match url.scheme() {
            "https" if text.starts_with("https://") => {}
            "http" if on_this_machine(text).is_some() => {}
            "http" => return Err("has to be https, but for this machine itself"),
            // RFC 8252, 7.1: the app's domain, the other way round.
            scheme if scheme.contains('.') && text.starts_with(scheme) => {}
            _ => return Err("has to be https, or of a scheme like com.example.app"),
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether a client may name it so. An app cannot choose its port on the user's machine.
    #[must_use]
    pub fn is(&self, uri: &str) -> bool {
        self.0 == uri
            || on_this_machine(&self.0).is_some_and(|own| on_this_machine(uri) == Some(own))
    }
}

/// Host and path of an `http` URI on the user's own machine, without the port.
fn on_this_machine(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host =
        ["127.0.0.1", "[::1]", "localhost"].into_iter().find(|host| rest.starts_with(host))?;
    let rest = rest.strip_prefix(host)?;
    let path = match rest.strip_prefix(':') {
        Some(port) => {
            let path = port.trim_start_matches(|char: char| char.is_ascii_digit());
            let digits = port.strip_suffix(path)?;
            digits.parse::<u16>().ok().filter(|port| *port > 0)?;
            path
        }
        None => rest,
    };
    (path.is_empty() || path.starts_with(['/', '?'])).then_some((host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_on_the_web_on_this_machine_and_on_phones_may_be_led_to() {
        for uri in [
            "https://app.example.com/callback",
            "https://app.example.com",
            "https://app.example.com:8443/a?b=c&d",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:3000",
            "http://[::1]:3000/cb",
            "http://localhost:3000/cb?a",
            "com.example.app:/callback",
            "com.example.app://callback",
        ] {
            assert!(RedirectUri::parse(uri).unwrap().is(uri), "{uri}");
        }
        for uri in [
            "",
            "app.example.com/callback",
            "/callback",
            "https://",
            "https:app.example.com",
            "HTTPS://app.example.com/",
            "http://app.example.com/",
            "http://127.0.0.1.example.com/",
            "http://127.0.0.1@example.com/",
            "http://localhost:99999/",
            "http://localhost:0/",
            "http://localhost:/",
            "https://user@app.example.com/",
            "https://:secret@app.example.com/",
            "https://app.example.com/#a",
            "https://app.example.com/#",
            "https://*.example.com/",
            "https://app.example.com/*",
            "https://app.example.com/a b",
            "https://b\u{fc}cher.example/",
            "https://app.example.com/\n",
            "javascript:alert(1)",
            "data:text/html,a",
            "myapp://callback",
            "Com.example.app:/a",
            &format!("https://app.example.com/{}", "a".repeat(2_000)),
        ] {
            assert!(RedirectUri::parse(uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn what_nearly_matches_does_not() {
        let web = RedirectUri::parse("https://app.example.com/cb?a=b").unwrap();
        for uri in [
            "https://app.example.com/cb",
            "https://app.example.com/cb?a=b&c",
            "https://app.example.com/cb?a=b#c",
            "https://app.example.com/cb/?a=b",
            "https://app.example.com/CB?a=b",
            "https://APP.example.com/cb?a=b",
            "https://app.example.com./cb?a=b",
            "https://app.example.com:443/cb?a=b",
            "https://app.example.com:8443/cb?a=b",
            "https://user@app.example.com/cb?a=b",
            "https://app.example.com@evil.example/cb?a=b",
            "https://app.example.com/x/../cb?a=b",
            "https://app.example.com/%63b?a=b",
            "http://app.example.com/cb?a=b",
            " https://app.example.com/cb?a=b",
            "https://app.example.com/cb?a=b\n",
        ] {
            assert!(!web.is(uri), "{uri}");
        }
        let native = RedirectUri::parse("http://127.0.0.1:1/cb").unwrap();
        for port in ["", ":1", ":80", ":65535"] {
            assert!(native.is(&format!("http://127.0.0.1{port}/cb")), "{port}");
        }
        for uri in [
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:+1/cb",
            "http://127.0.0.1:1@evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1:1.evil.example/cb",
            "http://localhost:1/cb",
            "https://127.0.0.1:1/cb",
            "http://127.0.0.1:1/cb/",
            "http://127.0.0.1:1/cb?a",
        ] {
            assert!(!native.is(uri), "{uri}");
        }
    }
}
