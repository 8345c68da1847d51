//! Requests with an `Idempotency-Key`.

mod at_rest;
mod lifetimes;
mod operation;
mod refused_requests;
mod renewals;
mod repeats;

use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

use crate::support::client::{Answer, Client};
pub(crate) use crate::support::numbers::NUMBER;

/// `POST /signup` with a key.
pub(crate) async fn post(client: &Client, key: &str, body: &Value) -> Answer {
    post_raw(client, &[("idempotency-key", key)], body.to_string()).await
}

/// `POST /signup` of any JSON text with any headers.
pub(crate) async fn post_raw(
    client: &Client,
    headers: &[(&'static str, &str)],
    body: impl Into<reqwest::Body>,
) -> Answer {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    if !all.contains_key("content-type") {
        all.insert("content-type", HeaderValue::from_static("application/json"));
    }
    client.send(Method::POST, "/signup", all, body).await
}

/// Asserts that two answers are one, but for when they were given.
#[track_caller]
pub(crate) fn is_again(answer: &Answer, first: &Answer) {
    let lasting = |answer: &Answer| {
        let mut headers = answer.headers.clone();
        headers.remove("date");
        headers.remove("x-request-id");
        headers
    };
    assert_eq!((answer.status, &answer.text), (first.status, &first.text));
    assert_eq!(lasting(answer), lasting(first));
}
