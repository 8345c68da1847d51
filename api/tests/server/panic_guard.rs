//! A handler that panics: its client gets an answer, and nobody else notices.

use api::http::cors::AllowedOrigins;
use api::http::middleware::around_everything;
use api::http::route_lookup::RouteLookup;
use poem::{Endpoint, Request, Response, Route, get, handler, http::StatusCode};
use serde_json::{Value, json};

use crate::support::{QUICK, Server};

const PANICS: &str = "GET /panics HTTP/1.1\r\nHost: test\r\n\r\n";

#[handler]
fn panics() -> &'static str {
    panic!("a handler that panics, for a test");
}

#[handler]
async fn panics_later() -> &'static str {
    tokio::task::yield_now().await;
    panic!("a handler that panics, for a test");
}

#[handler]
fn quick() -> &'static str {
    "quick"
}

fn app() -> impl Endpoint<Output = Response> {
    let routes = Route::new()
        .at("/panics", get(panics))
        .at("/panics_later", get(panics_later))
        .at("/quick", get(quick));
    around_everything(routes, RouteLookup::default(), AllowedOrigins::default())
}

fn recovered() -> Value {
    json!({"error": "Failed to recover", "code": "internal_error"})
}

#[tokio::test]
async fn a_panic_is_answered() {
    let app = app();
    for path in ["/panics", "/panics_later"] {
        let mut response = app
            .call(Request::builder().uri_str(path).header("host", "test").finish())
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.header("connection"), Some("close"));
        assert_eq!(response.header("vary"), Some("Authorization"));
        let body: Value =
            serde_json::from_str(&response.take_body().into_string().await.unwrap()).unwrap();
        assert_eq!(body, recovered(), "{path}");
    }
}

#[tokio::test]
async fn the_connection_of_a_panic_is_closed_and_the_server_lives_on() {
    let server = Server::start_app(app()).await;
    let mut bystander = server.connect().await;
    bystander.send(QUICK).await;
    assert_eq!(bystander.answer().await.body, "quick");

    for _ in 0..3 {
        let mut client = server.connect().await;
        client.send(format!("{PANICS}{QUICK}")).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 500);
        assert!(answer.head.contains("\r\nconnection: close\r\n"), "{}", answer.head);
        assert!(answer.head.contains("\r\nvary: authorization\r\n"), "{}", answer.head);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body, recovered());
        let (_, more) = client.closed().await;
        assert!(more.is_empty(), "no other request of that connection is answered: {more:?}");
    }

    bystander.send(QUICK).await;
    assert_eq!(bystander.answer().await.body, "quick");
    assert_eq!(server.quick().await.body, "quick");
}
