//! `POST /oauth/introspect` (RFC 7662).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    BILLING, ClientsFile, INTROSPECT, NOBODY, ORDERS, REVOKE, basic, introspect, post_form,
};
use crate::support::app::SOON;
use crate::support::eventually;
use crate::support::numbers::NUMBER;

/// What is never told about a token that is not live.
fn inactive() -> Value {
    json!({"active": false})
}

#[async_test]
async fn a_live_token_is_told_of_as_far_as_the_client_may_know() {
    let file = ClientsFile::new();
    let app = file.plan().start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let listed = app.client().get("/tokens", Some(&format!("Bearer {token}"))).await.expect(200);
    let session = &listed.body["data"][0];
    let me = app.client().get("/me", Some(&format!("Bearer {token}"))).await.expect(200);

    let told = introspect(app.client(), BILLING, &token).await;
    let fields: BTreeSet<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "active",
        "auth_time",
        "client_id",
        "exp",
        "iat",
        "phone_number",
        "phone_number_verified",
        "scope",
        "sid",
        "sub",
        "token_type",
    ];
    assert_eq!(fields, expected.into());
    for (field, value) in [
        ("active", json!(true)),
        ("sub", json!(me.body["data"]["id"].to_string())),
        ("sid", session["id"].clone()),
        ("scope", json!("authentication")),
        ("client_id", json!("cheershare")),
        ("token_type", json!("Bearer")),
        ("phone_number", json!(NUMBER)),
        ("phone_number_verified", json!(true)),
    ] {
        assert_eq!(told[field], value, "{field}");
    }
    let began = told["auth_time"].as_i64().unwrap();
    assert_eq!((&told["iat"], &told["exp"]), (&json!(began), &json!(began + 48 * 60 * 60)));

    // To another client all but the number.
    let less = introspect(app.client(), ORDERS, &token).await;
    let mut expected = told.clone();
    for field in ["phone_number", "phone_number_verified"] {
        expected.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(less, expected);
}

#[async_test]
async fn what_is_not_live_is_inactive_and_nothing_else() {
    let file = ClientsFile::new();
    let app = file.plan().apis(2).start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let ended = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let authorization = format!("Bearer {ended}");
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", authorization.parse().unwrap());
    app.client().send(http::Method::DELETE, "/tokens/current", headers, "").await.expect(204);
    let long = "A".repeat(50_000);
    for wrong in [
        ended.as_str(),
        "A",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        &token.to_lowercase(),
        &token[1..],
        &format!(" {token}"),
        &format!("Bearer {token}"),
        "ä",
        "\u{0}",
        &long,
    ] {
        for client in [app.client_of(0), app.client_of(1)] {
            assert_eq!(introspect(client, BILLING, wrong).await, inactive(), "{wrong:?}");
        }
    }
    // Whoever may not know is told nothing, and the log says why.
    assert_eq!(introspect(app.client(), NOBODY, &token).await, inactive());
    assert_eq!(app.apis[0].events("introspection_refused")[0]["client_id"], "nobody");
    assert_eq!(introspect(app.client(), BILLING, &token).await["active"], true);
}

#[async_test]
async fn a_renewed_token_is_of_the_same_session() {
    let file = ClientsFile::new();
    let app = file.plan().start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let before = introspect(app.client(), BILLING, &token).await;
    let renewed = app.client().post_as(&token, "/tokens/current/renewal", &json!({})).await;
    let renewed = renewed.expect(200).token().to_owned();
    assert_eq!(introspect(app.client(), BILLING, &token).await, inactive());
    let after = introspect(app.client(), BILLING, &renewed).await;
    for field in ["sub", "sid", "iat", "auth_time"] {
        assert_eq!(after[field], before[field], "{field}");
    }
}

/// So that the session is not taken for unused.
#[async_test]
async fn a_token_that_is_asked_about_is_in_use() {
    let file = ClientsFile::new();
    let app = file.plan().start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    app.database
        .execute(if app.database.is_postgres() {
            "UPDATE tokens SET last_used_at = last_used_at - interval '2 minutes'"
        } else {
            "UPDATE tokens SET last_used_at = replace(last_used_at, substr(last_used_at, 1, 4), '2001')"
        })
        .await;
    let used = "SELECT count(*) FROM tokens WHERE last_used_at >= created_at";
    assert_eq!(app.database.column::<i64>(used).await, [0]);
    introspect(app.client(), BILLING, &token).await;
    assert_eq!(app.database.column::<i64>(used).await, [1]);
}

#[async_test]
async fn a_database_that_is_away_is_no_answer() {
    let file = ClientsFile::new();
    let app = file.plan().start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let outage = app.database.fail().await;
    // SQLite is read while another connection holds the lock for writing.
    let paths: &[&str] = if app.database.is_postgres() { &[INTROSPECT, REVOKE] } else { &[REVOKE] };
    for path in paths {
        let form = [("token", token.as_str())];
        let answer = post_form(app.client(), path, Some(&basic(BILLING)), &form).await;
        answer.expect_code(503, "unavailable");
    }
    // What cannot be a token is known without it.
    assert_eq!(introspect(app.client(), BILLING, "A").await, inactive());
    app.database.restore(outage).await;
    eventually(SOON, "a database that answers", async || {
        let form = [("token", token.as_str())];
        let answer = post_form(app.client(), INTROSPECT, Some(&basic(BILLING)), &form).await;
        (answer.body["active"] == true).then_some(())
    })
    .await;
}

#[async_test]
async fn no_log_has_a_secret_or_a_token_however_much_is_logged() {
    let file = ClientsFile::new();
    let plan = file.plan().set("LOG", "debug").set("RUST_LOG", "debug");
    let app = plan.start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let answer = app.client().post_as(&token, "/tokens/current/jwt", &json!({})).await.expect(200);
    let jwt = answer.token();
    introspect(app.client(), BILLING, &token).await;
    introspect(app.client(), BILLING, jwt).await;
    let (id, secret) = BILLING;
    for form in [
        [("token", token.as_str()), ("client_id", id), ("client_secret", secret)],
        [("token", token.as_str()), ("client_id", secret), ("client_secret", id)],
    ] {
        post_form(app.client(), REVOKE, None, &form).await;
    }
    let logs = app.logs();
    assert!(logs.contains("token_revoked") && logs.contains("client_refused"), "{logs}");
    let basic = basic(BILLING);
    let (_, basic) = basic.split_once(' ').unwrap();
    let (_, signature) = jwt.rsplit_once('.').unwrap();
    for hidden in [token.as_str(), secret, basic, signature, &NUMBER[3..]] {
        assert!(!logs.contains(hidden), "{hidden} is in a log");
    }
}
