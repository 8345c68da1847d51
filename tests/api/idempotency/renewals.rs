//! A renewal ends the token that its repetition comes with.

use http::{HeaderMap, Method};

use super::is_again;
use crate::api::sessions::{NUMBER, OTHER_NUMBER, SignedIn, plan};
use crate::support::app::App;
use crate::support::client::{Answer, Client};

async fn renew(client: &Client, token: &str, key: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    headers.insert("idempotency-key", key.parse().unwrap());
    client.send(Method::POST, "/tokens/current/renewal", headers, "").await
}

async fn start() -> (App, SignedIn) {
    let app = plan(2).start().await;
    let user = SignedIn::with(app.client(), NUMBER, "phone").await;
    (app, user)
}

fn is_refused(answer: Answer) {
    answer.expect_error(401, "Invalid authorization header", "invalid_authorization_header");
}

#[async_test]
async fn a_repeated_renewal_gives_the_same_token() {
    let (app, user) = start().await;
    let first = renew(app.client(), user.token(), "k1").await.expect(200);
    for client in app.clients_in_turn().take(4) {
        is_again(&renew(&client, user.token(), "k1").await, &first);
    }
    user.holding(first.token()).is_in().await;
    user.is_out().await;
    assert_eq!(user.holding(first.token()).sessions().await.len(), 1);
}

#[async_test]
async fn nobody_else_gets_the_new_token() {
    let (app, user) = start().await;
    let other = SignedIn::with(app.client(), OTHER_NUMBER, "phone").await;
    let first = renew(app.client(), user.token(), "k1").await.expect(200);
    is_refused(renew(app.client(), user.token(), "k2").await);
    is_refused(renew(app.client(), "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "k1").await);
    is_refused(renew(app.client(), user.token(), "").await);
    let reused = renew(app.client(), other.token(), "k1").await;
    reused.expect_code(422, "idempotency_key_reused");
    other.is_in().await;
    let bad = renew(app.client(), other.token(), "a b").await;
    bad.expect_code(400, "invalid_idempotency_key");
    // What was refused claimed nothing.
    renew(app.client(), other.token(), "k2").await.expect(200);
    user.holding(first.token()).is_in().await;
}

#[async_test]
async fn the_key_opens_no_other_door() {
    let (app, user) = start().await;
    renew(app.client(), user.token(), "k1").await.expect(200);
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", user.token()).parse().unwrap());
    headers.insert("idempotency-key", "k1".parse().unwrap());
    for (method, path) in [(Method::GET, "/protected"), (Method::DELETE, "/tokens/current")] {
        is_refused(app.client().send(method, path, headers.clone(), "").await);
    }
}

#[async_test]
async fn simultaneous_renewals_with_one_key_are_one() {
    let (app, user) = start().await;
    let calls = app.clients_in_turn().take(6).map(|client| {
        let token = user.token().to_owned();
        async move { renew(&client, &token, "k1").await }
    });
    let answers = futures_util::future::join_all(calls).await;
    let mut tokens: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .map(|answer| answer.token().to_owned())
        .collect();
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "{answers:?}");
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        answer.expect_code(409, "idempotency_key_in_use");
    }
    assert_eq!(renew(app.client(), user.token(), "k1").await.token(), tokens[0]);
}
