//! Several providers in order, and the ways to be at each.

use std::time::Duration;

use serde_json::json;

use crate::support::app::{App, Plan, SOON};
use crate::support::eventually;
use crate::support::fake_twilio::{API_KEY_SID, MESSAGING_SERVICE_SID, Reply, SENDER, code_in};
use crate::support::fake_webhook::{self, FakeWebhook};
use crate::support::numbers::NUMBER;
use crate::support::numbers::numbers;

async fn start(providers: &str) -> (App, FakeWebhook) {
    let webhook = FakeWebhook::start().await;
    let plan = Plan::new().set("SMS_PROVIDERS", providers).set("SMS_WEBHOOK_URL", &webhook.url());
    let app = plan.set("SMS_WEBHOOK_SECRET", &fake_webhook::secret()).start().await;
    (app, webhook)
}

#[async_test]
async fn the_second_provider_stands_in_while_the_first_is_in_trouble() {
    let (app, webhook) = start("twilio,webhook").await;
    app.twilio.otherwise(Reply::error(503, 20503));
    let numbers = numbers(30);
    let mut ids = Vec::new();
    for number in &numbers {
        ids.push(app.ask(number).await);
    }
    for id in &ids {
        app.delivery_is(id, "sent", SOON).await;
    }
    app.no_job_is_left(SOON).await;
    assert!(
        numbers.iter().all(|number| webhook.deliveries(number).len() == 1),
        "each by the second, once"
    );
    assert_eq!(app.twilio.accepted_in_all(), 0);

    app.twilio.otherwise(Reply::Accept);
    let before = webhook.count();
    eventually(SOON, "the first provider again", async || {
        let number = format!("+9198765{:05}", 100 + webhook.count());
        app.delivery_is(&app.ask(&number).await, "sent", SOON).await;
        (!app.twilio.accepted(&number).is_empty()).then_some(())
    })
    .await;
    let during = webhook.count();
    println!("{} by the second until the first was tried again", during - before);
    app.delivery_is(&app.ask("+919876543999").await, "sent", SOON).await;
    assert_eq!(webhook.count(), during, "the first is preferred");
    assert_eq!(webhook.refusals(), [""; 0]);
}

#[async_test]
async fn only_what_another_provider_may_accept_is_given_to_it() {
    let (app, webhook) = start("twilio,webhook").await;
    let [country, both, wrong, late] = [0, 1, 2, 3].map(|last| format!("+91987654321{last}"));
    let not_enabled = Reply::error(400, 21408);
    app.twilio.script(&country, [not_enabled.clone()]);
    app.twilio.script(&both, [not_enabled]);
    webhook.script(&both, [fake_webhook::Reply::Status(400, r#"{"code": 21408}"#)]);
    app.twilio.script(&wrong, [Reply::error(400, 21211)]);
    app.twilio.script(&late, [Reply::Error(429, 20429, Some(3_600))]);

    let id = app.ask(&country).await;
    app.delivery_is(&id, "sent", SOON).await;
    assert_eq!(webhook.deliveries(&country).len(), 1);
    let told = app.delivery_is(&app.ask(&both).await, "failed", SOON).await;
    assert_eq!(told["reason"], "country_not_enabled");
    assert_eq!(webhook.deliveries(&both).len(), 1);
    let told = app.delivery_is(&app.ask(&wrong).await, "failed", SOON).await;
    assert_eq!(told["reason"], "invalid_number");
    assert!(webhook.deliveries(&wrong).is_empty(), "a wrong number is wrong everywhere");
    app.delivery_is(&app.ask(&late).await, "sent", SOON).await;
    assert_eq!(webhook.deliveries(&late).len(), 1, "the first has no time before the code's end");

    app.no_job_is_left(SOON).await;
    assert!(
        app.twilio.counts().values().all(|(tries, _)| *tries == 1),
        "{:?}",
        app.twilio.counts()
    );
    let letters = app.dead_letters().await;
    let whom: Vec<_> =
        letters.iter().map(|letter| (&letter["provider"], &letter["provider_code"])).collect();
    assert_eq!(whom, [(&json!("twilio"), &json!(21211)), (&json!("webhook"), &json!(21408))]);
}

#[async_test]
async fn a_webhook_gets_the_same_signed_message_until_it_takes_it() {
    use fake_webhook::Reply::Status;
    let (app, webhook) = start("webhook").await;
    let replies = [
        Status(500, ""),
        Status(429, "slow down"),
        Status(503, "{"),
        Status(200, r#"{"id": "msg-1"}"#),
    ];
    webhook.script(NUMBER, replies);
    let id = app.ask(NUMBER).await;
    app.delivery_is(&id, "sent", SOON).await;
    app.no_job_is_left(SOON).await;
    let deliveries = webhook.deliveries(NUMBER);
    assert_eq!(deliveries.len(), 4);
    for delivery in &deliveries {
        assert_eq!(delivery.id, id, "the id stays the same");
        assert_eq!(delivery.body["type"], "sms.send");
        let data = &delivery.body["data"];
        assert_eq!(data["to"], NUMBER);
        assert!(
            data["valid_for_seconds"].as_u64().is_some_and(|left| (270..300).contains(&left)),
            "{data}"
        );
        assert_eq!(data["body"], deliveries[0].body["data"]["body"]);
        assert_eq!(data.as_object().unwrap().len(), 3, "{data}");
    }
    let code = code_in(deliveries[0].body["data"]["body"].as_str().unwrap());
    app.client().verify(NUMBER, &code).await.expect(200);
    assert_eq!(webhook.refusals(), [""; 0], "each with a signature of its own timestamp");
}

#[async_test]
async fn a_webhook_s_answers_mean_what_twilio_s_mean() {
    use fake_webhook::Reply::{Close, Status};
    let (app, webhook) = start("webhook").await;
    for (last, reply, reason, helps) in [
        (0, Status(400, r#"{"code": 21610}"#), "opted_out", false),
        (1, Status(422, ""), "rejected", false),
        (2, Status(410, "gone"), "rejected", false),
        (3, Close, "no_answer", true),
    ] {
        let number = format!("+91987654321{last}");
        webhook.script(&number, [reply]);
        let told = app.delivery_is(&app.ask(&number).await, "failed", SOON).await;
        assert_eq!(
            (&told["reason"], &told["asking_again_helps"]),
            (&json!(reason), &json!(helps)),
            "{number}"
        );
        assert_eq!(webhook.deliveries(&number).len(), 1);
    }
    for (last, reply) in [
        (4, Status(401, "")),
        (5, Status(302, "")),
        (6, Status(202, "not JSON")),
        (7, Status(204, "")),
    ] {
        let number = format!("+91987654321{last}");
        webhook.script(&number, [reply]);
        app.delivery_is(&app.ask(&number).await, "sent", Duration::from_secs(30)).await;
        assert_eq!(webhook.deliveries(&number).len(), if last < 6 { 2 } else { 1 }, "{number}");
    }
    assert_eq!(app.worker_events("breaker_opened").len(), 2, "once for each misconfiguration");
    assert_eq!(webhook.refusals(), [""; 0]);
}

/// A 400 that speaks of our sender or account is no fault of the number.
#[async_test]
async fn the_second_provider_stands_in_while_the_first_is_misconfigured() {
    for code in [21606, 21608, 21609, 21659, 21703] {
        let (app, webhook) = start("twilio,webhook").await;
        app.twilio.otherwise(Reply::error(400, code));
        for number in numbers(3) {
            app.delivery_is(&app.ask(&number).await, "sent", SOON).await;
            assert_eq!(webhook.deliveries(&number).len(), 1, "{code}");
        }
        let opened = app.worker_events("breaker_opened");
        assert_eq!(opened.len(), 1, "one alert: {opened:?}");
        assert_eq!(opened[0]["reason"], "misconfigured");
    }
}

#[async_test]
async fn twilio_takes_a_messaging_service_and_an_api_key() {
    let plan = Plan::new().set("TWILIO_MESSAGING_SERVICE_SID", MESSAGING_SERVICE_SID);
    let app =
        plan.set("TWILIO_API_KEY_SID", API_KEY_SID).without("TWILIO_PHONE_NUMBER").start().await;
    let code = app.code_for("Asha", NUMBER).await;
    app.client().verify(NUMBER, &code).await.expect(200);
    let fields = app.twilio.tries(NUMBER).remove(0).fields;
    assert_eq!(fields["MessagingServiceSid"], MESSAGING_SERVICE_SID);
    assert!(!fields.contains_key("From") && !fields.contains_key("StatusCallback"), "{fields:?}");
    assert!(app.twilio.refusals().is_empty());

    let app = App::start().await;
    app.code_for("Asha", NUMBER).await;
    let fields = app.twilio.tries(NUMBER).remove(0).fields;
    assert_eq!(fields["From"], SENDER);
    assert!(!fields.contains_key("MessagingServiceSid"), "{fields:?}");
}
