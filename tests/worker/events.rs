//! Events that are posted to the operator's webhook.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use clap::{CommandFactory, FromArgMatches};
use common::accounts::{Accounts, Renamed};
use common::domain::ids::SessionId;
use common::domain::person_name::PersonName;
use common::domain::token::Token;
use common::ledger::connection::Redis;
use common::ledger::outgoing_events::EventQueue;
use common::runtime::clock::Clock;
use http::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use worker::config::Cli;
use worker::events::{EventPoster, EventsWebhook};

use crate::api::sessions::{self, SignedIn};
use crate::support::accounts::{AccountStores, client};
use crate::support::app::{App, Plan, SOON};
use crate::support::durations::{DAY, HOUR};
use crate::support::eventually;
use crate::support::fake_receiver::{FakeReceiver, Received};
use crate::support::fake_twilio::Reply;
use crate::support::fake_webhook;
use crate::support::numbers::{NUMBER, OTHER_NUMBER, THIRD_NUMBER};
use crate::support::operators::scrape;
use crate::support::process::Process;

fn plan(receiver: &FakeReceiver) -> Plan {
    Plan::new()
        .set("EVENTS_WEBHOOK_URL", &receiver.url())
        .set("EVENTS_WEBHOOK_SECRET", &fake_webhook::secret())
}

/// Runs `worker events …`; returns what it prints.
async fn command(app: &App, arguments: &[&str]) -> Value {
    let arguments = [&["events"], arguments, &["--json"]].concat();
    let mut program = Process::spawn("events", "worker", &arguments, &app.settings, app.folder());
    let status = program.ended(SOON).await;
    assert!(status.success(), "{status}: {}", program.stderr());
    serde_json::from_str(&program.stdout()).unwrap()
}

fn kinds(events: &[Received]) -> Vec<&str> {
    events.iter().map(Received::kind).collect()
}

fn without_sequence(event: &Received) -> Value {
    let mut data = event.body["data"].clone();
    assert!(data.as_object_mut().unwrap().remove("sequence").is_some_and(|it| it.is_i64()));
    data
}

#[async_test]
async fn each_change_is_told_once_with_what_it_was() {
    const NEW: &str = THIRD_NUMBER;
    let receiver = FakeReceiver::start().await;
    let app = plan(&receiver).set("SESSIONS_PER_USER", "2").start().await;
    let client = app.client();

    let first = app.sign_in("Asha", NUMBER).await;
    let id = first.body["data"]["id"].clone();
    app.sign_in("Asha", NUMBER).await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let rename = json!({"name": "Bela", "version": 1}).to_string();
    client.send(Method::PATCH, "/me", headers, rename).await.expect(200);
    let change = json!({"phone_number": NEW});
    client.post_as(&token, "/me/phone-number", &change).await.expect(200);
    let current = app.twilio.wait_for_sms(NUMBER, 4, SOON).await[3].code();
    let new = app.twilio.wait_for_sms(NEW, 1, SOON).await[0].code();
    let change = json!({"phone_number": NEW, "current_otp": current, "new_otp": new});
    client.post_as(&token, "/me/phone-number", &change).await.expect(200);
    app.twilio.script(OTHER_NUMBER, [Reply::error(400, 21211)]);
    let undelivered = app.ask(OTHER_NUMBER).await;
    app.delivery_is(&undelivered, "failed", SOON).await;
    let asked = client.post_as(&token, "/me/deletion", &json!({})).await.expect(200);
    app.delivery_is(asked.delivery_id(), "sent", SOON).await;
    let code = app.twilio.wait_for_sms(NEW, 2, SOON).await[1].code();
    client.post_as(&token, "/me/deletion", &json!({"otp": code})).await.expect(200);

    let events = receiver.wait_for(11, SOON).await;
    let of_user: Vec<_> =
        events.iter().filter(|event| event.kind() != "sms.undelivered").cloned().collect();
    assert_eq!(
        kinds(&of_user),
        [
            "user.created",
            "session.started",
            "session.started",
            "session.started",
            "session.ended",
            "user.updated",
            "session.ended",
            "user.number_changed",
            "session.ended",
            "user.deleted",
        ]
    );
    assert_eq!(
        without_sequence(&of_user[0]),
        json!({"user_id": id, "name": "Asha", "phone_number": NUMBER})
    );
    let session = |at: usize| of_user[at].body["data"]["session_id"].clone();
    let started = of_user[1].body["data"].as_object().unwrap();
    assert_eq!(started["user_id"], id);
    assert!(started["expires_at"].as_str().unwrap().ends_with('Z'), "{started:?}");
    assert_eq!(
        started.keys().collect::<BTreeSet<_>>().len(),
        5,
        "user, session, device, expiry, sequence: {started:?}"
    );
    for (at, ended, reason) in [
        (4, session(1), "session_limit"),
        (6, session(2), "number_changed"),
        (8, session(3), "user_deleted"),
    ] {
        assert_eq!(
            without_sequence(&of_user[at]),
            json!({"user_id": id, "session_id": ended, "reason": reason})
        );
    }
    assert_eq!(without_sequence(&of_user[5]), json!({"user_id": id, "name": "Bela", "version": 2}));
    assert_eq!(
        without_sequence(&of_user[7]),
        json!({"user_id": id, "old_phone_number": NUMBER, "phone_number": NEW})
    );
    assert_eq!(without_sequence(&of_user[9]), json!({"user_id": id, "phone_number": NEW}));
    let sms = events.iter().find(|event| event.kind() == "sms.undelivered").unwrap();
    assert_eq!(sms.id, format!("sms_{undelivered}"));
    assert_eq!(
        without_sequence(sms),
        json!({
            "delivery_id": undelivered, "phone_number": OTHER_NUMBER, "status": "failed",
            "reason": "invalid_number",
        })
    );
    for event in &events {
        assert!(event.body["timestamp"].as_str().unwrap().ends_with('Z'), "{event:?}");
    }
    // Nothing comes twice, and nothing is left.
    eventually(SOON, "an empty outbox", async || {
        app.database.column::<String>("SELECT kind FROM outbox").await.is_empty().then_some(())
    })
    .await;
    let ids: BTreeSet<_> = receiver.received().into_iter().map(|event| event.id).collect();
    assert_eq!((ids.len(), receiver.received().len()), (11, 11));
    app.no_job_is_left(SOON).await;
    let logs = app.logs();
    for number in [NUMBER, OTHER_NUMBER, NEW] {
        assert!(!logs.contains(number), "a whole number in the logs");
    }
}

#[async_test]
async fn the_reason_says_who_ended_a_session() {
    let receiver = FakeReceiver::start().await;
    let app = sessions::plan(1)
        .workers(1)
        .set("EVENTS_WEBHOOK_URL", &receiver.url())
        .set("EVENTS_WEBHOOK_SECRET", &fake_webhook::secret())
        .start()
        .await;
    let mut expected = Vec::new();
    let mut ends = async |user: &SignedIn, reason: &'static str| {
        expected.push((user.session_id().await, reason));
    };
    let sign_in = async || SignedIn::with(app.client(), NUMBER, "").await;
    let (first, there, here) = (sign_in().await, sign_in().await, sign_in().await);
    ends(&first, "signed_out").await;
    first.delete("/tokens/current").await.expect(204);
    ends(&there, "ended_elsewhere").await;
    here.delete(&format!("/tokens/{}", there.session_id().await)).await.expect(204);
    ends(&here, "signed_out_everywhere").await;
    here.delete("/tokens").await.expect(204);
    ends(&sign_in().await, "ended_by_operator").await;
    let arguments = ["sessions", "end", NUMBER];
    let mut program = Process::spawn("end", "api", &arguments, &app.settings, app.folder());
    assert!(program.ended(SOON).await.success(), "{}", program.stderr());

    let events = receiver.wait_for(9, SOON).await;
    let text =
        |event: &Received, field: &str| event.body["data"][field].as_str().unwrap().to_owned();
    let ended = events.iter().filter(|event| event.kind() == "session.ended");
    let ended: Vec<_> =
        ended.map(|event| (text(event, "session_id"), text(event, "reason"))).collect();
    let ended: Vec<_> =
        ended.iter().map(|(session, reason)| (session.clone(), reason.as_str())).collect();
    assert_eq!(ended, expected, "in the order of their sequence");
    assert_eq!((events.len(), events[0].kind()), (9, "user.created"));
    for (session, _) in &expected {
        let of_it = events.iter().filter(|event| event.body["data"]["session_id"] == **session);
        assert_eq!(
            kinds(&of_it.cloned().collect::<Vec<_>>()),
            ["session.started", "session.ended"]
        );
    }
}

#[async_test]
async fn without_a_webhook_nothing_is_written() {
    let app = App::start().await;
    app.sign_in("Asha", NUMBER).await;
    assert!(app.database.column::<String>("SELECT kind FROM outbox").await.is_empty());
}

/// The API is told of the webhook and writes events; somebody forgot the worker.
#[async_test]
async fn a_worker_says_that_events_wait_for_a_webhook_that_it_does_not_have() {
    let receiver = FakeReceiver::start().await;
    let mut app = plan(&receiver).workers(0).start().await;
    let now = Clock::default();
    let accounts = Accounts::connect(&app.database.url().into(), 1).await.unwrap();
    app.settings.retain(|name, _| !name.starts_with("EVENTS_WEBHOOK"));
    app.start_worker().await;
    app.code_for("Asha", NUMBER).await;
    assert!(app.worker_events("events_wait_for_webhook").is_empty());
    tell(&accounts.telling_webhook(true), &now).await;
    app.start_worker().await;
    let told = eventually(SOON, "a warning", async || {
        Some(app.worker_events("events_wait_for_webhook")).filter(|told| !told.is_empty())
    })
    .await;
    assert_eq!(
        (&told[0]["waiting"], &told[0]["setting"]),
        (&json!(EVENTS), &json!("EVENTS_WEBHOOK_URL"))
    );
    assert!(receiver.received().is_empty());
}

#[async_test]
async fn a_webhook_that_hangs_delays_no_sms() {
    let receiver = FakeReceiver::start().await;
    receiver.hangs();
    let app = plan(&receiver).start().await;
    for _ in 0..20 {
        app.sign_in("Asha", NUMBER).await;
    }
    eventually(SOON, "requests that hang", async || {
        (receiver.received().len() >= 16).then_some(())
    })
    .await;
    let start = Instant::now();
    app.sign_in("Ravi", OTHER_NUMBER).await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[async_test]
async fn a_webhook_that_fails_gets_the_same_again() {
    let receiver = FakeReceiver::start().await;
    receiver.answers(500);
    let app = plan(&receiver).start().await;
    app.sign_in("Asha", NUMBER).await;
    eventually(SOON, "two requests", async || (receiver.received().len() == 2).then_some(())).await;
    receiver.answers(204);
    let events = receiver.wait_for(2, SOON).await;
    let all = receiver.received();
    assert_eq!(all.len(), 4, "{all:?}");
    for event in events {
        let of_it: Vec<_> = all.iter().filter(|request| request.id == event.id).collect();
        assert_eq!(of_it.len(), 2, "{all:?}");
        assert_eq!(of_it[0].text, of_it[1].text);
    }
}

#[async_test]
async fn a_webhook_that_is_gone_is_left_alone_until_it_is_resumed() {
    let receiver = FakeReceiver::start().await;
    receiver.answers(410);
    let mut app = plan(&receiver).start().await;
    app.sign_in("Asha", NUMBER).await;
    let off =
        async |app: &mut App| scrape(&mut app.workers[0]).await.value("cheershare_events_off", &[]);
    let deadline = Instant::now() + SOON;
    while off(&mut app).await != 1.0 {
        assert!(Instant::now() < deadline, "it is never turned off");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(app.worker_events("events_turned_off").len(), 1);
    receiver.answers(204);
    app.sign_in("Asha", NUMBER).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(receiver.accepted().is_empty(), "{:?}", receiver.accepted());

    let resumed = command(&app, &["resume"]).await;
    assert_eq!(resumed["were_off"], true, "{resumed}");
    let events = receiver.wait_for(3, SOON).await;
    assert_eq!(kinds(&events), ["user.created", "session.started", "session.started"]);
    assert_eq!(command(&app, &["resume"]).await["were_off"], false);
}

/// A first sign-in and eighteen new names.
const EVENTS: usize = 20;

/// The part of a worker that posts events, in this process: time is the test's.
struct Posting {
    app: App,
    receiver: FakeReceiver,
    clock: Clock,
    stop: CancellationToken,
}

impl Posting {
    /// With so many events of one user, and a receiver that answers `status`.
    async fn start(status: u16) -> Self {
        let clock = Clock::manual(Clock::default().unix_ms());
        let receiver = FakeReceiver::start_at(clock.clone()).await;
        receiver.answers(status);
        let app = plan(&receiver).apis(0).workers(0).start().await;
        let settings = [
            "worker".to_owned(),
            format!("--events-webhook-url={}", receiver.url()),
            format!("--events-webhook-secret={}", fake_webhook::secret()),
        ];
        let command = Cli::command().mut_args(|argument| argument.env(""));
        let matches = command.try_get_matches_from(settings).unwrap();
        let config = Cli::from_arg_matches(&matches).unwrap().config;
        let webhook =
            EventsWebhook::from_config(&config.app, &config.events, &config.events_secret);
        let redis = Redis::new(&app.redis.url()).unwrap();
        let accounts = Accounts::connect(&app.database.url().into(), 4).await.unwrap();
        tell(&accounts.clone().telling_webhook(true), &clock).await;
        let connection = redis.connection(SOON);
        let poster = EventPoster {
            accounts,
            queue: EventQueue::new(connection.clone()),
            redis: connection,
            webhook: webhook.unwrap().unwrap(),
            clock: clock.clone(),
        };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move { poster.run(&redis, SOON, stopped).await });
        Self { app, receiver, clock, stop }
    }

    /// Waits until all that is due was posted; returns when all the others are (Unix ms), if there
    /// are any.
    async fn settled(&self) -> Option<i64> {
        let now = self.clock.unix_ms();
        let column = async |what: &str| -> Vec<i64> {
            let sql = format!("SELECT due_at FROM outbox WHERE kind = 'event' {what}");
            self.app.database.column(&sql).await
        };
        // Those that a job has are due again in a minute, and time stands still.
        let in_hand = format!("AND (due_at <= {now} OR due_at = {now} + 60000)");
        eventually(SOON, "an outbox with nothing that is due", async || {
            column(&in_hand).await.is_empty().then_some(())
        })
        .await;
        column("").await.into_iter().max()
    }

    /// Lets time go on until all that wait are due, and waits until they were posted. Says whether
    /// there were any.
    async fn go_on(&self) -> bool {
        let Some(due_at) = self.settled().await else { return false };
        let wait = u64::try_from(due_at - self.clock.unix_ms()).unwrap();
        self.clock.advance(Duration::from_millis(wait));
        self.settled().await;
        true
    }
}

impl Drop for Posting {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[async_test]
async fn a_webhook_that_was_away_for_an_hour_gets_all_in_the_end() {
    let posting = Posting::start(503).await;
    let (receiver, begin) = (&posting.receiver, posting.clock.unix_ms());
    let over = || Duration::from_millis((posting.clock.unix_ms() - begin).try_into().unwrap());
    while over() < HOUR {
        assert!(posting.go_on().await);
    }
    assert!(receiver.accepted().is_empty());
    let tries = receiver.received().len();
    assert!((5 * EVENTS..=8 * EVENTS).contains(&tries), "{tries} requests within an hour");

    receiver.answers(204);
    assert!(posting.go_on().await);
    let accepted = receiver.wait_for(EVENTS, SOON).await;
    let first: BTreeSet<_> = receiver.received()[..EVENTS].iter().map(|it| it.id.clone()).collect();
    let ids: BTreeSet<_> = accepted.iter().map(|event| event.id.clone()).collect();
    assert_eq!((accepted.len(), first.len(), &ids), (EVENTS, EVENTS, &first));
    let versions: Vec<_> = accepted.iter().map(|it| it.body["data"]["version"].as_i64()).collect();
    let expected: Vec<_> = (2..=19).map(Some).collect();
    assert_eq!(versions[2..], expected, "in the order of their sequence");
    assert!(!posting.go_on().await, "nothing is left");
}

#[async_test]
async fn what_nobody_takes_for_three_days_is_listed_and_can_be_replayed() {
    let posting = Posting::start(500).await;
    let (app, receiver, begin) = (&posting.app, &posting.receiver, posting.clock.unix_ms());
    while posting.go_on().await {
        assert_eq!(receiver.received().len() % EVENTS, 0, "all are tried, and again");
    }
    let over = Duration::from_millis((posting.clock.unix_ms() - begin).try_into().unwrap());
    assert!(over.abs_diff(3 * DAY) < 10 * HOUR, "{over:?}");
    let dead = command(app, &["list"]).await;
    let dead = dead.as_array().unwrap();
    assert_eq!(dead.len(), EVENTS);
    assert_eq!(
        (&dead[0]["type"], &dead[0]["failure"], &dead[0]["attempts"]),
        (&json!("user.updated"), &json!("status 500"), &json!(17))
    );

    receiver.answers(204);
    let one = dead[3]["sequence"].to_string();
    assert_eq!(command(app, &["replay", &one]).await, json!({"replayed": 1}));
    assert_eq!(receiver.wait_for(1, SOON).await[0].id, dead[3]["id"]);
    assert_eq!(command(app, &["replay"]).await, json!({"replayed": EVENTS - 1}));
    assert_eq!(receiver.wait_for(EVENTS, SOON).await.len(), EVENTS);
    eventually(SOON, "an empty outbox", async || {
        app.database.column::<String>("SELECT kind FROM outbox").await.is_empty().then_some(())
    })
    .await;
}

async fn tell(accounts: &Accounts, clock: &Clock) {
    let now = clock.now();
    let name = PersonName::parse("Asha").unwrap().unwrap();
    let session = AccountStores::session(&Token::random(), now + time::Duration::HOUR);
    let signed_in =
        accounts.sign_in(&NUMBER.parse().unwrap(), &name, session, 0, now).await.unwrap();
    let session = SessionId::random();
    for version in 1..=18 {
        let name = PersonName::parse(&format!("Asha {version}")).unwrap().unwrap();
        let user_id = signed_in.user.id;
        let renamed = accounts.rename(user_id, version, &name, &session, &client(), now).await;
        assert!(matches!(renamed.unwrap(), Renamed::To(_)));
    }
}

#[async_test]
async fn a_worker_that_is_killed_while_it_posts_loses_nothing() {
    let receiver = FakeReceiver::start().await;
    receiver.hangs();
    let mut app = plan(&receiver).start().await;
    for _ in 0..12 {
        app.sign_in("Asha", NUMBER).await;
    }
    eventually(SOON, "requests that hang", async || {
        (receiver.received().len() >= 13).then_some(())
    })
    .await;
    drop(app.workers.remove(0));
    receiver.answers(204);
    app.start_worker().await;
    // Its jobs are given to others after ten seconds; an event without a job gets one in a minute.
    let events = receiver.wait_for(13, Duration::from_secs(90)).await;
    let ids: BTreeSet<_> = receiver.received().into_iter().map(|event| event.id).collect();
    assert_eq!((events.len(), ids.len()), (13, 13), "the same ids, before and after");
}
