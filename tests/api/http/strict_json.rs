//! Bodies that are no request: what they are answered, and that nothing comes of them.

use std::time::Duration;

use serde_json::json;

use crate::support::app::{App, Plan};
use crate::support::client::Answer;
use crate::support::raw;

const JSON: &str = "application/json";

/// The largest body that is read, in bytes.
const LIMIT: usize = 104_856;

async fn api_only() -> App {
    Plan::new().workers(0).start().await
}

async fn post(app: &App, body: impl Into<Vec<u8>>) -> Answer {
    app.client().post_raw("/signup", JSON, body.into()).await
}

#[async_test]
async fn a_body_that_is_not_one_json_object_of_known_fields() {
    let app = api_only().await;
    let bodies: [&[u8]; 27] = [
        b"",
        b"  ",
        b"no json",
        b"{",
        b"{\"name\":\"A\",\"phone_number\":\"+919876543210\"",
        b"{\"name\":\"A\",\"phone_number\":\"+919876543210\",}",
        b"{\"name\":\"A\",\"phone_number\":\"+919876543210\"} x",
        b"{\"name\":\"A\",\"phone_number\":\"+919876543210\"}{}",
        b"{}{}",
        b"[]",
        b"[\"A\",\"+919876543210\"]",
        b"[{\"name\":\"A\",\"phone_number\":\"+919876543210\"}]",
        b"\"text\"",
        b"5",
        b"true",
        b"null",
        b"{\"name\":\"A\",\"phone_number\":\"+919876543210\",\"admin\":true}",
        b"{\"name\":\"A\",\"Phone_Number\":\"+919876543210\"}",
        b"{\"name\":\"A\",\"phone_number\":919876543210}",
        b"{\"name\":\"A\",\"phone_number\":[\"+919876543210\"]}",
        b"{\"name\":5,\"phone_number\":\"+919876543210\"}",
        b"{\"name\":true,\"phone_number\":\"+919876543210\"}",
        b"{\"otp\":123456,\"phone_number\":\"+919876543210\"}",
        b"{\"name\":\"A\",\"name\":\"B\",\"phone_number\":\"+919876543210\"}",
        b"{\"name\":\"\xff\xfe\",\"phone_number\":\"+919876543210\"}",
        b"{\"name\":\"\\ud800\",\"phone_number\":\"+919876543210\"}",
        b"{\"name\":\"A\0B\",\"phone_number\":\"+919876543210\"}",
    ];
    for body in bodies {
        println!("{}", String::from_utf8_lossy(body));
        let answer = post(&app, body).await;
        answer.expect_error(400, "Invalid request payload", "invalid_payload");
    }
    post(&app, br#"{"name":"A","phone_number":"+919876543210"}"#).await.expect(200);
}

#[async_test]
async fn a_phone_number_and_a_name_or_an_otp_are_required() {
    let app = api_only().await;
    let number = "+919876543210";
    for body in [
        json!({}),
        json!({"name": "A"}),
        json!({"otp": "123456"}),
        json!({"name": "A", "phone_number": null}),
        json!({"name": "A", "phone_number": ""}),
        json!({"otp": "123456", "phone_number": ""}),
    ] {
        println!("{body}");
        let answer = app.client().post("/signup", &body).await;
        answer.expect_error(400, "Phone number is required", "phone_number_required");
    }
    for body in [
        json!({"phone_number": number}),
        json!({"phone_number": number, "name": null}),
        json!({"phone_number": number, "name": ""}),
        json!({"phone_number": number, "otp": null}),
        json!({"phone_number": number, "otp": ""}),
        json!({"phone_number": number, "name": null, "otp": ""}),
    ] {
        println!("{body}");
        let answer = app.client().post("/signup", &body).await;
        answer.expect_error(400, "Name is required for OTP generation", "name_required");
    }
    let empty_otp = json!({"phone_number": number, "name": "A", "otp": ""});
    let asked = app.client().post("/signup", &empty_otp).await.expect(200);
    assert_eq!(asked.body["message"], "OTP sent successfully");
}

#[async_test]
async fn a_content_type_other_than_json() {
    let app = api_only().await;
    let body = r#"{"name":"A","phone_number":"+919876543210"}"#;
    for other in [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/jsonp",
        "nonsense",
    ] {
        println!("{other}");
        let answer = app.client().post_raw("/signup", other, body).await;
        answer.expect_error(415, "Invalid request payload", "unsupported_media_type");
    }
    for json in [JSON, "application/json; charset=utf-8", "Application/JSON"] {
        println!("{json}");
        app.client().post_raw("/signup", json, body).await.expect(200);
    }
}

#[async_test]
async fn a_body_that_is_too_large() {
    let app = api_only().await;
    let request = r#"{"name":"A","phone_number":"+919876543210"}"#;
    let padded = |size: usize| format!("{request}{}", " ".repeat(size - request.len()));

    post(&app, padded(LIMIT)).await.expect(200);
    for size in [LIMIT + 1, 200 * 1024] {
        let answer = post(&app, padded(size)).await;
        answer.expect_error(413, "Invalid request payload", "payload_too_large");
    }
    let long_name = json!({"name": "A".repeat(200 * 1024), "phone_number": "+919876543210"});
    let answer = app.client().post("/signup", &long_name).await;
    answer.expect_error(413, "Invalid request payload", "payload_too_large");
}

#[async_test]
async fn a_body_that_is_too_large_and_does_not_say_so() {
    let app = api_only().await;
    let mut connection = raw::Connection::open(app.client().address());
    connection.write(
        b"POST /signup HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    // The server may close while this is written, as soon as it has seen too much.
    let chunks_over_the_limit = LIMIT / 0x1000 + 1;
    for _ in 0..chunks_over_the_limit {
        connection.write(chunk.as_bytes());
    }
    let answer = connection.read_until(Duration::from_secs(9), "payload_too_large");
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    app.client().get("/healthz", None).await.expect(200);
}
