//! The `Host` header (RFC 9112, 3.2).

use serde_json::{Value, json};

use crate::support::app::{App, Plan, SOON};
use crate::support::raw::Connection;

/// Head and body of the answer to `GET /healthz` with these lines.
fn get(app: &App, version: &str, lines: &str) -> (String, Value) {
    let mut connection = Connection::open(app.client().address());
    let request = format!("GET /healthz {version}\r\n{lines}Connection: close\r\n\r\n");
    connection.write(request.as_bytes());
    let answer = connection.read_until(SOON, "}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), serde_json::from_str(body).unwrap())
}

#[async_test]
async fn a_request_names_one_host() {
    let app = Plan::new().workers(0).start().await;
    for (version, lines) in [
        ("HTTP/1.1", "Host: a.example\r\n"),
        ("HTTP/1.1", "host: [::1]:4000\r\n"),
        ("HTTP/1.0", "Host: a.example\r\n"),
        ("HTTP/1.0", ""),
    ] {
        let (head, body) = get(&app, version, lines);
        assert!(head.contains(" 200 "), "{version} {lines}: {head}");
        assert_eq!(body, json!({"status": "ok"}));
    }
    for (version, lines) in [
        ("HTTP/1.1", ""),
        ("HTTP/1.1", "Host:\r\n"),
        ("HTTP/1.1", "Host: a.example\r\nHost: a.example\r\n"),
        ("HTTP/1.1", "Host: a.example\r\nHost: b.example\r\n"),
        ("HTTP/1.1", "Host: a.example/path\r\n"),
        ("HTTP/1.1", "Host: user@a.example\r\n"),
        ("HTTP/1.0", "Host: a.example\r\nHost: b.example\r\n"),
    ] {
        let (head, body) = get(&app, version, lines);
        assert!(head.contains(" 400 "), "{version} {lines}: {head}");
        assert!(head.contains("\r\nx-request-id: "), "{head}");
        assert!(head.contains("\r\ncontent-type: application/json"), "{head}");
        let message = "The request needs exactly one Host header, with the name of a host";
        assert_eq!(body, json!({"error": message, "code": "bad_request"}));
    }
}
