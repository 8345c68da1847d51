//! One id for a request, its log lines, its job and its answer.

use poem::Request;
use poem::http::{HeaderMap, HeaderValue};
use ulid::Ulid;

/// Taken from clients and proxies where it is sane, made where it is not, and always returned.
const HEADER: &str = "x-request-id";
const MAX_LENGTH: usize = 64;

/// The id: 1 to 64 letters, digits, `-`, `_` or `.`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestId(String);

impl RequestId {
    pub(crate) fn new() -> Self {
        Self(Ulid::generate().to_string())
    }

    pub(crate) fn of(request: &Request) -> Self {
        request.header(HEADER).and_then(Self::parse).unwrap_or_else(Self::new)
    }

    fn parse(text: &str) -> Option<Self> {
        let sane = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        ((1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(sane))
            .then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn add_to(self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::try_from(self.0) {
            headers.insert(HEADER, value);
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
        for other in [None, Some(""), Some("a b"), Some("a\"b"), Some("é"), Some(&*"x".repeat(65))]
        {
            assert_eq!(id_for(other).len(), 26, "{other:?}");
        }
    }
}
