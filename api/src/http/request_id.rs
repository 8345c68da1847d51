//! One id for a request, its log lines, its job and its answer.

use poem::http::HeaderValue;
use poem::{Request, Response};
use tracing::{Instrument, Span};
use ulid::Ulid;

use crate::app::Methods;
use crate::http::trace;

/// Taken from clients and proxies where it is sane, made where it is not, and always returned.
const HEADER: &str = "x-request-id";
const LONGEST: usize = 64;

/// The id: 1 to 64 letters, digits, `-`, `_` or `.`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestId(String);

impl RequestId {
    /// A new one.
    pub(crate) fn new() -> Self {
        Self(Ulid::generate().to_string())
    }

    fn of(request: &Request) -> Self {
        request.header(HEADER).and_then(Self::parse).unwrap_or_else(Self::new)
    }

    fn parse(text: &str) -> Option<Self> {
        let sane = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        ((1..=LONGEST).contains(&text.len()) && text.bytes().all(sane)).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request with its id, a span that carries it into every log line and one for its trace.
#[derive(Debug)]
pub(crate) struct Identified {
    id: RequestId,
    span: Span,
    traced: Span,
}

impl Identified {
    /// Puts the id into the request's data. `routes` knows the patterns of paths.
    pub(crate) fn begin(request: &mut Request, routes: &Methods) -> Self {
        let id = RequestId::of(request);
        let span = tracing::info_span!("request", request_id = id.as_str());
        let traced = trace::begin(request, &id, routes);
        request.extensions_mut().insert(id.clone());
        Self { id, span, traced }
    }

    /// Runs what answers the request within both spans.
    pub(crate) fn instrument<F: Future>(&self, answer: F) -> impl Future<Output = F::Output> + use<F> {
        answer.instrument(self.traced.clone()).instrument(self.span.clone())
    }

    /// Tells the trace how it was answered, and the client the id.
    pub(crate) fn end(self, response: &mut Response) {
        trace::end(&self.traced, response.status());
        if let Ok(value) = HeaderValue::try_from(self.id.0) {
            response.headers_mut().insert(HEADER, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(header: Option<&str>) -> String {
        let mut request = Request::builder();
        if let Some(header) = header {
            request = request.header(HEADER, header);
        }
        RequestId::of(&request.finish()).0
    }

    #[test]
    fn a_sane_id_is_kept_and_any_other_replaced() {
        for sane in ["a", "7b1c9f1e-0d3f-4c0e-9f53-d1b2a7f2f3a1", "req_1.2", &"x".repeat(64)] {
            assert_eq!(id_for(Some(sane)), sane);
        }
        for other in [None, Some(""), Some("a b"), Some("a\"b"), Some("é"), Some(&*"x".repeat(65))] {
            assert_eq!(id_for(other).len(), 26, "{other:?}");
        }
    }
}
