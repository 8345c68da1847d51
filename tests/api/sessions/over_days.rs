//! What takes days, with a clock that the test moves.

use std::time::Duration;

use http::Method;
use poem::Request;
use serde_json::{Value, json};

use super::{NUMBER, seconds};
use crate::support::client::Answer;
use crate::support::durations::{DAY, HOUR};
use crate::support::in_process::{InProcess, Setup};

async fn call(app: &InProcess, method: Method, path: &str, token: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri_str(path)
        .header("authorization", format!("Bearer {token}"));
    app.call(request.header("x-forwarded-for", "203.0.113.7").finish()).await
}

async fn sign_in(app: &InProcess) -> String {
    app.at("203.0.113.7").sign_in(NUMBER).await.token().to_owned()
}

/// The session that asks, as the list shows it.
async fn current(app: &InProcess, token: &str) -> Value {
    let list = call(app, Method::GET, "/tokens", token).await.expect(200);
    let sessions = list.body["data"].as_array().unwrap();
    sessions.iter().find(|session| session["current"] == true).unwrap().clone()
}

async fn renew(app: &InProcess, token: &str) -> Answer {
    call(app, Method::POST, "/tokens/current/renewal", token).await
}

async fn rename(app: &InProcess, token: &str, name: &str, version: i64) -> Answer {
    let request = Request::builder()
        .method(Method::PATCH)
        .uri_str("/me")
        .header("authorization", format!("Bearer {token}"))
        .header("x-forwarded-for", "203.0.113.7")
        .content_type("application/json");
    app.call(request.body(json!({"name": name, "version": version}).to_string())).await
}

#[tokio::test]
async fn twenty_new_names_an_hour_and_then_one_as_each_is_an_hour_old() {
    let app = Setup::limits_off().start().await;
    let token = sign_in(&app).await;
    for version in 1..=20 {
        let name = format!("Asha {version}");
        let renamed = rename(&app, &token, &name, version).await.expect(200);
        assert_eq!(renamed.body["data"]["version"], version + 1);
        app.advance(Duration::from_secs(60));
        // The same once more writes nothing, and does not count.
        let same = rename(&app, &token, &name, version + 1).await.expect(200);
        assert_eq!(same.body, renamed.body);
    }
    let outdated = rename(&app, &token, "Late", 20).await;
    outdated.expect_code(409, "edit_conflict");
    let refused = rename(&app, &token, "Late", 21).await;
    assert_eq!(refused.retry_after(), 40 * 60);
    refused.expect_error(429, "Too many new names within an hour; try again later", "name_limit");
    app.advance(Duration::from_secs(40 * 60 - 1));
    assert_eq!(rename(&app, &token, "Late", 21).await.retry_after(), 1);
    app.advance(Duration::from_secs(1));
    rename(&app, &token, "Late", 21).await.expect(200);
    assert_eq!(rename(&app, &token, "Later", 22).await.retry_after(), 60);

    let events = call(&app, Method::GET, "/me/events?limit=100", &token).await.expect(200).body;
    let events = events["data"].as_array().unwrap();
    let session = current(&app, &token).await["id"].clone();
    let told: Vec<_> = events.iter().filter(|event| event["kind"] == "name_changed").collect();
    assert_eq!(told.len(), 21);
    for event in told {
        assert_eq!(
            (&event["session_id"], &event["address"], &event["details"]),
            (&session, &json!("203.0.113.7"), &json!({}))
        );
    }
}

#[tokio::test]
async fn renewals_go_on_for_thirty_days() {
    let app = Setup::limits_off().start().await;
    let mut token = sign_in(&app).await;
    let session = current(&app, &token).await;
    let begin = seconds(&session["created_at"]);
    let end = begin + 30 * DAY.as_secs() as i64;
    let (mut now, mut renewals) = (begin, 0);
    while now + 47 * 3600 < end {
        app.advance(47 * HOUR);
        now += 47 * 3600;
        let renewed = renew(&app, &token).await.expect(200);
        assert_eq!(renewed.body["success"], true);
        let told = &renewed.body["data"];
        for field in ["id", "created_at", "device", "current"] {
            assert_eq!(told[field], session[field], "{field}");
        }
        assert_eq!(seconds(&told["last_used_at"]), now);
        assert_eq!(seconds(&told["expires_at"]), (now + 48 * 3600).min(end));
        call(&app, Method::GET, "/protected", &token)
            .await
            .expect_code(401, "invalid_authorization_header");
        assert_ne!(renewed.token(), token);
        token = renewed.token().to_owned();
        assert_eq!(current(&app, &token).await, *told);
        renewals += 1;
    }
    assert_eq!((renewals, seconds(&current(&app, &token).await["expires_at"])), (15, end));

    // The last moment, in which a renewal gives no more time.
    app.advance(Duration::from_secs((end - now) as u64) - Duration::from_millis(1));
    let renewed = renew(&app, &token).await.expect(200);
    assert_eq!(seconds(&renewed.body["data"]["expires_at"]), end);
    call(&app, Method::GET, "/protected", renewed.token()).await.expect(200);
    app.advance(Duration::from_millis(1));
    call(&app, Method::GET, "/protected", renewed.token())
        .await
        .expect_code(401, "invalid_authorization_header");
    renew(&app, renewed.token()).await.expect_code(401, "invalid_authorization_header");
}

#[tokio::test]
async fn an_expired_token_cannot_be_renewed() {
    let app = Setup::limits_off().start().await;
    let token = sign_in(&app).await;
    app.advance(48 * HOUR);
    renew(&app, &token).await.expect_code(401, "invalid_authorization_header");
}

#[tokio::test]
async fn a_token_lives_no_longer_than_its_session() {
    let app = Setup::limits_off().set("SESSION_MAX_DAYS", 1).start().await;
    let token = sign_in(&app).await;
    let session = current(&app, &token).await;
    assert_eq!(
        seconds(&session["expires_at"]),
        seconds(&session["created_at"]) + DAY.as_secs() as i64
    );
}

#[tokio::test]
async fn use_is_noted_once_a_minute() {
    let app = Setup::limits_off().start().await;
    let (used, watching) = (sign_in(&app).await, sign_in(&app).await);
    let begin = seconds(&current(&app, &used).await["last_used_at"]);
    let noted = async || {
        let list = call(&app, Method::GET, "/tokens", &watching).await.expect(200);
        let other = list.body["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|session| session["current"] == false);
        seconds(&other.unwrap()["last_used_at"]) - begin
    };
    for (passed, expected) in [(0, 0), (59, 0), (1, 60), (59, 60), (1, 120), (3600, 3720)] {
        app.advance(Duration::from_secs(passed));
        let before = noted().await;
        assert!(before <= expected, "watching is no use of it");
        call(&app, Method::GET, "/healthz", &used).await.expect(200);
        assert_eq!(noted().await, expected, "after {passed} s more");
    }
}

/// Nobody fills the database by renewing.
#[tokio::test]
async fn renewals_are_told_once_a_minute_for_each_session() {
    let app = Setup::limits_off().start().await;
    let (mut token, mut other) = (sign_in(&app).await, sign_in(&app).await);
    for _ in 0..3 {
        for _ in 0..5 {
            token = renew(&app, &token).await.expect(200).token().to_owned();
        }
        app.advance(Duration::from_secs(30));
        token = renew(&app, &token).await.expect(200).token().to_owned();
        other = renew(&app, &other).await.expect(200).token().to_owned();
        app.advance(Duration::from_secs(30));
    }
    let ids =
        [current(&app, &token).await["id"].clone(), current(&app, &other).await["id"].clone()];
    let events = call(&app, Method::GET, "/me/events?limit=100", &token).await.expect(200);
    let told = |id: &Value| {
        let events = events.body["data"].as_array().unwrap().iter();
        events
            .filter(|event| event["kind"] == "renewed" && event["session_id"] == *id)
            .map(|event| seconds(&event["created_at"]))
            .collect::<Vec<_>>()
    };
    for id in &ids {
        let times = told(id);
        assert_eq!(times.len(), 3, "{times:?}");
        assert!(times.is_sorted_by(|newer, older| newer - older == 60), "{times:?}");
    }
}
