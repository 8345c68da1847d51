//! Two APIs remember a session under load, and one of them ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::{HeaderMap, Method};

use crate::support::app::{Plan, SOON};
use crate::support::numbers::NUMBER;

const REQUESTS_AT_ONCE: usize = 100;
/// From the answer to a sign-out to the moment from which no request gets through anywhere.
const HEARD_WITHIN: Duration = Duration::from_millis(50);
/// The longest that a session is kept, whatever is heard.
const LONGEST: Duration = Duration::from_secs(2);

#[async_test]
async fn no_request_that_begins_after_a_sign_out_was_heard_of_gets_through() {
    let mut app = Plan::new().apis(2).start().await;
    for api in &mut app.apis {
        api.wait_for_event("session_changes_heard", SOON).await;
    }
    let token = app.sign_in("Ravi", NUMBER).await.token().to_owned();
    let clients: Vec<_> = app.clients_in_turn().take(2).collect();
    for client in &clients {
        client.protected(&token).await.expect(200);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let threads = clients.iter().cycle().take(REQUESTS_AT_ONCE).map(|client| {
        let (client, token, stop) = (client.clone(), token.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut last_let_through = None;
            while !stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                if client.protected(&token).await.status == 200 {
                    last_let_through = Some(begun);
                }
            }
            last_let_through
        })
    });
    let threads: Vec<_> = threads.collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    let signed_out = clients[0].send(Method::DELETE, "/tokens/current", headers, String::new());
    signed_out.await.expect(204);
    let answered = Instant::now();
    tokio::time::sleep(LONGEST + Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    let last = join_all(threads).await.into_iter().map(|thread| thread.unwrap().unwrap()).max();
    let after = last.unwrap().saturating_duration_since(answered);
    println!("the last request that got through began {after:.2?} after the sign-out's answer");
    assert!(after < HEARD_WITHIN);
}
