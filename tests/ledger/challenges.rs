//! Whoever solves a challenge need not wait for a number's cooldown and hour. The client here is a
//! few lines after ALTCHA's description; `tests/browser` has its own library.

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{DAY, HOUR, MINUTE, NUMBER};
use crate::support::client::Answer;
use crate::support::in_process::{Caller, InProcess, Setup};
use crate::support::numbers::{address, spread};

fn setup() -> Setup {
    Setup::limits_off().set("CHALLENGE", "altcha").set("CHALLENGE_DIFFICULTY", 1_000)
}

fn hash(salt: &str, number: u64) -> String {
    HEXLOWER.encode(&Sha256::digest(format!("{salt}{number}")))
}

/// What solves the challenge of an answer.
fn solved(answer: &Answer) -> Value {
    let asked = &answer.body["challenge"];
    let text = |name: &str| asked[name].as_str().unwrap();
    assert_eq!((text("kind"), text("algorithm")), ("altcha", "SHA-256"));
    let most = asked["maxnumber"].as_u64().unwrap();
    let number = (0..=most).find(|number| hash(text("salt"), *number) == text("challenge"));
    json!({
        "algorithm": "SHA-256", "challenge": text("challenge"), "salt": text("salt"),
        "signature": text("signature"), "number": number.expect("a solution"), "took": 1,
    })
}

async fn ask_with(client: &Caller<'_>, number: &str, solution: &Value) -> Answer {
    let payload = BASE64.encode(solution.to_string().as_bytes());
    let body = json!({"name": "Asha", "phone_number": number, "challenge": payload});
    client.post_to("/signup", &body).await
}

fn is_asked(answer: Answer, wait: u64) -> Answer {
    assert_eq!(answer.retry_after(), wait, "{answer:?}");
    let text = "An OTP was just sent; solve the challenge, or wait before asking again";
    let mut plain = answer.clone();
    plain.body.as_object_mut().unwrap().remove("challenge");
    assert_eq!(plain.body, json!({"code": "challenge_required", "error": text}));
    answer.expect(403)
}

async fn cooled_down(app: &InProcess) -> Caller<'_> {
    app.at(&address(0)).ask(NUMBER).await.expect(200);
    app.at(&address(1))
}

#[async_test]
async fn a_solved_challenge_passes_the_cooldown_and_is_good_once() {
    let app = setup().set("SEND_COOLDOWN_SECONDS", 30).start().await;
    let client = cooled_down(&app).await;
    let asked = is_asked(client.ask(NUMBER).await, 30);
    let solution = solved(&asked);
    ask_with(&client, NUMBER, &solution).await.expect(200);
    is_asked(ask_with(&client, NUMBER, &solution).await, 60);
    let again = solved(&client.ask(NUMBER).await);
    let sent = ask_with(&client, NUMBER, &again).await.expect(200);
    let code = app.deliver(&sent).await;
    client.verify(NUMBER, &code).await.expect(200);
}

#[async_test]
async fn it_passes_the_hour_and_not_the_day_or_any_other_limit() {
    let app = setup().set("SENDS_PER_NUMBER_HOUR", 1).set("SENDS_PER_NUMBER_DAY", 3).start().await;
    let client = cooled_down(&app).await;
    let solution = solved(&is_asked(client.ask(NUMBER).await, HOUR.as_secs()));
    ask_with(&client, NUMBER, &solution).await.expect(200);
    // Two thirds of a day are for all.
    app.refused_for(DAY, "number_day_limit", async || client.ask(NUMBER).await).await;

    let limits = setup().set("SEND_COOLDOWN_SECONDS", 30).set("SENDS_PER_HOUR", 1);
    let app = limits.start().await;
    let client = cooled_down(&app).await;
    client.ask(NUMBER).await.expect_code(429, "service_limit");
}

#[async_test]
async fn what_does_not_solve_it_is_no_solution() {
    let app = setup().set("SEND_COOLDOWN_SECONDS", 30).start().await;
    let client = cooled_down(&app).await;
    let right = solved(&client.ask(NUMBER).await);
    let with = |name: &str, value: Value| {
        let mut changed = right.clone();
        changed[name] = value;
        changed
    };
    let (salt, number) = (right["salt"].as_str().unwrap(), right["number"].as_u64().unwrap());
    // One that the client made by itself.
    let mut own = with("salt", json!(salt));
    own["challenge"] = json!(hash(salt, 5));
    own["number"] = json!(5);
    // Digits of the salt's end as part of the number.
    let moved = salt.replace("&for=", "0&for=");
    for wrong in [
        with("number", json!(number + 1)),
        with("signature", json!("00")),
        with("algorithm", json!("SHA-1")),
        with("salt", json!(moved)),
        with("challenge", json!("")),
        own,
        json!({}),
        json!("text"),
    ] {
        is_asked(ask_with(&client, NUMBER, &wrong).await, 30);
    }
    let body = json!({"name": "Asha", "phone_number": NUMBER, "challenge": "no base64"});
    is_asked(client.post_to("/signup", &body).await, 30);
    // It is for its number, and for five minutes.
    client.ask(&spread(0)).await.expect(200);
    is_asked(ask_with(&client, &spread(0), &right).await, 30);
    ask_with(&client, NUMBER, &right).await.expect(200);
    let right = solved(&client.ask(NUMBER).await);
    for _ in 0..3 {
        ask_with(&client, NUMBER, &solved(&client.ask(NUMBER).await)).await.expect(200);
    }
    app.advance(5 * MINUTE);
    assert_eq!(ask_with(&client, NUMBER, &right).await.status, 403);
}

/// Nobody is asked who may send anyway.
#[async_test]
async fn an_owner_at_home_and_a_service_without_challenges_ask_for_none() {
    let app = setup().set("SEND_COOLDOWN_SECONDS", 30).start().await;
    let home = app.at("198.51.100.1");
    home.sign_in(NUMBER).await;
    let client = cooled_down(&app).await;
    app.advance(MINUTE / 2);
    client.ask(NUMBER).await.expect(200);
    app.advance(MINUTE / 2);
    is_asked(client.ask(NUMBER).await, 30);
    home.ask(NUMBER).await.expect(200);

    let app = Setup::limits_off().set("SEND_COOLDOWN_SECONDS", 30).start().await;
    let client = cooled_down(&app).await;
    client.ask(NUMBER).await.expect_code(429, "resend_cooldown");
    ask_with(&client, NUMBER, &json!({})).await.expect_code(429, "resend_cooldown");
}
