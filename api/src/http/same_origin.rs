//! Whether a request comes from a page of the service itself: what a foreign page makes a browser
//! ask for is refused.

use poem::http::{HeaderMap, header};

use super::error::ErrorKind;
use super::origin::Origin;

/// What browsers say of a request's source (W3C Fetch Metadata).
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// `own` is where browsers reach the service, as far as the settings say; a proxy may change the
/// `Host`.
///
/// # Errors
/// Another origin, or none that is told.
pub(crate) fn check(headers: &HeaderMap, own: Option<&Origin>) -> Result<(), ErrorKind> {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return if site == "same-origin" { Ok(()) } else { Err(ErrorKind::ForeignPage) };
    }
    // Of older browsers, and of pages that came by http.
    let text = |name| headers.get(name)?.to_str().ok();
    let is_own = text(header::ORIGIN).is_some_and(|origin| match own {
        Some(own) => own.is(origin),
        None => Origin::parse(origin)
            .zip(text(header::HOST))
            .is_some_and(|(origin, host)| origin.is_at(host)),
    });
    if is_own { Ok(()) } else { Err(ErrorKind::ForeignPage) }
}

/// Whether nothing tells of another page: a person typed the address, or the browser came by http
/// and says nothing when it only reads.
pub(crate) fn is_untold(headers: &HeaderMap) -> bool {
    let is_typed = headers.get(SEC_FETCH_SITE).is_none_or(|site| site == "none");
    is_typed && !headers.contains_key(header::ORIGIN)
}

#[cfg(test)]
mod tests {
    use poem::http::{HeaderName, HeaderValue};

    use super::*;

    type Headers = [(&'static str, &'static str)];

    fn is_own(headers: &Headers) -> bool {
        is_own_at(Some("https://signin.example.com/"), headers)
    }

    fn is_own_at(public_url: Option<&str>, headers: &Headers) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let own = public_url.and_then(Origin::of_url);
        check(&headers.collect(), own.as_ref()).is_ok()
    }

    #[test]
    fn a_page_of_another_origin_is_told_from_our_own() {
        for headers in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://signin.example.com")],
            &[("origin", "https://signin.example.com"), ("host", "10.0.0.1:4000")],
        ] {
            assert!(is_own(headers), "{headers:?}");
        }
        let local: &Headers = &[("origin", "http://127.0.0.1:4000"), ("host", "127.0.0.1:4000")];
        assert!(is_own_at(None, local) && !is_own(local));
        let usual: &Headers = &[("origin", "https://signin.example.com"), ("host", "10.0.0.1")];
        assert!(is_own_at(Some("https://SignIn.example.com:443/"), usual), "as browsers write it");
        assert!(!is_own_at(
            None,
            &[("origin", "http://127.0.0.1:3000"), ("host", "127.0.0.1:4000")]
        ));
        for headers in [
            &[][..],
            &[("host", "signin.example.com")],
            &[("sec-fetch-site", "same-site"), ("origin", "https://signin.example.com")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-origin, same-origin")],
            &[("origin", "null"), ("host", "null")],
            &[("origin", "https://evil.example"), ("host", "signin.example.com")],
            &[("origin", "http://signin.example.com"), ("host", "signin.example.com")],
            &[("origin", "https://signin.example.com:8443"), ("host", "signin.example.com")],
            &[("origin", "https://signin.example.com.evil.example"), ("host", "a")],
            &[("origin", "https://app.example.com"), ("host", "signin.example.com")],
        ] {
            assert!(!is_own(headers), "{headers:?}");
        }
    }
}
