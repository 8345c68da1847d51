//! The wrapper around an operation, with operations of the test's own.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::http::cors::AllowedOrigins;
use api::http::idempotent_requests::repeatable;
use api::http::middleware::around_everything;
use api::http::route_lookup::RouteLookup;
use common::crypto::idempotency_keys::IdempotencyKeys;
use common::domain::client::{Client, Device};
use common::ledger::idempotency::IdempotencyStore;
use common::runtime::clock::Clock;
use poem::endpoint::make;
use poem::http::StatusCode;
use poem::{Endpoint, EndpointExt, Request, Response};
use tokio::sync::Notify;

use crate::support::redis_server::Redis;
use crate::support::settings::OTP_SECRET;

/// An operation with all that it needs, as the app would serve it.
fn served<F, Fut>(redis: &Redis, operation: F) -> impl Endpoint<Output = Response> + use<F, Fut>
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = poem::Result<Response>> + Send + 'static,
{
    let server = common::ledger::connection::Redis::new(&redis.url()).unwrap();
    let connection = server.connection(Duration::from_secs(5));
    let keys = IdempotencyKeys::derive(OTP_SECRET).unwrap();
    let store = IdempotencyStore::new(connection, keys, Clock::default());
    let client =
        Client { address: IpAddr::from([203, 0, 113, 7]).into(), device: Device::default() };
    let endpoint = repeatable(make(operation)).data(Arc::new(store)).data(client);
    around_everything(endpoint, RouteLookup::default(), AllowedOrigins::default())
}

async fn call(app: &impl Endpoint<Output = Response>, key: &str) -> (StatusCode, String) {
    let request = Request::builder()
        .content_type("application/json")
        .header("host", "localhost")
        .header("idempotency-key", key)
        .body("{}");
    let mut response = app.get_response(request).await;
    (response.status(), response.take_body().into_string().await.unwrap())
}

#[async_test]
async fn while_the_first_request_runs_the_key_is_in_use() {
    let redis = Redis::start();
    let (started, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let app = Arc::new(served(&redis, {
        let (started, finish) = (Arc::clone(&started), Arc::clone(&finish));
        move |mut request: Request| {
            let (started, finish) = (Arc::clone(&started), Arc::clone(&finish));
            async move {
                started.notify_one();
                finish.notified().await;
                Ok(Response::builder().body(request.take_body()))
            }
        }
    }));
    let first = tokio::spawn({
        let app = Arc::clone(&app);
        async move { call(&*app, "k").await }
    });
    started.notified().await;
    let (status, text) = call(&*app, "k").await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(text.contains(r#""code":"idempotency_key_in_use""#), "{text}");
    finish.notify_one();
    let first = first.await.unwrap();
    assert_eq!(first, (StatusCode::OK, "{}".to_owned()), "the operation has the body too");
    assert_eq!(call(&*app, "k").await, first);
}

#[async_test]
async fn what_the_server_failed_at_is_tried_again() {
    let redis = Redis::start();
    let calls = Arc::new(AtomicUsize::new(0));
    let app = served(&redis, {
        let calls = Arc::clone(&calls);
        move |_| {
            let number = calls.fetch_add(1, Ordering::Relaxed);
            async move {
                match number {
                    0 => panic!("on purpose"),
                    1 => Ok(StatusCode::BAD_GATEWAY.into()),
                    2 => Err(poem::Error::from_status(StatusCode::INTERNAL_SERVER_ERROR)),
                    _ => Ok(StatusCode::NO_CONTENT.into()),
                }
            }
        }
    });
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(call(&app, "k").await.0.as_u16());
    }
    assert_eq!(statuses, [500, 502, 500, 204, 204, 204]);
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}
