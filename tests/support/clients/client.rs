//! A plain HTTP client. Answers are read as they come over the wire, never through the service's
//! own types.

use std::sync::Once;
use std::time::Duration;

use http::{HeaderMap, Method};
use serde_json::{Value, json};

/// A client of one API process.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    forwarded_for: Option<String>,
}

/// An answer, with its body as text and, where it is JSON, as a value (else `null`).
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Client {
    /// Makes a new connection for every request.
    pub(crate) fn new(address: &str) -> Self {
        Self::with(address, 0)
    }

    /// Keeps connections and uses them again.
    pub(crate) fn keep_alive(address: &str) -> Self {
        Self::with(address, usize::MAX)
    }

    fn with(address: &str, idle_connections: usize) -> Self {
        install_crypto_provider();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(idle_connections)
            .timeout(Duration::from_secs(40))
            .build()
            .unwrap();
        Self { http, base: format!("http://{address}"), forwarded_for: None }
    }

    /// The same, coming from another address by the word of a proxy (which has to be among
    /// `TRUSTED_PROXIES`).
    pub(crate) fn at(&self, address: &str) -> Self {
        Self { forwarded_for: Some(address.to_owned()), ..self.clone() }
    }

    /// `host:port` of the API.
    pub(crate) fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        self.try_send(method, path, headers, body).await.unwrap()
    }

    /// Any request, whose connection may fail.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Result<Answer> {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method, url).headers(headers).body(body);
        if let Some(address) = &self.forwarded_for {
            request = request.header("x-forwarded-for", address);
        }
        Answer::of(request.send().await?).await
    }

    /// GET, with the value of `Authorization` where there is one.
    pub(crate) async fn get(&self, path: &str, authorization: Option<&str>) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert("authorization", value.parse().unwrap());
        }
        self.send(Method::GET, path, headers, "").await
    }

    /// POST of a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_raw(path, "application/json", body.to_string()).await
    }

    /// POST of a JSON body with a token.
    pub(crate) async fn post_as(&self, token: &str, path: &str, body: &Value) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        self.send(Method::POST, path, headers, body.to_string()).await
    }

    pub(crate) async fn post_raw(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", content_type.parse().unwrap());
        self.send(Method::POST, path, headers, body).await
    }

    pub(crate) async fn ask(&self, name: &str, number: &str) -> Answer {
        let body = json!({"name": name, "phone_number": number});
        self.post("/signup", &body).await
    }

    /// Signs in with an OTP.
    pub(crate) async fn verify(&self, number: &str, otp: &str) -> Answer {
        let body = json!({"phone_number": number, "otp": otp});
        self.post("/signup", &body).await
    }

    /// GET /protected with a token.
    pub(crate) async fn protected(&self, token: &str) -> Answer {
        self.get("/protected", Some(&format!("Bearer {token}"))).await
    }
}

impl Answer {
    async fn of(response: reqwest::Response) -> reqwest::Result<Self> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await?;
        Ok(Self::new(status, headers, text))
    }

    pub(crate) fn new(status: u16, headers: HeaderMap, text: String) -> Self {
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { status, headers, text, body }
    }

    /// The value of a header; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `Retry-After`, in seconds.
    #[track_caller]
    pub(crate) fn retry_after(&self) -> u64 {
        self.header("retry-after")
            .parse()
            .unwrap_or_else(|_| panic!("an answer with Retry-After, not {self:?}"))
    }

    /// The id of the SMS that was asked for.
    #[track_caller]
    pub(crate) fn delivery_id(&self) -> &str {
        self.body["delivery_id"]
            .as_str()
            .unwrap_or_else(|| panic!("an answer with a delivery id, not {self:?}"))
    }

    /// The token of a sign-in.
    pub(crate) fn token(&self) -> &str {
        self.body["token"]
            .as_str()
            .unwrap_or_else(|| panic!("an answer with a token, not {self:?}"))
    }

    /// Asserts what is the same in all answers of that status; returns itself.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("vary"), "Authorization", "{self:?}");
        match status {
            401 => assert_eq!(self.header("www-authenticate"), "Bearer", "{self:?}"),
            429 | 503 => {
                let seconds: u64 = self.header("retry-after").parse().unwrap_or_default();
                assert!(seconds > 0, "Retry-After is in whole seconds: {self:?}");
            }
            _ => {}
        }
        self
    }

    /// Asserts an error whose body is exactly a message and this code; returns the message.
    #[track_caller]
    pub(crate) fn expect_code(self, status: u16, code: &str) -> String {
        let answer = self.expect(status);
        let type_ = answer.header("content-type");
        assert!(type_.starts_with("application/json"), "{answer:?}");
        let message = answer.body["error"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "{answer:?}");
        assert_eq!(answer.body, json!({"error": message, "code": code}));
        message.to_owned()
    }

    /// Asserts an error whose body is exactly this message and this code.
    #[track_caller]
    pub(crate) fn expect_error(self, status: u16, message: &str, code: &str) {
        assert_eq!(self.expect_code(status, code), message);
    }
}

/// reqwest leaves the choice of a TLS implementation to the program.
fn install_crypto_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
