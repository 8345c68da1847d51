//! Which other websites' scripts may call the API: CORS, as the Fetch standard has it.

use std::str::FromStr;

use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{IntoResponse, Request, Response};

use super::origin::Origin;
use super::route_lookup::MatchedRoute;

/// What the API reads, that of tus included, and what tracing libraries add (W3C Trace Context,
/// Baggage).
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, x-request-id, traceparent, tracestate, baggage, \
     tus-resumable, upload-length, upload-offset, upload-metadata, upload-checksum, \
     x-http-method-override, content-disposition, range, if-range, if-match, if-none-match, \
     if-modified-since, if-unmodified-since",
);
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "retry-after, x-request-id, www-authenticate, location, tus-resumable, tus-version, \
     tus-extension, tus-max-size, tus-checksum-algorithm, upload-length, upload-offset, \
     upload-metadata, upload-expires, etag, last-modified, accept-ranges, content-range, \
     content-disposition",
);

/// How long a browser may remember a preflight's answer, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origins (RFC 6454) of those websites; none by default.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(Vec<Origin>);

impl FromStr for AllowedOrigins {
    type Err = &'static str;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let origins = list.split(',').map(|text| Origin::parse(text.trim())).collect::<Option<_>>();
        origins.map(Self).ok_or(
            "has to be a list of origins as browsers write them, like https://app.example.com,http://localhost:5173: \
             in lower case, without a path, a slash at the end or the scheme's usual port",
        )
    }
}

impl AllowedOrigins {
    /// What a request's answer says of it. Browsers send their origin with POSTs to the API's own
    /// pages too, so any other is served like none: it is the browser that keeps the answer from a
    /// stranger's script.
    pub(crate) fn cors(&self, request: &Request) -> Cors {
        let origin = request
            .headers()
            .get(header::ORIGIN)
            .filter(|origin| {
                let text = origin.to_str().unwrap_or_default();
                self.0.iter().any(|allowed| allowed.is(text))
            })
            .cloned();
        let vary = if self.0.is_empty() { "Authorization" } else { "Authorization, Origin" };
        Cors { origin, vary: HeaderValue::from_static(vary) }
    }
}

/// Who may read one answer.
#[derive(Debug)]
pub(crate) struct Cors {
    /// The request's, where it is one of the allowed.
    origin: Option<HeaderValue>,
    vary: HeaderValue,
}

impl Cors {
    /// The answer to the question that a browser asks before a request; none where it is no such
    /// question, or the path is not known.
    pub(crate) fn preflight(
        &self,
        request: &Request,
        route: Option<&MatchedRoute>,
    ) -> Option<Response> {
        self.origin.as_ref()?;
        let asks = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !asks {
            return None;
        }
        let allowed = route?.allow.clone()?;
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allowed);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        Some(response)
    }

    /// Marks the answers that the origin's scripts may read, and sets `Vary` on all, before what
    /// else an answer depends on.
    pub(crate) fn add_to(self, headers: &mut HeaderMap) {
        if let Some(own) = headers.insert(header::VARY, self.vary) {
            headers.append(header::VARY, own);
        }
        if let Some(origin) = self.origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_origins_between_commas() {
        let list: AllowedOrigins = "https://a.example, capacitor://localhost".parse().unwrap();
        let read: Vec<_> = list.0.iter().map(Origin::to_string).collect();
        assert_eq!(read, ["https://a.example", "capacitor://localhost"]);
        for list in ["", "https://a.example,", "https://a.example;https://b.example"] {
            assert!(list.parse::<AllowedOrigins>().is_err(), "{list}");
        }
    }
}
