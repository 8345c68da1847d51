//! What the ledger knows of a number, unlocked, blocked, unblocked and erased; each an action.

use serde_json::{Value, json};

use super::Operator;
use crate::support::app::{App, Plan, SOON};
use crate::support::numbers::NUMBER;

const PATH: &str = "/admin/numbers/%2B91%2098765%2043210";
/// A guess of another length than the OTP is never right.
const WRONG: &str = "0000000";

async fn actions(operator: &Operator) -> Vec<[Value; 3]> {
    let actions = operator.all("/admin/actions", 20).await;
    let told = |action: &Value| ["kind", "subject", "reason"].map(|field| action[field].clone());
    actions.iter().map(told).collect()
}

#[async_test]
async fn what_keeps_a_number_out_is_seen_and_ended() {
    let mut app = Plan::new()
        .set("SEND_COOLDOWN_SECONDS", "600")
        .set("SENDS_PER_NUMBER_DAY", "10")
        .set("WRONG_GUESSES_PER_NUMBER_DAY", "100")
        .set("SENDS_PER_RANGE_HOUR", "10")
        .start()
        .await;
    let operator = Operator::of(&mut app, "operator").await;
    let asked = app.client().ask("Asha", NUMBER).await.expect(200);
    app.delivery_is(asked.delivery_id(), "sent", SOON).await;
    app.client().verify(NUMBER, WRONG).await.expect(401);
    let number = operator.get(PATH).await.expect(200).body["data"].clone();
    assert_eq!(number["phone_number"], "+91********10");
    assert!(number.get("user_id").is_none() && number.get("blocked").is_none(), "{number}");
    assert!((500..=600).contains(&number["cooldown_seconds"].as_u64().unwrap()), "{number}");
    assert_eq!(number["wrong_guesses"], json!({"hour": 1, "day": 1}));
    let code = &number["codes"][0];
    assert_eq!((&code["purpose"], &code["state"]), (&"sign_in".into(), &"live".into()));
    let sms = &number["deliveries"][0];
    assert_eq!((&sms["delivery_id"], &sms["status"]), (&asked.body["delivery_id"], &"sent".into()));
    assert_eq!(number["buckets"][0]["bucket"], "range of +91********10");
    let one = operator.get(&format!("/admin/deliveries/{}", asked.delivery_id())).await.expect(200);
    assert_eq!(&one.body["data"], sms);

    app.client().ask("Asha", NUMBER).await.expect(429);
    let unlocked = operator
        .post(&format!("{PATH}/unlock"), &json!({"reason": "Ticket 4711"}))
        .await
        .expect(200);
    assert_eq!(
        unlocked.body,
        json!({"cooldown": true, "sends": 1, "wrong_guesses": 1, "burned_codes": 0})
    );
    app.sign_in("Asha", NUMBER).await;
    let number = operator.get(PATH).await.expect(200).body["data"].clone();
    assert!(number["user_id"].is_i64(), "{number}");
    let masked = json!("+91********10");
    assert_eq!(
        actions(&operator).await,
        [[json!("number_unlocked"), masked, json!("Ticket 4711")]]
    );
    assert!(!app.logs().contains(&NUMBER[3..]), "a whole number is in the logs");
}

#[async_test]
async fn sms_are_told_in_the_order_in_which_they_were_asked_for() {
    let mut app = App::start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let mut asked = vec![app.ask(NUMBER).await];
    // Of another purpose, and so of another code.
    let deletion = app.client().post_as(&token, "/me/deletion", &json!({})).await.expect(200);
    asked.push(deletion.delivery_id().to_owned());
    asked.push(app.ask(NUMBER).await);
    let number = viewer.get(PATH).await.expect(200).body["data"].take();
    let told = number["deliveries"].as_array().unwrap().iter();
    let told: Vec<_> = told.map(|sms| sms["delivery_id"].as_str().unwrap()).collect();
    assert_eq!(told, asked);
}

#[async_test]
async fn a_number_is_blocked_unblocked_and_erased() {
    let mut app = App::start().await;
    let owner = Operator::of(&mut app, "owner").await;
    app.sign_in("Asha", NUMBER).await;
    let path = |what: &str| format!("{PATH}/{what}");
    let blocked = owner.post(&path("block"), &json!({})).await.expect(200);
    assert_eq!(blocked.body, json!({}));
    app.client().ask("Asha", NUMBER).await.expect_code(403, "number_blocked");
    let again = owner.post(&path("block"), &json!({"minutes": 2})).await.expect(200);
    assert!(again.body["ends_at"].is_string(), "{again:?}");
    let seen = owner.get(PATH).await.expect(200).body["data"]["blocked"].clone();
    assert_eq!(seen, again.body);
    for changed in [true, false] {
        let unblocked = owner.post(&path("unblock"), &json!({})).await.expect(200);
        assert_eq!(unblocked.body, json!({ "changed": changed }));
    }
    app.client().ask("Asha", NUMBER).await.expect(200);
    let erased = owner.post(&path("erase"), &json!({"reason": "They asked"})).await.expect(200);
    assert_eq!(erased.body, json!({"codes": 1, "known_addresses": 1}));
    let kinds: Vec<_> = actions(&owner).await.into_iter().map(|[kind, ..]| kind).collect();
    assert_eq!(
        kinds,
        [
            "number_erased",
            "number_unblocked",
            "number_unblocked",
            "number_blocked",
            "number_blocked"
        ]
    );
    for (what, body, code) in [
        ("block", json!({"minutes": 0}), "invalid_payload"),
        ("block", json!({"minutes": 525_601}), "invalid_payload"),
        ("block", json!({"minutes": 1, "hours": 1}), "invalid_payload"),
        ("unlock", json!({"reason": " "}), "invalid_reason"),
        ("unlock", json!({"reason": "a".repeat(501)}), "invalid_reason"),
        ("unlock", json!({"reason": "a\u{7}"}), "invalid_reason"),
    ] {
        owner.post(&path(what), &body).await.expect_code(400, code);
    }
    let wrong = "/admin/numbers/12";
    owner.get(wrong).await.expect_code(400, "invalid_phone_number");
    let unlock = owner.post(&format!("{wrong}/unlock"), &json!({})).await;
    unlock.expect_code(400, "invalid_phone_number");
    owner.get("/admin/deliveries/x").await.expect_code(404, "delivery_not_found");
    let unknown = format!("/admin/deliveries/{}", "a".repeat(26));
    owner.get(&unknown).await.expect_code(404, "delivery_not_found");
}

#[async_test]
async fn nothing_is_done_unnoted() {
    let mut app = App::start().await;
    let operator = Operator::of(&mut app, "operator").await;
    app.database.refuse("INSERT", "admin_actions").await;
    let refused = operator.post(&format!("{PATH}/block"), &json!({})).await;
    refused.expect_code(503, "unavailable");
    app.database.allow("admin_actions").await;
    app.client().ask("Asha", NUMBER).await.expect(200);
}
