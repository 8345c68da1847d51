//! A website's origin (RFC 6454), as browsers compare it: byte by byte.

use poem::http::uri::Uri;

/// Scheme, host and port, as browsers write them: in lower case, without the scheme's usual port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    scheme: String,
    host: String,
    /// With the port, where that is not the usual one.
    authority: String,
}

impl Origin {
    /// Reads one that is written so; what no browser would send is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::of_url(text).filter(|origin| origin.is(text))
    }

    /// The origin of a URL, however that is written.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?.to_ascii_lowercase(), uri.authority()?);
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() || authority.as_str().contains(['@', '*']) {
            return None;
        }
        let authority = match (scheme.as_str(), authority.port_u16()) {
            (_, None) | ("https", Some(443)) | ("http", Some(80)) => host.clone(),
            (_, Some(port)) => format!("{host}:{port}"),
        };
        Some(Self { scheme, host, authority })
    }

    /// Whether a browser means this one.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        text.split_once("://") == Some((&self.scheme, &self.authority))
    }

    /// Whether it has this host and port, as a `Host` header says them.
    #[must_use]
    pub fn is_at(&self, host: &str) -> bool {
        self.authority == host
    }

    /// Without the port.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.scheme == "https"
    }

    /// Whether browsers show it by themselves, and no app stands in for one.
    #[must_use]
    pub fn is_web(&self) -> bool {
        self.is_encrypted() || self.scheme == "http"
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_as_browsers_write_them() {
        for origin in [
            "https://app.example.com",
            "http://localhost:5173",
            "http://127.0.0.1",
            "http://[::1]:8080",
            "https://example.com:8443",
            "https://example.com:80",
            "capacitor://localhost",
        ] {
            let read = Origin::parse(origin).unwrap_or_else(|| panic!("{origin}"));
            assert_eq!(read.to_string(), origin);
            assert!(read.is(origin) && !read.is(&format!("{origin}/")), "{origin}");
        }
    }

    #[test]
    fn what_no_browser_sends_is_none() {
        for text in [
            "",
            "*",
            "null",
            "example.com",
            "https://",
            "https://:443",
            "https://example.com/",
            "https://example.com/app",
            "https://example.com?",
            "https://Example.com",
            "HTTPS://example.com",
            "https://example.com:443",
            "http://example.com:80",
            "https://example.com:",
            "https://example.com:08443",
            "https://example.com:99999",
            "https://*.example.com",
            "https://user@example.com",
            "https://b\u{fc}cher.example",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_url_has_the_origin_that_browsers_make_of_it() {
        for (url, origin, host) in [
            ("https://signin.example.com/", "https://signin.example.com", "signin.example.com"),
            (
                "https://signin.example.com/a:b/c",
                "https://signin.example.com",
                "signin.example.com",
            ),
            ("https://SignIn.Example.com:443", "https://signin.example.com", "signin.example.com"),
            ("http://127.0.0.1:4000/", "http://127.0.0.1:4000", "127.0.0.1"),
            ("http://[::1]:80/", "http://[::1]", "[::1]"),
        ] {
            let read = Origin::of_url(url).unwrap_or_else(|| panic!("{url}"));
            assert_eq!((read.to_string().as_str(), read.host()), (origin, host));
        }
        for url in ["/path", "signin.example.com", "https://a@signin.example.com/"] {
            assert_eq!(Origin::of_url(url), None, "{url}");
        }
    }
}
