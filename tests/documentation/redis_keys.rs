//! The pages about Redis have every key that a conversation leaves, and every script.

use std::collections::BTreeSet;

use redis::Connection;
use serde_json::json;

use super::project;
use crate::api::idempotency;
use crate::support::app::{Plan, SOON};
use crate::support::eventually;
use crate::support::fake_twilio::Reply;
use crate::support::markdown::table;
use crate::support::numbers::NUMBER;

const REDIS_KEYS: &str = include_str!("../../docs/design/redis-keys.md");
const QUEUE: &str = include_str!("../../docs/design/queue.md");

#[async_test]
async fn every_key_of_a_conversation_is_in_the_ledger_s_table() {
    const WAITS: &str = "+919876543299";
    // Every limit keeps something of each send and guess, and none is met.
    let app = Plan::new().limits(1_000).set("SEND_COOLDOWN_SECONDS", "0").start().await;
    let mut redis = app.redis.connection();

    let code = app.code_for("Asha", NUMBER).await;
    app.client().verify(NUMBER, "0000000").await.expect(401);
    app.client().verify(NUMBER, &code).await.expect(200);
    // From an address that the number is known by now, and for a number whose SMS waits for a
    // while.
    app.code_for("Asha", NUMBER).await;
    app.twilio.script(WAITS, [Reply::Error(429, 20429, Some(120))]);
    idempotency::post(app.client(), "a-key", &json!({"name": "Asha", "phone_number": WAITS}))
        .await
        .expect(200);
    eventually(SOON, "a retry that waits", async || {
        keys_and_types(&mut redis).iter().any(|(key, _)| key.ends_with(":retry")).then_some(())
    })
    .await;

    let forms: Vec<(&str, &str)> = [table(REDIS_KEYS, "Keys"), table(QUEUE, "Keys")]
        .into_iter()
        .flatten()
        .map(|row| (row[0].trim_matches('`'), row[1]))
        .collect();
    let mut met = BTreeSet::new();
    for (key, kind) in keys_and_types(&mut redis) {
        let fitting = forms.iter().filter(|(form, _)| fits(&key, form));
        let (form, told) = fitting
            .max_by_key(|(form, _)| form.len())
            .unwrap_or_else(|| panic!("docs/design knows no key like {key}"));
        assert_eq!(*told, kind, "{key}");
        met.insert(*form);
    }
    assert!(met.len() >= 15, "this conversation leaves too little to tell: {met:?}");
}

fn keys_and_types(redis: &mut Connection) -> Vec<(String, String)> {
    let script = redis::Script::new(
        "local found = {}
         for _, key in ipairs(redis.call('KEYS', '*')) do
           found[#found + 1] = { key, redis.call('TYPE', key).ok }
         end
         return found",
    );
    script.invoke(redis).unwrap()
}

/// Does a key have that form? `<…>` stands for one character or more.
fn fits(key: &str, form: &str) -> bool {
    let mut literals = form.split(['<', '>']).step_by(2);
    let Some(mut rest) = literals.next().and_then(|first| key.strip_prefix(first)) else {
        return false;
    };
    for literal in literals {
        let Some(tail) = rest.get(1..) else { return false };
        rest = match (literal, tail.split_once(literal)) {
            ("", _) => "",
            (_, Some((_, after))) => after,
            (_, None) => return false,
        };
    }
    rest.is_empty()
}

#[test]
fn keys_fit_their_forms() {
    for (key, form, fit) in [
        ("a:b", "a:b", true),
        ("a:b:c", "a:b", false),
        ("a:x", "a:<one>", true),
        ("a:", "a:<one>", false),
        ("a:x:b:y", "a:<one>:b:<two>", true),
        ("a:x:y", "a:<one>:b:<two>", false),
        ("a:x:b", "a:<one>:b", true),
    ] {
        assert_eq!(fits(key, form), fit, "{key} {form}");
    }
}

#[test]
fn every_script_is_in_its_table() {
    let table = table(REDIS_KEYS, "Scripts");
    let told: BTreeSet<&str> = table.iter().map(|row| row[0].trim_matches('`')).collect();
    let mut there = BTreeSet::new();
    for folder in ["common/src/ledger/lua", "common/src/queue/lua"] {
        for file in std::fs::read_dir(project().join(folder)).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            // Shared parts are no scripts.
            there.extend(Some(name).filter(|name| name != "lib" && name != "decide"));
        }
    }
    assert_eq!(told, there.iter().map(String::as_str).collect::<BTreeSet<_>>());
}
