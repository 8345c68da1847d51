//! `GET /me/events`

use serde_json::{Value, json};

use super::{NUMBER, OTHER_NUMBER, OTP, SignedIn, checks_its_parameters, keys, plan, seconds};

#[async_test]
async fn what_happens_to_an_account_is_written_down() {
    let app = plan(1).set("TRUSTED_PROXIES", "127.0.0.1").start().await;
    let here = app.client().at("203.0.113.7");
    let there = app.client().at("2001:db8:1:2:3:4:5:6");
    let user = SignedIn::with(&here, NUMBER, "Phone/1.0").await;
    let first = user.session_id().await;
    let token = user.renew().await.expect(200).token().to_owned();
    let renewed = user.holding(&token);
    let again = SignedIn::with(&there, NUMBER, "").await;
    let second = again.session_id().await;
    again.delete(&format!("/tokens/{first}")).await.expect(204);

    let events = again.list("/me/events").await;
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            assert_eq!(
                keys(event),
                ["address", "created_at", "details", "id", "kind", "session_id"]
            );
            assert!(seconds(&event["created_at"]) >= seconds(&user.user["created_at"]));
            json!([event["kind"], event["address"], event["session_id"], event["details"]])
        })
        .collect();
    let (v4, v6) = ("203.0.113.7", "2001:db8:1:2::/64");
    assert_eq!(
        told,
        [
            json!(["signed_out", v6, first, {"reason": "ended_elsewhere"}]),
            json!(["signed_in", v6, second, {}]),
            json!(["renewed", v4, first, {}]),
            json!(["signed_up", v4, first, {"device": "Phone/1.0"}]),
        ]
    );
    let ids: Vec<_> = events.iter().map(|event| event["id"].as_i64().unwrap()).collect();
    assert!(ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
    renewed.is_out().await;

    // What strangers try leaves nothing behind, and neither does what the user is refused.
    for otp in ["000000", "111111", "222222"] {
        app.client().ask("Mallory", NUMBER).await.expect(200);
        app.client().verify(NUMBER, otp).await.expect_code(401, "invalid_otp");
        app.client().verify(OTHER_NUMBER, otp).await.expect_code(401, "invalid_otp");
    }
    user.get("/me").await.expect(401);
    again.delete("/tokens/k5x2aw7nqf3c4zt6y2h4v5xk7e").await.expect(404);
    assert_eq!(again.list("/me/events").await, events);

    let rows = if app.database.is_postgres() {
        "SELECT row_to_json(events)::text FROM events"
    } else {
        "SELECT json_array(kind, address, session_id, details) FROM events"
    };
    let rows = app.database.column::<String>(rows).await.join("\n");
    assert!(rows.contains("signed_up"), "{rows}");
    for secret in [OTP, &user.token, &token, &again.token, NUMBER, &NUMBER[1..], "Asha"] {
        assert!(!rows.contains(secret), "{rows}");
    }
    let logs = app.logs();
    for secret in [&user.token, &token, &again.token, NUMBER] {
        assert!(!logs.contains(secret), "a log holds a token or a number");
    }
}

#[async_test]
async fn pages_are_newest_first_and_miss_nothing() {
    let app = plan(1).start().await;
    let user = SignedIn::with(app.client(), NUMBER, "").await;
    let other = SignedIn::with(app.client(), OTHER_NUMBER, "").await;
    for _ in 0..12 {
        let passing = SignedIn::with(app.client(), NUMBER, "").await;
        passing.delete("/tokens/current").await.expect(204);
    }
    let all = user.list("/me/events").await;
    assert_eq!(all.len(), 25);
    let page = user.get("/me/events").await.expect(200).body;
    assert_eq!(page["data"], Value::from(&all[..20]), "20 where nothing else is asked for");

    // Something happens between two pages: it is newer than both.
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    SignedIn::with(app.client(), NUMBER, "").await;
    let rest = user.get(&format!("/me/events?cursor={cursor}")).await.expect(200).body;
    assert_eq!(rest, json!({"data": &all[20..], "next_cursor": null}));

    // A full last page is the last; somebody else's cursor shows nothing of theirs.
    let exact = user.get(&format!("/me/events?limit=5&cursor={cursor}")).await.expect(200).body;
    assert_eq!(exact, rest);
    let theirs = other.get(&format!("/me/events?cursor={cursor}")).await.expect(200).body;
    let kinds: Vec<_> =
        theirs["data"].as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["signed_up"]);
    checks_its_parameters(&user, "/me/events").await;
}
