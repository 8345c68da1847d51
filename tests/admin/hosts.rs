//! Names under which the admin API answers, and what a page of a stranger's can make a browser do.

use http::{HeaderMap, Method};

use super::{Operator, client};
use crate::support::app::{Plan, SOON};
use crate::support::raw::Connection;

#[async_test]
async fn it_answers_for_its_own_names_alone() {
    let mut app = Plan::new().workers(0).set("ADMIN_HOSTS", "admin.internal").start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    let (_, port) = viewer.client.address().rsplit_once(':').unwrap();
    for path in ["/admin/users", "/openapi.json", "/docs", "/nothing"] {
        for (host, is_own) in [
            ("127.0.0.1", true),
            ("localhost", true),
            ("admin.internal", true),
            ("evil.example", false),
            ("admin.internal.evil.example", false),
            ("127.0.0.1.evil.example", false),
        ] {
            let mut connection = Connection::open(viewer.client.address());
            connection.write(
                format!(
                    "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
                    viewer.key
                )
                .as_bytes(),
            );
            let answer = connection.read_until(SOON, "\r\n\r\n").to_lowercase();
            assert_eq!(!answer.starts_with("http/1.1 403"), is_own, "{path} {host}: {answer}");
        }
    }
}

#[async_test]
async fn no_page_of_a_strangers_reads_or_changes_anything() {
    let mut app =
        Plan::new().workers(0).set("CORS_ORIGINS", "https://app.example.com").start().await;
    let admin = client(&mut app.apis[0]).await;
    for origin in ["https://app.example.com", "https://evil.example", "null"] {
        let mut headers = HeaderMap::new();
        headers.insert("origin", origin.parse().unwrap());
        headers.insert("access-control-request-method", "GET".parse().unwrap());
        for (method, path) in [(Method::OPTIONS, "/admin/users"), (Method::GET, "/openapi.json")] {
            let answer = admin.send(method, path, headers.clone(), "").await;
            assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}: {answer:?}");
        }
        // No cookie is a key.
        headers.insert("cookie", "__Host-session=x; session=x; admin=x".parse().unwrap());
        let answer = admin.send(Method::GET, "/admin/users", headers, "").await;
        answer.expect_code(401, "unauthorized");
    }
}

#[async_test]
async fn it_is_off_where_nobody_wants_it() {
    let mut app = Plan::new().workers(0).set("ADMIN_ADDR", "off").start().await;
    app.client().get("/healthz", None).await.expect(200);
    assert!(app.apis[0].events("admin_listening").is_empty());
    app.settings.insert("ADMIN_ADDR".to_owned(), "127.0.0.1:0".to_owned());
    app.start_api().await;
    client(&mut app.apis[1]).await;
    // One that is taken is a warning.
    let address = app.apis[1].events("admin_listening")[0]["address"].as_str().unwrap().to_owned();
    app.settings.insert("ADMIN_ADDR".to_owned(), address);
    app.start_api().await;
    app.apis[2].wait_for_event("admin_not_listening", SOON).await;
    app.client_of(2).get("/healthz", None).await.expect(200);
}
