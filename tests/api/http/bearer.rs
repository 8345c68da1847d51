//! The bearer token and the header that carries it.

use http::{HeaderMap, HeaderValue, Method};

use crate::support::app::{App, Plan};
use crate::support::client::{Answer, Client};
use crate::support::numbers::NUMBER;

const BODY: &str = r#"{"name":"Asha","phone_number":"+919876543210"}"#;

async fn on_both_routes(client: &Client, authorization: &HeaderValue) -> [Answer; 2] {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", authorization.clone());
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    [
        client.send(Method::GET, "/protected", headers.clone(), "").await,
        client.send(Method::POST, "/signup", headers, BODY).await,
    ]
}

async fn is_refused_everywhere(client: &Client, authorization: &[u8]) {
    println!("{}", String::from_utf8_lossy(authorization));
    let value = HeaderValue::from_bytes(authorization).unwrap();
    for answer in on_both_routes(client, &value).await {
        answer.expect_error(401, "Invalid authorization header", "invalid_authorization_header");
    }
}

#[async_test]
async fn a_header_that_is_no_bearer_token_is_refused_on_every_route() {
    let app = Plan::new().workers(0).start().await;
    for authorization in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer short",
        "Bearer AAAAAAAAAAAAAAAAAAAAAAAAA",
        "Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "Bearer AAAAAAAAAAAAA AAAAAAAAAAAAA",
        "Bearer  AAAAAAAAAAAAAAAAAAAAAAAAAA",
        "Bearer\tAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "bearerAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "Bearer AAAAAAAAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAAAAAAA",
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "AAAAAAAAAAAAAAAAAAAAAAAAAA",
        "Token AAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        is_refused_everywhere(app.client(), authorization.as_bytes()).await;
    }
    is_refused_everywhere(app.client(), b"Bearer AAAAAAAAAAAAAAAAAAAAAAAAA\xff").await;
    is_refused_everywhere(app.client(), "Bearer \u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}".as_bytes())
        .await;
}

#[async_test]
async fn a_token_that_is_unknown_expired_or_of_another_scope_is_refused_on_every_route() {
    let app = Plan::new().set("SESSION_CACHE_SECONDS", "0").start().await;
    let client = app.client();
    is_refused_everywhere(client, b"Bearer ABCDEFGHIJKLMNOPQRSTUVWXYZ").await;

    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let header = format!("Bearer {token}");
    for answer in on_both_routes(client, &header.parse().unwrap()).await {
        answer.expect(200);
    }
    is_refused_everywhere(client, format!("Bearer {}", token.to_lowercase()).as_bytes()).await;

    app.database.execute("UPDATE tokens SET scope = 'password-reset'").await;
    is_refused_everywhere(client, header.as_bytes()).await;
    app.database.execute("UPDATE tokens SET scope = 'authentication'").await;
    client.protected(&token).await.expect(200);

    let expire = if app.database.is_postgres() {
        "UPDATE tokens SET expiry = now() - interval '1 second'"
    } else {
        "UPDATE tokens SET expiry = replace(expiry, substr(expiry, 1, 4), '2001')"
    };
    app.database.execute(expire).await;
    is_refused_everywhere(client, header.as_bytes()).await;
}

/// RFC 9110, 11.1.
#[async_test]
async fn the_scheme_is_taken_in_any_case() {
    let app = App::start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let header = format!("{scheme} {token}").parse().unwrap();
        for answer in on_both_routes(app.client(), &header).await {
            answer.expect(200);
        }
        let doubled = format!("{scheme}  {token}");
        is_refused_everywhere(app.client(), doubled.as_bytes()).await;
    }
}

#[async_test]
async fn a_token_ends_with_its_user() {
    let app = Plan::new().set("SESSION_CACHE_SECONDS", "0").start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    app.client().protected(&token).await.expect(200);
    // SQLite checks foreign keys per connection; sqlx turns the check on in each of its own.
    app.database.execute("DELETE FROM users").await;
    let left: Vec<String> = app.database.column("SELECT scope FROM tokens").await;
    assert!(left.is_empty(), "{left:?}");
    is_refused_everywhere(app.client(), format!("Bearer {token}").as_bytes()).await;
}

#[async_test]
async fn a_protected_route_without_the_header() {
    let app = Plan::new().workers(0).start().await;
    let answer = app.client().get("/protected", None).await;
    answer.expect_error(401, "Unauthorized", "unauthorized");
}

#[async_test]
async fn tokens_live_as_long_as_the_setting_says() {
    for (hours, seconds) in [("48", 48 * 3600), ("1", 3600)] {
        let app = Plan::new().set("TOKEN_TTL_HOURS", hours).start().await;
        let before = now();
        app.sign_in("Asha", NUMBER).await;
        let after = now();
        let sql = if app.database.is_postgres() {
            "SELECT extract(epoch FROM expiry)::bigint FROM tokens"
        } else {
            "SELECT unixepoch(expiry) FROM tokens"
        };
        let expiry: Vec<i64> = app.database.column(sql).await;
        let expected = before + seconds..=after + seconds;
        assert!(expiry.len() == 1 && expected.contains(&expiry[0]), "{expiry:?}, not {expected:?}");
    }
}

/// Unix seconds.
fn now() -> i64 {
    common::runtime::clock::Clock::default().now().unix_timestamp()
}
