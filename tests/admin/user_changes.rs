//! Users made, renamed, moved, deleted and signed out by operators; revealed and exported. Each is an
//! action, and an event of the user where they stay.

use serde_json::{Value, json};

use super::Operator;
use crate::support::app::{App, Plan, SOON};
use crate::support::durations::MILLISECOND;
use crate::support::eventually;
use crate::support::numbers::{NUMBER, OTHER_NUMBER, THIRD_NUMBER};
use crate::support::raw::Connection;

async fn id_of(operator: &Operator, name: &str) -> i64 {
    let found = operator.all(&format!("/admin/users?name={name}"), 20).await;
    found[0]["id"].as_i64().unwrap()
}

/// Kind, user and reason of the newest action.
async fn last_action(operator: &Operator) -> (Value, Value, Value) {
    let action = operator.all("/admin/actions", 20).await.remove(0);
    (action["kind"].clone(), action["user_id"].clone(), action["reason"].clone())
}

#[async_test]
async fn sessions_that_an_operator_ends_end_in_every_process() {
    let mut app = Plan::new().apis(2).start().await;
    let operator = Operator::of(&mut app, "operator").await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(app.sign_in("Asha", NUMBER).await.token().to_owned());
    }
    // Both processes remember them.
    for client in app.clients_in_turn().take(2) {
        for token in &tokens {
            client.protected(token).await.expect(200);
        }
    }
    let id = id_of(&operator, "Asha").await;
    let path = format!("/admin/users/{id}/sessions");
    let newest = operator.all(&path, 20).await[0]["id"].as_str().unwrap().to_owned();
    let one = format!("{path}/{newest}");
    operator.delete(&format!("{one}?reason=Stolen")).await.expect(204);
    assert_eq!(last_action(&operator).await, (json!("sessions_ended"), json!(id), json!("Stolen")));
    for client in app.clients_in_turn().take(2) {
        client.protected(&tokens[2]).await.expect_code(401, "invalid_authorization_header");
        client.protected(&tokens[1]).await.expect(200);
    }
    operator.delete(&one).await.expect_code(404, "session_not_found");
    operator.delete(&format!("{path}/x")).await.expect_code(404, "session_not_found");
    let ended = operator.delete(&path).await.expect(200).body;
    assert_eq!(ended, json!({"sessions_ended": 2}));
    for client in app.clients_in_turn().take(2) {
        for token in &tokens {
            client.protected(token).await.expect_code(401, "invalid_authorization_header");
        }
    }
    assert_eq!(operator.delete(&path).await.expect(200).body, json!({"sessions_ended": 0}));
    let count = operator.all("/admin/actions?kind=sessions_ended", 20).await.len();
    assert_eq!(count, 2, "what changed nothing is no action");
    let events = operator.all(&format!("/admin/users/{id}/events"), 20).await;
    let reasons = events.iter().filter(|event| event["kind"] == "signed_out");
    let reasons: Vec<_> = reasons.map(|event| event["details"]["reason"].clone()).collect();
    assert_eq!(reasons, ["ended_by_operator"; 3]);
    operator.delete("/admin/users/999/sessions").await.expect_code(404, "user_not_found");
}

#[async_test]
async fn a_user_is_made_and_signs_in_as_everybody() {
    let mut app = App::start().await;
    let operator = Operator::of(&mut app, "operator").await;
    let new = json!({"name": "Asha", "phone_number": "098765 43210"});
    let made = operator.post("/admin/users", &new).await.expect(200).body["data"].clone();
    assert_eq!((&made["name"], &made["version"]), (&"Asha".into(), &1.into()));
    assert!(made.get("last_sign_in_at").is_none(), "{made}");
    assert_eq!(
        last_action(&operator).await,
        (json!("user_created"), made["id"].clone(), Value::Null)
    );
    operator.post("/admin/users", &new).await.expect_code(409, "phone_number_taken");
    let signed_in = app.sign_in("Other", NUMBER).await;
    assert_eq!(
        (&signed_in.body["data"]["id"], &signed_in.body["data"]["name"]),
        (&made["id"], &"Asha".into())
    );
    for (body, code) in [
        (json!({"name": " ", "phone_number": OTHER_NUMBER}), "invalid_name"),
        (json!({"name": "A", "phone_number": "12"}), "invalid_phone_number"),
        (json!({"name": "A"}), "invalid_payload"),
    ] {
        operator.post("/admin/users", &body).await.expect_code(400, code);
    }
}

#[async_test]
async fn a_user_is_renamed_once_for_a_version() {
    let mut app = App::start().await;
    let operator = Operator::of(&mut app, "operator").await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let id = id_of(&operator, "Asha").await;
    let path = format!("/admin/users/{id}");
    let patch = async |body: Value| operator.send(http::Method::PATCH, &path, Some(&body)).await;
    let renamed = patch(json!({"name": "Asha Rao", "version": 1, "reason": "Married"})).await;
    assert_eq!(renamed.expect(200).body["data"]["version"], 2);
    assert_eq!(last_action(&operator).await, (json!("user_renamed"), json!(id), json!("Married")));
    patch(json!({"name": "Asha", "version": 1})).await.expect_code(409, "edit_conflict");
    let me = app.client().get("/me", Some(&format!("Bearer {token}"))).await.expect(200).body;
    assert_eq!(me["data"]["name"], "Asha Rao", "at once");
    let event = operator.all(&format!("{path}/events"), 20).await.remove(0);
    assert_eq!((&event["kind"], &event["address"]), (&"name_changed".into(), &Value::Null));
    let actions = operator.all("/admin/actions", 20).await.len();
    patch(json!({"name": "Asha Rao", "version": 2})).await.expect(200);
    assert_eq!(operator.all("/admin/actions", 20).await.len(), actions, "the same name");
}

#[async_test]
async fn a_user_who_lost_their_number_is_moved_and_the_old_one_is_told() {
    let mut app = App::start().await;
    let operator = Operator::of(&mut app, "operator").await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    app.sign_in("Ravi", OTHER_NUMBER).await;
    let id = id_of(&operator, "Asha").await;
    let path = format!("/admin/users/{id}/phone-number");
    let to = |number: &str| json!({"phone_number": number, "reason": "Recycled"});
    let before = app.twilio.accepted(NUMBER).len();
    for (body, status, code) in [
        (to(OTHER_NUMBER), 409, "phone_number_taken"),
        (to(NUMBER), 400, "same_phone_number"),
        (to("12"), 400, "invalid_phone_number"),
        (json!({"phone_number": THIRD_NUMBER}), 400, "invalid_payload"),
        (json!({"phone_number": THIRD_NUMBER, "reason": ""}), 400, "invalid_reason"),
    ] {
        operator.post(&path, &body).await.expect_code(status, code);
    }
    assert!(operator.all("/admin/actions", 20).await.is_empty(), "nothing has changed");
    app.client().protected(&token).await.expect(200);

    let moved = operator.post(&path, &to(THIRD_NUMBER)).await.expect(200).body["data"].clone();
    assert_eq!((&moved["id"], &moved["version"]), (&json!(id), &2.into()));
    app.client().protected(&token).await.expect_code(401, "invalid_authorization_header");
    app.twilio.wait_for_sms(NUMBER, before + 1, SOON).await;
    let action = operator.all("/admin/actions", 20).await.remove(0);
    assert_eq!((&action["kind"], &action["reason"]), (&"user_moved".into(), &"Recycled".into()));
    let subject = action["subject"].as_str().unwrap();
    assert!(subject.contains("********") && !subject.contains(&NUMBER[3..]), "{subject}");
    let signed_in = app.sign_in("Asha", THIRD_NUMBER).await;
    assert_eq!(signed_in.body["data"]["id"], id);
    let new = app.sign_in("Somebody", NUMBER).await;
    assert_ne!(new.body["data"]["id"], id, "whoever has the number now is somebody else");
}

#[async_test]
async fn a_user_is_deleted_and_the_action_stays() {
    let mut app = App::start().await;
    let owner = Operator::of(&mut app, "owner").await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let id = id_of(&owner, "Asha").await;
    let path = format!("/admin/users/{id}");
    owner.delete(&format!("{path}?reason=They%20asked")).await.expect(204);
    app.client().protected(&token).await.expect_code(401, "invalid_authorization_header");
    owner.get(&path).await.expect_code(404, "user_not_found");
    owner.delete(&path).await.expect_code(404, "user_not_found");
    let actions = owner.all(&format!("/admin/actions?user_id={id}"), 20).await;
    assert_eq!(actions.len(), 1);
    assert_eq!(
        (&actions[0]["kind"], &actions[0]["subject"], &actions[0]["reason"]),
        (&"user_deleted".into(), &"+91********10".into(), &"They asked".into())
    );
}

/// What follows a change does so even if nobody waits for the answer any more: here, that a code of the
/// account is good no more.
#[async_test]
async fn a_change_goes_on_when_its_operator_has_left() {
    let mut app = App::start().await;
    let owner = Operator::of(&mut app, "owner").await;
    app.sign_in("Asha", NUMBER).await;
    app.ask(NUMBER).await;
    let codes = async || {
        let seen = owner.get("/admin/numbers/%2B919876543210").await.expect(200).body;
        seen["data"]["codes"].as_array().unwrap().len()
    };
    assert_eq!(codes().await, 1);
    let id = id_of(&owner, "Asha").await;
    app.redis.pause();
    let mut operator = Connection::open(owner.client.address());
    let head = format!(
        "DELETE /admin/users/{id} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        owner.key
    );
    operator.write(head.as_bytes());
    let gone = async || (app.database.users_with(NUMBER).await == 0).then_some(());
    eventually(SOON, "a deleted user", gone).await;
    drop(operator);
    // The API sees that within milliseconds, and Redis answers nothing of what follows until then.
    tokio::time::sleep(MILLISECOND * 500).await;
    app.redis.resume();
    eventually(SOON, "an ended code", async || (codes().await == 0).then_some(())).await;
}

#[async_test]
async fn a_number_is_revealed_and_a_person_exported_each_noted() {
    let mut app = App::start().await;
    let operator = Operator::of(&mut app, "operator").await;
    app.sign_in("Asha", NUMBER).await;
    let id = id_of(&operator, "Asha").await;
    let path = format!("/admin/users/{id}");
    let because = json!({"reason": "Ticket 4711"});
    let revealed = operator.post(&format!("{path}/reveal"), &because).await.expect(200).body;
    assert_eq!(revealed, json!({"phone_number": NUMBER}));
    let (revealed, exported) = (json!("user_revealed"), json!("user_exported"));
    assert_eq!(last_action(&operator).await, (revealed, json!(id), json!("Ticket 4711")));
    let export = operator.post(&format!("{path}/export"), &json!({})).await.expect(200).body;
    assert_eq!(last_action(&operator).await, (exported, json!(id), Value::Null));
    assert_eq!(export["user"]["phone_number"], NUMBER);
    assert_eq!(export["events"][0]["kind"], "signed_up");
    assert_eq!(export["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(export["number"]["known_addresses"], 1);
    app.database.refuse("INSERT", "admin_actions").await;
    for what in ["reveal", "export"] {
        let refused = operator.post(&format!("{path}/{what}"), &because).await;
        assert!(!refused.text.contains(NUMBER), "{refused:?}");
        refused.expect_code(503, "unavailable");
    }
    app.database.allow("admin_actions").await;
}

#[async_test]
async fn the_sms_of_a_user_are_seen() {
    let mut app = App::start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    app.sign_in("Asha", NUMBER).await;
    let mut asked = Vec::new();
    for _ in 0..2 {
        let id = app.ask(NUMBER).await;
        app.delivery_is(&id, "sent", SOON).await;
        asked.insert(0, id);
    }
    let path = format!("/admin/users/{}/deliveries", id_of(&viewer, "Asha").await);
    for limit in [1, 20] {
        let seen = viewer.all(&path, limit).await;
        let ids: Vec<_> = seen.iter().map(|sms| sms["delivery_id"].as_str().unwrap()).collect();
        assert_eq!(ids[..2], asked, "newest first");
    }
    for (query, count) in [
        ("status=sent", 2),
        ("status=failed", 0),
        ("reason=expired", 0),
        ("since=2099-01-01T00:00:00Z", 0),
    ] {
        assert_eq!(viewer.all(&format!("{path}?{query}"), 20).await.len(), count, "{query}");
    }
    viewer.get("/admin/users/999/deliveries").await.expect_code(404, "user_not_found");
}

#[async_test]
async fn outgoing_events_are_replayed_and_resumed() {
    let mut app = Plan::new().workers(0).start().await;
    let operator = Operator::of(&mut app, "operator").await;
    for n in 1..=3 {
        let payload = format!("{{\"id\":\"evt_{n}\",\"type\":\"user.created\",\"data\":{{}}}}");
        let insert = format!(
            "INSERT INTO outbox (created_at, kind, payload, attempts, failure)
            VALUES ('2026-11-23T07:04:59Z', 'dead_event', '{payload}', 12, '503')"
        );
        app.database.execute(&insert).await;
    }
    let listed = operator.all("/admin/outgoing-events", 2).await;
    let ids: Vec<_> = listed.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["evt_3", "evt_2", "evt_1"]);
    assert_eq!((&listed[0]["attempts"], &listed[0]["failure"]), (&12.into(), &"503".into()));
    let path = "/admin/outgoing-events";
    let one = json!({"sequence": listed[0]["sequence"]});
    let replayed = operator.post(&format!("{path}/replay"), &one).await.expect(200).body;
    assert_eq!(replayed, json!({"replayed": 1}));
    for unknown in [one, json!({"sequence": 0}), json!({"sequence": 999})] {
        let refused = operator.post(&format!("{path}/replay"), &unknown).await;
        refused.expect_code(404, "event_not_found");
    }
    let all = operator.post(&format!("{path}/replay"), &json!({"reason": "Mended"})).await;
    assert_eq!(all.expect(200).body, json!({"replayed": 2}));
    assert!(operator.all(path, 20).await.is_empty());
    let resumed = operator.post(&format!("{path}/resume"), &json!({})).await.expect(200).body;
    assert_eq!(resumed["were_off"], false);
    let kinds = async || {
        let actions = operator.all("/admin/actions", 20).await.into_iter();
        actions.map(|action| action["kind"].clone()).collect::<Vec<_>>()
    };
    let noted = [json!("events_resumed"), json!("events_replayed"), json!("events_replayed")];
    assert_eq!(kinds().await, noted, "what is not there is not replayed");

    app.database.execute("UPDATE outbox SET kind = 'dead_event', due_at = 1 WHERE id = 1").await;
    app.database.execute("UPDATE outbox SET due_at = 1 WHERE id = 2").await;
    for (refused, table) in [("UPDATE", "outbox"), ("INSERT", "admin_actions")] {
        app.database.refuse(refused, table).await;
        for what in ["replay", "resume"] {
            let answer = operator.post(&format!("{path}/{what}"), &json!({})).await;
            answer.expect_code(503, "unavailable");
        }
        app.database.allow(table).await;
    }
    assert_eq!(kinds().await, noted, "what has failed is no action");
    let due = "SELECT due_at FROM outbox WHERE id IN (1, 2)";
    assert_eq!(app.database.column::<i64>(due).await, [1, 1], "what is no action has failed");
}
