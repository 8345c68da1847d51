//! `/auth/verify`, as gateways ask it.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};

use super::sessions::{NUMBER, OTHER_NUMBER, SignedIn, plan};
use crate::support::app::{App, Plan, SOON};
use crate::support::client::{Answer, Client};
use crate::support::eventually;
use crate::support::operators::scrape;
use crate::support::raw::Connection;

const IDENTITY: [&str; 4] = ["x-user-id", "x-user-phone-number", "x-user-name", "x-session-id"];

async fn ask(client: &Client, method: Method, path: &str, authorization: Option<&str>) -> Answer {
    let headers =
        authorization.map(|value| ("authorization".parse().unwrap(), value.parse().unwrap()));
    client.send(method, path, headers.into_iter().collect(), "").await
}

async fn verify(client: &Client, token: &str) -> Answer {
    ask(client, Method::GET, "/auth/verify", Some(&format!("Bearer {token}"))).await
}

/// Holds what every answer has, and what no refusal has.
#[track_caller]
fn is_for_nobody_else(answer: &Answer) {
    let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Authorization", "Cookie"], "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let told = IDENTITY.iter().filter(|name| answer.headers.contains_key(**name)).count();
    assert_eq!(told, if answer.status == 200 { 4 } else { 0 }, "{answer:?}");
}

#[async_test]
async fn any_method_on_any_path_below_is_answered_with_who_asks() {
    let app = plan(1).start().await;
    let asha = SignedIn::with(app.client(), NUMBER, "phone").await;
    let id = asha.get("/me").await.expect(200).body["data"]["id"].to_string();
    let session = asha.get("/tokens").await.expect(200).body["data"][0]["id"].clone();
    let header = format!("Bearer {}", asha.token());
    let own = Method::from_bytes(b"PURGE").unwrap();
    for method in [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        own,
    ] {
        for path in [
            "/auth/verify",
            "/auth/verify?a=b",
            "/auth/verify/",
            "/auth/verify/me/x.y?z=%0a",
            "/auth/verify//a",
        ] {
            println!("{method} {path}");
            let answer = ask(app.client(), method.clone(), path, Some(&header)).await.expect(200);
            is_for_nobody_else(&answer);
            let told = IDENTITY.map(|name| answer.header(name));
            assert_eq!(told, [&id, NUMBER, "Asha", session.as_str().unwrap()]);
            assert_eq!(answer.text, "");
            let answer = ask(app.client(), method.clone(), path, None).await.expect(401);
            is_for_nobody_else(&answer);
            if method != Method::HEAD {
                answer.expect_error(401, "Unauthorized", "unauthorized");
            }
        }
    }
    for path in ["/auth", "/auth/", "/auth/verifying", "/auth/verify%2fa", "/a/auth/verify"] {
        let answer = ask(app.client(), Method::GET, path, Some(&header)).await;
        answer.expect_code(404, "not_found");
    }
}

#[async_test]
async fn a_header_that_is_malformed_or_dead_is_refused() {
    let app = plan(1).start().await;
    let asha = SignedIn::with(app.client(), NUMBER, "phone").await;
    let token = asha.token();
    for header in [
        "",
        "Bearer",
        "Bearer short",
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Bearer ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        &format!("Bearer  {token}"),
        &format!("Bearer {}", token.to_lowercase()),
    ] {
        let answer = ask(app.client(), Method::GET, "/auth/verify", Some(header)).await;
        is_for_nobody_else(&answer);
        answer.expect_error(401, "Invalid authorization header", "invalid_authorization_header");
    }
    let value: HeaderValue = format!("Bearer {token}").parse().unwrap();
    let mut twice = HeaderMap::new();
    twice.append("authorization", value.clone());
    twice.append("authorization", value);
    let answer = app.client().send(Method::GET, "/auth/verify", twice, "").await;
    answer.expect_error(401, "Invalid authorization header", "invalid_authorization_header");
}

#[async_test]
async fn a_session_that_ended_ends_here_too() {
    let app = plan(2).start().await;
    let other = app.client_of(1);
    let asha = SignedIn::with(app.client(), NUMBER, "phone").await;
    for _ in 0..3 {
        verify(other, asha.token()).await.expect(200);
    }
    let renewed = asha.call(Method::POST, "/tokens/current/renewal", None).await.expect(200);
    is_refused_soon(other, asha.token()).await;
    let asha = asha.holding(renewed.token());
    verify(other, asha.token()).await.expect(200);
    asha.call(Method::DELETE, "/tokens/current", None).await.expect(204);
    is_refused_soon(other, asha.token()).await;

    let ravi = SignedIn::with(app.client(), OTHER_NUMBER, "phone").await;
    let change = serde_json::json!({"name": "Ravi", "version": 1});
    verify(other, ravi.token()).await.expect(200);
    ravi.call(Method::PATCH, "/me", Some(&change)).await.expect(200);
    eventually(SOON, "the new name", async || {
        let answer = verify(other, ravi.token()).await.expect(200);
        (answer.header("x-user-name") == "Ravi").then_some(())
    })
    .await;
}

/// The other process hears of it by Redis; how soon is held in `api::sessions::remembered`.
async fn is_refused_soon(other: &Client, token: &str) {
    let refused = eventually(SOON, "the end of the session", async || {
        Some(verify(other, token).await).filter(|answer| answer.status == 401)
    });
    refused.await.expect_code(401, "invalid_authorization_header");
}

/// Whatever a name holds, the header is one line of ASCII.
#[async_test]
async fn names_are_percent_encoded() {
    let app = plan(1).start().await;
    SignedIn::with(app.client(), NUMBER, "phone").await;
    for (name, encoded) in [
        ("Asha", "Asha"),
        ("Asha Rao", "Asha%20Rao"),
        ("Zo\u{eb}", "Zo%C3%AB"),
        ("李小龙", "%E6%9D%8E%E5%B0%8F%E9%BE%99"),
        ("🙂", "%F0%9F%99%82"),
        ("100% a.b-c_d~e", "100%25%20a.b-c_d~e"),
        ("a,b;c=\"d\"\\", "a%2Cb%3Bc%3D%22d%22%5C"),
        // No name can have these. What the database holds all the same adds no header.
        ("a\r\nX-User-Id: 1", "a%0D%0AX-User-Id%3A%201"),
        ("\u{7f}\t", "%7F%09"),
        ("", ""),
    ] {
        app.database.execute(&format!("UPDATE users SET name = '{name}'")).await;
        let asha = SignedIn::with(app.client(), NUMBER, "phone").await;
        let answer = verify(app.client(), asha.token()).await.expect(200);
        assert_eq!(answer.header("x-user-name"), encoded);
        is_for_nobody_else(&answer);
    }
}

#[async_test]
async fn a_body_is_not_waited_for() {
    let app = plan(1).start().await;
    let asha = SignedIn::with(app.client(), NUMBER, "phone").await;
    let token = asha.token();
    let signed_in = format!("Authorization: Bearer {token}\r\n");
    for (headers, status) in [(signed_in.as_str(), "200 OK"), ("", "401 Unauthorized")] {
        for length in [
            "Content-Length: 1000000000\r\n",
            "Content-Length: 1000000000\r\nExpect: 100-continue\r\n",
            "Transfer-Encoding: chunked\r\n",
        ] {
            let mut connection = Connection::open(app.client().address());
            let head = format!("POST /auth/verify/a HTTP/1.1\r\nHost: a\r\n{headers}{length}\r\n");
            connection.write(head.as_bytes());
            let answer = connection.read_until(Duration::from_secs(2), "\r\n\r\n");
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
            assert!(answer.contains("connection: close\r\n"), "{answer}");
            let _ = connection.try_write(&[b'x'; 100_000]);
            connection.closed(Duration::from_secs(4));
        }
    }
    // Without a body the connection is used again, and one that asks for another protocol as well.
    let mut connection = Connection::open(app.client().address());
    for length in ["", "Content-Length: 0\r\n", "Connection: Upgrade\r\nUpgrade: websocket\r\n"] {
        let head = format!("PUT /auth/verify HTTP/1.1\r\nHost: a\r\n{signed_in}{length}\r\n");
        connection.write(head.as_bytes());
    }
    connection.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    let answers = connection.read_until(SOON, "{\"status\":\"ok\"}");
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 4, "{answers}");
}

#[async_test]
async fn without_the_user_store_nobody_gets_in() {
    let app = plan(1).start().await;
    let asha = SignedIn::with(app.client(), NUMBER, "phone").await;
    app.database.execute("ALTER TABLE tokens RENAME TO away").await;
    let answer = verify(app.client(), asha.token()).await;
    is_for_nobody_else(&answer);
    answer.expect_error(503, "The user store is unavailable", "unavailable");
    app.database.execute("ALTER TABLE away RENAME TO tokens").await;
    verify(app.client(), asha.token()).await.expect(200);
}

/// A gateway takes any 2xx for "let it in".
#[async_test]
async fn a_preflight_is_a_request_like_any_other() {
    let app = Plan::new().workers(0).set("CORS_ORIGINS", "https://app.example.com").start().await;
    for path in ["/auth/verify", "/auth/verify/a"] {
        let mut headers = HeaderMap::new();
        headers.insert("origin", HeaderValue::from_static("https://app.example.com"));
        headers.insert("access-control-request-method", HeaderValue::from_static("GET"));
        let answer = app.client().send(Method::OPTIONS, path, headers, "").await;
        assert_eq!((answer.status, &answer.body["code"]), (401, &"unauthorized".into()));
    }
}

#[async_test]
async fn it_is_one_route_to_metrics() {
    let mut app: App = Plan::new().workers(0).start().await;
    for path in ["/auth/verify", "/auth/verify/", "/auth/verify/919876543210/a"] {
        ask(app.client(), Method::GET, path, None).await.expect(401);
    }
    let api = scrape(&mut app.apis[0]).await;
    let labels = [("route", "/auth/verify"), ("status", "401")];
    assert_eq!(api.value("cheershare_http_requests_total", &labels), 3.0);
    assert_eq!(api.value("cheershare_http_requests_total", &[]), 3.0);
}
