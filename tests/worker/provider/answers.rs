//! Every class of answer: how many tries it leads to, and what is told of it.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::app::{App, Plan, SOON};
use crate::support::eventually;
use crate::support::fake_twilio::Reply;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};

/// An answer to the first try. All later ones are accepted.
struct Case {
    name: &'static str,
    reply: Reply,
    tries: usize,
    /// None where it is sent.
    failure: Option<Failure>,
}

struct Failure {
    reason: &'static str,
    asking_again_helps: bool,
    code: Option<u32>,
}

fn sent(name: &'static str, reply: Reply, tries: usize) -> Case {
    Case { name, reply, tries, failure: None }
}

/// It ends after one try.
fn failed(
    name: &'static str,
    reply: Reply,
    reason: &'static str,
    asking_again_helps: bool,
    code: Option<u32>,
) -> Case {
    Case { name, reply, tries: 1, failure: Some(Failure { reason, asking_again_helps, code }) }
}

fn cases() -> Vec<Case> {
    let permanent = |name, status, code, reason| {
        failed(name, Reply::error(status, code), reason, false, Some(code))
    };
    let nobody_knows = |name, reply| failed(name, reply, "no_answer", true, None);
    vec![
        sent("201", Reply::Accept, 1),
        failed(
            "201, failed for want of a number",
            Reply::Failed(21211),
            "invalid_number",
            false,
            Some(21211),
        ),
        failed(
            "201, failed for another reason",
            Reply::Failed(30008),
            "rejected",
            false,
            Some(30008),
        ),
        failed(
            "201, failed for want of a registered sender",
            Reply::Failed(30034),
            "country_not_enabled",
            false,
            Some(30034),
        ),
        sent("201, failed because the account is suspended", Reply::Failed(30002), 2),
        permanent("400, invalid number", 400, 21211, "invalid_number"),
        permanent("400, country not enabled", 400, 21408, "country_not_enabled"),
        permanent("400, opted out", 400, 21610, "opted_out"),
        permanent("400, not a mobile number", 400, 21614, "not_a_mobile_number"),
        permanent("400, another code", 400, 21999, "rejected"),
        permanent("400, our own number", 400, 21266, "invalid_number"),
        permanent("400, a pair that does not go together", 400, 21612, "country_not_enabled"),
        sent("400, our sender cannot send", Reply::error(400, 21606), 2),
        sent("400, our account is a trial", Reply::error(400, 21608), 2),
        sent("400, our callback's URL", Reply::error(400, 21609), 2),
        sent("400, our sender is not Twilio's", Reply::error(400, 21659), 2),
        sent("400, our Messaging Service is empty", Reply::error(400, 21703), 2),
        sent("400, our sender's queue is full", Reply::error(400, 21611), 2),
        permanent("404, another code", 404, 21999, "rejected"),
        sent("404, no such account", Reply::error(404, 20404), 2),
        sent("401", Reply::error(401, 20003), 2),
        sent("403", Reply::error(403, 20003), 2),
        sent("a redirect", Reply::Redirect, 2),
        sent("429", Reply::error(429, 20429), 2),
        sent("429 with Retry-After", Reply::Error(429, 20429, Some(2)), 2),
        sent("429 with a date", Reply::ErrorUntil(429, 20429, 2), 2),
        sent("500", Reply::error(500, 20500), 2),
        sent("503", Reply::error(503, 20503), 2),
        sent("503 with Retry-After", Reply::Error(503, 20503, Some(2)), 2),
        nobody_knows("closed after the request", Reply::Close),
        nobody_knows("closed after the SMS was accepted", Reply::Lost),
        nobody_knows("no answer", Reply::Never),
        nobody_knows("201 with a broken body", Reply::Unreadable),
    ]
}

#[async_test]
async fn each_answer_has_its_tries_its_status_and_its_reason() {
    // Codes of a short life wait the shortest behind a breaker.
    let app =
        Plan::new().set("PROVIDER_TIMEOUT_SECONDS", "1").set("OTP_TTL_SECONDS", "30").start().await;
    let mut buried = Vec::new();
    for (index, case) in cases().into_iter().enumerate() {
        println!("{}", case.name);
        let number = format!("+9198765432{index:02}");
        app.twilio.script(&number, [case.reply.clone()]);
        let id = app.ask(&number).await;
        match case.failure {
            None => {
                let told = app.delivery_is(&id, "sent", SOON).await;
                assert_eq!(told, json!({"delivery_id": id, "status": "sent"}), "{}", case.name);
                assert_eq!(app.twilio.accepted(&number).len(), 1, "{}", case.name);
            }
            Some(Failure { reason, asking_again_helps, code }) => {
                let told = app.delivery_is(&id, "failed", SOON).await;
                let expected = json!({
                    "delivery_id": id, "status": "failed", "reason": reason, "asking_again_helps": asking_again_helps,
                });
                assert_eq!(told, expected, "{}", case.name);
                buried.push(json!({
                    "delivery_id": id, "status": "failed", "reason": reason, "provider": "twilio",
                    "provider_code": code, "number": format!("+91********{index:02}"),
                }));
            }
        }
        app.no_job_is_left(SOON).await;
        let tries = app.twilio.tries(&number);
        assert_eq!(tries.len(), case.tries, "{}", case.name);
        if let Reply::Error(_, _, Some(seconds)) | Reply::ErrorUntil(_, _, seconds) = case.reply {
            let apart = tries[1].at - tries[0].at;
            assert!(apart >= Duration::from_secs(seconds), "{}: {apart:?} apart", case.name);
        }
        assert!(tries.iter().all(|sms| sms.code() == tries[0].code()), "{}", case.name);
    }
    buried.reverse();
    let mut letters = app.dead_letters().await;
    for letter in &mut letters {
        let at = letter.as_object_mut().unwrap().remove("at").unwrap();
        assert!(at.as_i64().is_some_and(|at| at > 1_700_000_000_000), "{at}");
    }
    assert_eq!(letters, buried, "what failed, newest first, and nothing else");
}

#[async_test]
async fn a_provider_that_is_not_there_is_tried_again() {
    let mut app = App::start().await;
    app.twilio.close().await;
    let id = app.ask(NUMBER).await;
    eventually(SOON, "a failed try", async || {
        (!app.worker_events("sms_try_failed").is_empty()).then_some(())
    })
    .await;
    assert!(app.delivery(&id).await["reason"].is_null(), "it has not ended");
    app.twilio.open().await;
    app.delivery_is(&id, "sent", SOON).await;
    assert_eq!(
        app.twilio.tries(NUMBER).len(),
        1,
        "a connection that was never made carried nothing"
    );
}

#[async_test]
async fn a_code_of_another_secret_is_not_sent() {
    let mut app = Plan::new().workers(0).start().await;
    let id = app.ask(NUMBER).await;
    app.settings
        .insert("OTP_SECRET".to_owned(), "a-secret-that-nobody-told-the-api-about-0123".to_owned());
    app.start_worker().await;
    let told = app.delivery_is(&id, "failed", SOON).await;
    assert_eq!(
        (&told["reason"], &told["asking_again_helps"]),
        (&json!("code_unreadable"), &json!(true))
    );
    assert!(app.twilio.counts().is_empty());
    let letters = app.dead_letters().await;
    assert_eq!(
        (letters.len(), &letters[0]["provider"]),
        (1, &json!(null)),
        "no provider was asked: {letters:?}"
    );
}

/// The least that a code can live.
const LIFE: Duration = Duration::from_secs(30);

/// One app whose provider always gives this answer, or is not there at all: until the code's end,
/// and a moment after it.
async fn for_a_whole_life(reply: Option<Reply>) -> (Value, Vec<Value>) {
    let number = NUMBER;
    let mut app = Plan::new().set("OTP_TTL_SECONDS", &LIFE.as_secs().to_string()).start().await;
    match reply {
        Some(reply) => app.twilio.otherwise(reply),
        None => app.twilio.close().await,
    }
    let asked = Instant::now();
    let id = app.ask(number).await;
    let told = app.delivery_is(&id, "failed", LIFE + Duration::from_secs(10)).await;
    if app.twilio.tries(number).is_empty() {
        app.twilio.open().await;
    }
    let tries = app.twilio.tries(number);
    assert!(tries.iter().all(|sms| sms.at < asked + LIFE), "nothing was tried after the end");
    app.twilio.otherwise(Reply::Accept);
    app.no_job_is_left(SOON).await;
    // The provider works again, and a fresh code goes out; the dead one stays where it is.
    let fresh = app.ask(OTHER_NUMBER).await;
    app.delivery_is(&fresh, "sent", SOON).await;
    assert_eq!(app.twilio.tries(number).len(), tries.len());
    (told, app.dead_letters().await)
}

#[async_test]
async fn what_never_works_ends_with_its_code_for_the_last_reason() {
    let cases = [
        ("503", Some(Reply::error(503, 20503)), "provider_unavailable", true, json!(20503)),
        ("429", Some(Reply::error(429, 20429)), "throttled", true, json!(20429)),
        ("401", Some(Reply::error(401, 20003)), "misconfigured", false, json!(20003)),
        ("refused", None, "provider_unavailable", true, json!(null)),
    ];
    let lives = cases.iter().map(|(_, reply, ..)| for_a_whole_life(reply.clone()));
    for ((name, _, reason, helps, code), (told, letters)) in cases.iter().zip(join_all(lives).await)
    {
        assert_eq!(
            (&told["reason"], &told["asking_again_helps"]),
            (&json!(reason), &json!(helps)),
            "{name}"
        );
        assert_eq!(letters.len(), 1, "{name}: {letters:?}");
        assert_eq!(letters[0]["reason"], *reason, "{name}");
        assert_eq!(letters[0]["provider"], "twilio", "{name}");
        // The code is there where the last try ended it, and not where it waited for another one.
        assert!(
            letters[0]["provider_code"] == *code || letters[0]["provider_code"].is_null(),
            "{name}: {letters:?}"
        );
    }
}
