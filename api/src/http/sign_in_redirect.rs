//! Leads a browser that is not signed in to the sign-in page, and tells that page where it came from.

use poem::http::{HeaderMap, Method, StatusCode, header};
use poem::{Request, Response};

use super::percent_encoded::percent_encoded;

/// A longer URL is not told: gateways have little room for headers.
const MAX_URL_BYTES: usize = 2048;

#[derive(Clone, Debug)]
pub struct SignInRedirect {
    page: String,
}

impl SignInRedirect {
    /// To the page at this URL.
    #[must_use]
    pub fn to(public_url: &str) -> Self {
        Self { page: format!("{}/", public_url.trim_end_matches('/')) }
    }

    /// The answer to a gateway's question, which was asked at this path or below it, about a
    /// browser's own request for a page; none where it asks about another one. What the headers say
    /// is not checked: it is the page that decides where it leads.
    pub(crate) fn answer(&self, request: &Request, asked_at: &str) -> Option<Response> {
        let headers = request.headers();
        let method = text(headers, "x-original-method")
            .or_else(|| text(headers, "x-forwarded-method"))
            .unwrap_or(request.method().as_str());
        if method != Method::GET.as_str() || !takes_html(headers) {
            return None;
        }
        let url = url_of(request, asked_at).filter(|url| url.len() <= MAX_URL_BYTES);
        let location = match url {
            Some(url) => format!("{}?return_to={}", self.page, percent_encoded(&url)),
            None => self.page.clone(),
        };
        let response = Response::builder().status(StatusCode::FOUND);
        Some(response.header(header::LOCATION, location).finish())
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn takes_html(headers: &HeaderMap) -> bool {
    let types = text(headers, "accept").unwrap_or_default().split(',');
    types
        .filter_map(|media_type| media_type.split(';').next())
        .any(|media_type| media_type.trim().eq_ignore_ascii_case("text/html"))
}

/// What the browser asked for, as each gateway tells it: nginx's recipe in one header, Envoy by the
/// path that it asks at, the others in three headers.
fn url_of(request: &Request, asked_at: &str) -> Option<String> {
    let headers = request.headers();
    if let Some(url) = text(headers, "x-original-url") {
        return Some(url.to_owned());
    }
    let scheme = text(headers, "x-forwarded-proto")?;
    let host = text(headers, "x-forwarded-host").or_else(|| text(headers, "host"))?;
    let below = || request.uri().path_and_query()?.as_str().strip_prefix(asked_at);
    let path = text(headers, "x-forwarded-uri").or_else(below)?;
    Some(format!("{scheme}://{host}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml;q=0.9");

    fn location(method: Method, uri: &str, headers: &[(&str, &str)]) -> Option<String> {
        let request = Request::builder().method(method).uri_str(uri);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let redirect = SignInRedirect::to("https://signin.example.com/");
        let response = redirect.answer(&request.finish(), "/auth/verify")?;
        assert_eq!(response.status(), StatusCode::FOUND);
        Some(response.headers()["location"].to_str().unwrap().to_owned())
    }

    #[test]
    fn each_gateway_tells_where_the_browser_came_from() {
        let expected =
            "https://signin.example.com/?return_to=https%3A%2F%2Fapp.example.com%2Fa%3Fb%3Dc%26d";
        let forwarded = [("x-forwarded-proto", "https"), ("x-forwarded-host", "app.example.com")];
        let [proto, host] = forwarded;
        let at = ("host", "app.example.com");
        for (uri, headers) in [
            ("/auth/verify", &[("x-original-url", "https://app.example.com/a?b=c&d")][..]),
            ("/auth/verify", &[proto, host, ("x-forwarded-uri", "/a?b=c&d")]),
            ("/auth/verify/a?b=c&d", &[proto, at]),
        ] {
            let headers = [headers, &[HTML]].concat();
            assert_eq!(location(Method::GET, uri, &headers).as_deref(), Some(expected));
        }
        // What nobody tells, or what is too long, is left out.
        let long = format!("https://a.example/{}", "a".repeat(2048));
        for headers in [&[HTML][..], &[HTML, ("x-original-url", &long)], &[HTML, proto]] {
            let page = location(Method::GET, "/auth/verify", headers);
            assert_eq!(page.as_deref(), Some("https://signin.example.com/"));
        }
    }

    #[test]
    fn only_a_browser_that_wants_a_page_is_led_away() {
        let is_led =
            |method, headers: &[(&str, &str)]| location(method, "/auth/verify", headers).is_some();
        assert!(is_led(Method::GET, &[("accept", "a/b, TEXT/HTML ;q=0.1")]));
        assert!(is_led(Method::POST, &[HTML, ("x-forwarded-method", "GET")]));
        for (method, headers) in [
            (Method::GET, &[][..]),
            (Method::GET, &[("accept", "*/*")]),
            (Method::GET, &[("accept", "application/json, text/htmlx")]),
            (Method::POST, &[HTML]),
            (Method::HEAD, &[HTML]),
            (Method::GET, &[HTML, ("x-forwarded-method", "POST")]),
            (Method::GET, &[HTML, ("x-original-method", "POST")]),
            (Method::GET, &[HTML, ("x-original-method", "get")]),
        ] {
            assert!(!is_led(method, headers), "{headers:?}");
        }
    }
}
