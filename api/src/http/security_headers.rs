//! Headers that keep browsers and caches from doing anything with an answer but handing it to who
//! asked.

use poem::Request;
use poem::http::{HeaderMap, HeaderName, HeaderValue, header};

const NO_STORE: &str = "no-store";

/// What every answer has, unless its route says otherwise. Answers are for one person at one time,
/// so no cache keeps any. Whoever ends TLS in front of the API sets `Strict-Transport-Security`.
pub(crate) const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, NO_STORE),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

#[derive(Debug)]
pub(crate) struct SecurityHeaders {
    with_token: bool,
}

impl SecurityHeaders {
    pub(crate) fn for_request(request: &Request) -> Self {
        Self { with_token: request.headers().contains_key(header::AUTHORIZATION) }
    }

    /// What was asked for with a token is stored by nobody, whatever its route says, but for what
    /// says that it is its user's own.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        for (name, value) in SECURITY_HEADERS {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        let is_private = headers
            .get(header::CACHE_CONTROL)
            .is_some_and(|value| value.as_bytes().starts_with(b"private"));
        if self.with_token && !is_private {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(NO_STORE));
        }
    }
}
