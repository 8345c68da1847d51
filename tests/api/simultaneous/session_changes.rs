//! Many at the same moment, through two API processes.

use futures_util::future::join_all;
use http::Method;
use serde_json::json;

use crate::api::sessions::{NUMBER, SignedIn, plan};
use crate::support::app::App;
use crate::support::client::Answer;

/// Sorts answers into those with this status and all others.
fn split(answers: Vec<Answer>, status: u16) -> (Vec<Answer>, Vec<Answer>) {
    answers.into_iter().partition(|answer| answer.status == status)
}

async fn user_of(app: &App) -> SignedIn {
    SignedIn::with(app.client(), NUMBER, "tests").await
}

/// The same at so many clients, each at the next API in turn.
fn crowd(app: &App, user: &SignedIn, count: usize) -> Vec<SignedIn> {
    app.clients_in_turn().take(count).map(|client| user.at(&client)).collect()
}

#[async_test]
async fn of_many_at_once_one_does_it() {
    let app = plan(2).start().await;
    changes_of_one_version(&app).await;
    renewals_of_one_token(&app).await;
    sign_outs_of_one_session(&app).await;
    sign_outs_everywhere(&app).await;
}

async fn changes_of_one_version(app: &App) {
    let user = user_of(app).await;
    for version in 1..=5 {
        let calls = crowd(app, &user, 10).into_iter().enumerate().map(|(n, one)| async move {
            let body = json!({"name": format!("Asha {n} {version}"), "version": version});
            one.call(Method::PATCH, "/me", Some(&body)).await
        });
        let (done, refused) = split(join_all(calls).await, 200);
        assert_eq!(done.len(), 1, "{done:?}");
        assert_eq!(done[0].body["data"]["version"], version + 1);
        assert_eq!(user.get("/me").await.body, done[0].body);
        for answer in refused {
            answer.expect_code(409, "edit_conflict");
        }
    }
}

async fn renewals_of_one_token(app: &App) {
    let mut user = user_of(app).await;
    let id = user.session_id().await;
    for _ in 0..5 {
        let calls = crowd(app, &user, 10).into_iter().map(|one| async move { one.renew().await });
        let (done, refused) = split(join_all(calls).await, 200);
        assert_eq!(done.len(), 1, "{done:?}");
        for answer in refused {
            answer.expect_error(
                401,
                "Invalid authorization header",
                "invalid_authorization_header",
            );
        }
        user.is_out().await;
        user = user.holding(done[0].token());
        assert_eq!(user.session_id().await, id);
    }
    let events = user.list("/me/events").await;
    let told = events.iter().filter(|event| event["kind"] == "renewed").count();
    assert_eq!(told, 1, "one a minute: {events:?}");
}

async fn sign_outs_of_one_session(app: &App) {
    let (user, watcher) = (user_of(app).await, user_of(app).await);
    let id = user.session_id().await;
    let ended = async || {
        let events = watcher.list("/me/events").await;
        events
            .iter()
            .filter(|event| event["kind"] == "signed_out" && event["session_id"] == id)
            .count()
    };
    // By itself: who comes a little later finds the token gone.
    let calls = crowd(app, &user, 10)
        .into_iter()
        .map(|one| async move { one.delete("/tokens/current").await });
    let (done, late) = split(join_all(calls).await, 204);
    assert!(!done.is_empty());
    for answer in late {
        answer.expect_code(401, "invalid_authorization_header");
    }
    user.is_out().await;
    assert_eq!(ended().await, 1, "an end is written down once");

    // By another: one of them did it.
    let (user, watcher) = (user_of(app).await, &watcher);
    let path = format!("/tokens/{}", user.session_id().await);
    let calls = crowd(app, watcher, 10).into_iter().map(|one| {
        let path = path.clone();
        async move { one.delete(&path).await }
    });
    let (done, late) = split(join_all(calls).await, 204);
    assert_eq!(done.len(), 1, "{done:?}");
    for answer in late {
        answer.expect_code(404, "not_found");
    }
    user.is_out().await;
}

async fn sign_outs_everywhere(app: &App) {
    let mut all = Vec::new();
    for _ in 0..10 {
        all.push(user_of(app).await);
    }
    // Each keeps itself: whoever comes first wins, and nobody waits for each other in a circle.
    let calls = app.clients_in_turn().zip(&all).map(|(client, one)| {
        let one = one.at(&client);
        async move { one.delete("/tokens?keep=current").await }
    });
    let (done, late) = split(join_all(calls).await, 204);
    assert!(!done.is_empty());
    for answer in late {
        answer.expect_code(401, "invalid_authorization_header");
    }
    let mut left = 0;
    for one in &all {
        left += usize::from(one.get("/protected").await.status == 200);
    }
    assert!(left <= 1, "{left} are left");
}
