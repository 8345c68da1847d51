//! Clients are told when a session ends (OpenID Connect Back-Channel Logout 1.0).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Browser, OLD, Provider, SHOP, claims_of, clients};
use crate::api::sessions::{NUMBER, SignedIn};
use crate::support::app::SOON;
use crate::support::eventually;
use crate::support::free_port;
use crate::support::http_server::{Closed, serve};

/// An app's address for it. It ends when this is dropped.
struct Receiver {
    address: SocketAddr,
    told: Arc<Mutex<Vec<String>>>,
    status: Arc<Mutex<StatusCode>>,
    server: JoinHandle<()>,
}

impl Receiver {
    async fn start() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listener = TcpListener::bind(address).await.unwrap();
        let (told, status) = (Arc::default(), Arc::new(Mutex::new(StatusCode::OK)));
        let shared = (Arc::clone(&told), Arc::clone(&status));
        let server = tokio::spawn(serve(listener, move |request| take(request, shared.clone())));
        Self { address, told, status, server }
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    /// Waits for so many requests; returns the last one's token.
    async fn wait_for(&self, count: usize) -> String {
        eventually(SOON, "a logout token", async || self.told().get(count - 1).cloned()).await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type Shared = (Arc<Mutex<Vec<String>>>, Arc<Mutex<StatusCode>>);

async fn take(
    request: Request<Incoming>,
    (told, status): Shared,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    assert_eq!((head.method, head.uri.path()), (Method::POST, "/logout"));
    assert_eq!(head.headers["content-type"], "application/x-www-form-urlencoded");
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let fields: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let [(name, token)] = &fields[..] else { panic!("{fields:?}") };
    assert_eq!(name, "logout_token");
    told.lock().unwrap().push(token.clone());
    let status = *status.lock().unwrap();
    Ok(Response::builder().status(status).body(Full::default()).unwrap())
}

/// The shop wants to be told there; the other client does not.
async fn start(receiver: &Receiver) -> Provider {
    let uri = format!("http://{}/logout", receiver.address);
    let mut list = clients();
    list[0]["backchannel_logout_uri"] = json!(uri);
    Provider::start_with(&list, |plan| plan.workers(1), 1).await
}

/// Both clients want to be told, each at an address of its own.
async fn start_both(shop: SocketAddr, old: SocketAddr) -> Provider {
    let mut list = clients();
    for (client, address) in [(0, shop), (1, old)] {
        list[client]["backchannel_logout_uri"] = json!(format!("http://{address}/logout"));
    }
    Provider::start_with(&list, |plan| plan.workers(1), 1).await
}

async fn signed_in(provider: &Provider) -> (Browser, SignedIn) {
    let (mut browser, user) = provider.signed_in().await;
    for rp in [SHOP, SHOP, OLD] {
        browser.tokens(rp).await;
    }
    (browser, user)
}

async fn no_more(receiver: &Receiver, count: usize) {
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(receiver.told().len(), count);
}

#[async_test]
async fn whatever_ends_a_session_is_told_once() {
    let receiver = Receiver::start().await;
    let provider = start(&receiver).await;
    let (mut browser, user) = signed_in(&provider).await;
    let tokens = browser.tokens(SHOP).await;
    let id_token = super::id_token(provider.client(), &tokens).await;
    user.renew().await.expect(200);
    no_more(&receiver, 0).await;
    browser.sign_in(NUMBER).await;
    let all = browser.post_own("/oauth/end_session", &[("confirmed", "yes")]).await;
    assert_eq!(all.status, 200);
    no_more(&receiver, 0).await;

    let hint = tokens["id_token"].as_str().unwrap();
    browser.get(&format!("/oauth/end_session?id_token_hint={hint}")).await;
    let (header, mut claims) = claims_of(provider.client(), &receiver.wait_for(1).await).await;
    assert_eq!(header["typ"], "logout+jwt");
    let mut take = |name: &str| claims.as_object_mut().unwrap().remove(name).unwrap();
    let (iat, exp, jti) = (take("iat"), take("exp"), take("jti"));
    assert_eq!(exp.as_i64().unwrap(), iat.as_i64().unwrap() + 120);
    assert_eq!(jti.as_str().unwrap().len(), 26);
    assert_eq!(
        claims,
        json!({
            "iss": super::ISSUER,
            "aud": SHOP.id,
            "sub": id_token["sub"],
            "sid": id_token["sid"],
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        })
    );
    no_more(&receiver, 1).await;
    // It is no ID token, which would end sessions.
    let logout_token = receiver.told()[0].clone();
    let path = format!("/oauth/end_session?id_token_hint={logout_token}");
    assert!(browser.get(&path).await.text.contains("<button>Sign out</button>"));
}

#[async_test]
async fn every_way_in_which_sessions_end_is_heard_of() {
    let receiver = Receiver::start().await;
    let provider = start(&receiver).await;
    let mut count = 0;
    for way in ["here", "elsewhere", "everywhere", "expired"] {
        let (_, user) = signed_in(&provider).await;
        let session = user.session_id().await;
        match way {
            "here" => {
                user.delete("/tokens/current").await.expect(204);
            }
            "elsewhere" => {
                let other = SignedIn::with(provider.client(), NUMBER, "phone").await;
                other.delete(&format!("/tokens/{session}")).await.expect(204);
            }
            "everywhere" => {
                user.delete("/tokens").await.expect(204);
            }
            // As a worker removes it.
            _ => {
                let sql = "DELETE FROM tokens RETURNING id";
                assert!(provider.app.database.column::<String>(sql).await.contains(&session));
            }
        }
        count += 1;
        let (_, claims) = claims_of(provider.client(), &receiver.wait_for(count).await).await;
        assert_eq!(claims["sid"], session.as_str(), "{way}");
    }
    no_more(&receiver, count).await;
    let left = provider.app.database.column::<i64>("SELECT COUNT(*) FROM logouts").await;
    assert_eq!(left, [0]);
}

#[async_test]
async fn a_client_that_fails_is_told_again() {
    let receiver = Receiver::start().await;
    let provider = start(&receiver).await;
    let (_, user) = signed_in(&provider).await;
    *receiver.status.lock().unwrap() = StatusCode::SERVICE_UNAVAILABLE;
    user.delete("/tokens/current").await.expect(204);
    receiver.wait_for(1).await;
    let failed =
        eventually(SOON, "a failure", async || provider.app.worker_events("logout_not_told").pop())
            .await;
    assert_eq!((&failed["client_id"], &failed["failure"]), (&json!(SHOP.id), &json!("status 503")));
    *receiver.status.lock().unwrap() = StatusCode::NO_CONTENT;
    receiver.wait_for(2).await;
    no_more(&receiver, 2).await;
    let told: Vec<Value> = provider.app.worker_events("logout_given_up");
    assert!(told.is_empty(), "{told:?}");
}

#[async_test]
async fn a_client_that_hangs_delays_no_other() {
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let receiver = Receiver::start().await;
    let provider = start_both(dead.local_addr().unwrap(), receiver.address).await;
    let user_of = async |rp| {
        let (mut browser, user) = provider.signed_in().await;
        browser.tokens(rp).await;
        user
    };
    let (slow, other) = (user_of(SHOP).await, user_of(OLD).await);
    slow.delete("/tokens/current").await.expect(204);
    // It is asked, and does not answer for five seconds.
    let _asked = tokio::time::timeout(SOON, dead.accept()).await.expect("a request").unwrap();
    let ended = Instant::now();
    other.delete("/tokens/current").await.expect(204);
    receiver.wait_for(1).await;
    assert!(ended.elapsed() < Duration::from_secs(3), "{:?}", ended.elapsed());
    assert!(provider.app.worker_events("logout_not_told").is_empty(), "it still hangs");
}

#[async_test]
async fn a_worker_says_that_ends_wait_which_it_cannot_tell() {
    let receiver = Receiver::start().await;
    let uri = format!("http://{}/logout", receiver.address);
    let mut list = clients();
    list[0]["backchannel_logout_uri"] = json!(uri);
    let mut provider = Provider::start_with(&list, |plan| plan, 1).await;
    let (_, user) = signed_in(&provider).await;
    user.delete("/tokens/current").await.expect(204);
    provider.app.settings.remove("PUBLIC_URL");
    provider.app.start_worker().await;
    let told = eventually(SOON, "a warning", async || {
        provider.app.worker_events("logouts_wait_for_public_url").pop()
    })
    .await;
    assert_eq!((&told["waiting"], &told["setting"]), (&json!(1), &json!("PUBLIC_URL")));
    assert!(receiver.told().is_empty());
}
