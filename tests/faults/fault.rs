//! What has to be true while a fault lasts and when it is over, whatever it is.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::support::app::{App, SOON};
use crate::support::client::Answer;
use crate::support::eventually;
use crate::support::fake_twilio::Reply;
use crate::support::operators::{operators_client, scrape};
use crate::support::process::Process;

/// The longest that a user may wait for an answer, whatever is broken.
const AT_MOST: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(100);

/// Has a token.
const RAVI: &str = "+919876543210";
/// Has a code, which the fault must not cost her.
pub(crate) const ASHA: &str = "+919876543211";
/// Their SMS is on its way to the provider when the fault begins; it answers while the fault lasts.
const OPEN: &str = "+919876543212";
/// Their SMS has been refused once.
const RETRIED: &str = "+919876543213";
/// Asks while the fault lasts.
const MEENA: &str = "+919876543214";

/// How one kind of request is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Seen {
    /// 200.
    Works,
    /// 503 `unavailable`, which names Redis.
    OtpStoreMissing,
    /// 503 `unavailable`, which names the database.
    UserStoreMissing,
}

/// A fault, as it shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// `POST /signup` for an OTP.
    pub(crate) ask: Seen,
    /// `POST /signup` with the right one.
    pub(crate) verify: Seen,
    /// `GET /protected`.
    pub(crate) protected: Seen,
    /// `GET /deliveries/{delivery_id}`.
    pub(crate) delivery: Seen,
    /// The store that `/readyz` and `cheershare_store_up` of both programs name.
    pub(crate) missing: Option<&'static str>,
    /// Redis gets to what was asked for meanwhile when it is over.
    pub(crate) sends_late: bool,
    pub(crate) api_event: &'static str,
    /// What that event says of the reason.
    pub(crate) reason: &'static str,
    pub(crate) worker_events: &'static [&'static str],
}

/// Who was there before the fault.
#[derive(Debug)]
pub(crate) struct Before {
    token: String,
    code: String,
    open: String,
    retried: String,
    processes: Vec<u32>,
}

impl Before {
    /// Somebody is signed in, somebody has a code, one SMS is being sent, and one will be tried
    /// again.
    pub(crate) async fn of(app: &App) -> Self {
        let token = app.sign_in("Ravi", RAVI).await.token().to_owned();
        let code = app.code_for("Asha", ASHA).await;
        app.twilio.script(OPEN, [Reply::accept_after(Duration::from_secs(2))]);
        app.twilio.script(RETRIED, [Reply::error(503, 20503)]);
        let (retried, open) = (app.ask(RETRIED).await, app.ask(OPEN).await);
        app.twilio.wait_for_tries(RETRIED, 1, SOON).await;
        app.twilio.wait_for_tries(OPEN, 1, SOON).await;
        Self { token, code, open, retried, processes: processes(app) }
    }
}

impl Before {
    pub(crate) async fn protected(&self, app: &App) -> Answer {
        app.client().protected(&self.token).await
    }
}

impl Fault {
    /// Asserts what users and operators see, from now on for `time` at least.
    pub(crate) async fn lasts(&self, time: Duration, app: &mut App, before: &Before) {
        let start = Instant::now();
        let mut longest = Duration::ZERO;
        let mut rounds = 0;
        while rounds < 3 || start.elapsed() < time {
            longest = longest.max(self.users_see(app, before).await);
            rounds += 1;
            sleep(PAUSE).await;
        }
        self.operators_see(app).await;
        let run = std::thread::current();
        println!(
            "{}: {rounds} rounds in {:.1?}, the longest answer took {longest:.1?}",
            run.name().unwrap_or_default(),
            start.elapsed()
        );
    }

    /// Returns how long the longest answer took.
    async fn users_see(&self, app: &App, before: &Before) -> Duration {
        let client = app.client();
        let mut longest = Duration::ZERO;
        longest = longest.max(self.ask.in_time(client.ask("Meena", MEENA)).await);
        longest = longest.max(self.verify.in_time(client.verify(ASHA, &before.code)).await);
        longest = longest.max(self.protected.in_time(client.protected(&before.token)).await);
        let path = format!("/deliveries/{}", before.open);
        longest.max(self.delivery.in_time(client.get(&path, None)).await)
    }

    /// Both programs say which store is missing, or that none is; the API's log has the reason;
    /// answers of 503 are counted.
    async fn operators_see(&self, app: &mut App) {
        app.client().get("/healthz", None).await.expect(200);
        for process in app.apis.iter_mut().chain(&mut app.workers) {
            let metrics = scrape(process).await;
            for store in ["redis", "database"] {
                let up = metrics.value("cheershare_store_up", &[("store", store)]);
                assert_eq!(up == 1.0, self.missing != Some(store), "{store}: {up}");
            }
        }
        let worker = operators_client(&mut app.workers[0]).await;
        self.is_told_by(&app.client().get("/readyz", None).await, true);
        self.is_told_by(&worker.get("/readyz", None).await, self.missing != Some("redis"));
        let refused = scrape(&mut app.apis[0])
            .await
            .value("cheershare_http_requests_total", &[("status", "503")]);
        assert!(refused >= 3.0, "{refused}");
        let events = app.apis[0].events(self.api_event);
        let says = |event: &serde_json::Value| {
            event["error"].as_str().is_some_and(|error| error.contains(self.reason))
        };
        assert!(events.iter().any(says), "{events:?}");
        for event in self.worker_events {
            assert!(!app.worker_events(event).is_empty(), "{event}");
        }
    }

    fn is_told_by(&self, answer: &Answer, ready: bool) {
        assert_eq!(
            (answer.status, &answer.body["ready"], &answer.body["degraded"]),
            (if ready { 200 } else { 503 }, &ready.into(), &self.missing.is_some().into())
        );
        for store in ["redis", "database"] {
            assert_eq!(answer.body[store]["ok"], self.missing != Some(store), "{answer:?}");
        }
    }

    /// Nothing has to be restarted, and nothing is half-done: Asha's code signs her in and makes
    /// her user, once; what was on its way has arrived once; what was answered with 503 was not
    /// sent.
    pub(crate) async fn is_over(&self, app: &mut App, before: &Before) {
        let start = Instant::now();
        let signed_in = eventually(SOON, "a sign-in with the code of before", async || {
            let answer = app.client().verify(ASHA, &before.code).await;
            assert!(answer.status == 200 || answer.status == 503, "{answer:?}");
            (answer.status == 200).then_some(answer)
        })
        .await;
        let after = start.elapsed();
        assert_eq!(signed_in.body["message"], "User registered successfully");
        assert_eq!(app.database.users_with(ASHA).await, 1);
        app.client().verify(ASHA, &before.code).await.expect_code(401, "invalid_otp");
        app.client().protected(signed_in.token()).await.expect(200);
        for id in [&before.open, &before.retried] {
            app.delivery_is(id, "sent", SOON).await;
        }
        assert_eq!(
            (app.twilio.tries(OPEN).len(), app.twilio.accepted(RETRIED).len()),
            (1, 1),
            "each once"
        );
        if self.ask == Seen::OtpStoreMissing && !self.sends_late {
            assert_eq!(app.twilio.tries(MEENA).len(), 0, "told that it was not sent");
        }
        let code = app.code_after_outage("Meena", MEENA).await;
        app.client().verify(MEENA, &code).await.expect(200);
        let run = std::thread::current();
        println!("{}: signed in {after:.1?} after its end", run.name().unwrap_or_default());
        if self.worker_events.contains(&"queue_trouble") {
            eventually(SOON, "the end of the worker's trouble", async || {
                (!app.worker_events("queue_trouble_over").is_empty()).then_some(())
            })
            .await;
        }

        let worker = operators_client(&mut app.workers[0]).await;
        eventually(SOON, "both programs ready", async || {
            let (api, worker) =
                (app.client().get("/readyz", None).await, worker.get("/readyz", None).await);
            [api, worker].iter().all(|answer| answer.body["degraded"] == false).then_some(())
        })
        .await;
        app.no_job_is_left(SOON).await;
        assert_eq!(processes(app), before.processes);
        assert!(app.apis.iter_mut().chain(&mut app.workers).all(|process| process.is_running()));
    }
}

impl Seen {
    /// Asserts the answer, and that it comes in time; returns how long it took.
    async fn in_time(self, answer: impl Future<Output = Answer>) -> Duration {
        let start = Instant::now();
        let answer = answer.await;
        let took = start.elapsed();
        assert!(took < AT_MOST, "{took:?}: {answer:?}");
        match self {
            Self::Works => drop(answer.expect(200)),
            Self::OtpStoreMissing => {
                answer.expect_error(503, "The OTP store is unavailable", "unavailable")
            }
            Self::UserStoreMissing => {
                answer.expect_error(503, "The user store is unavailable", "unavailable")
            }
        }
        took
    }
}

fn processes(app: &App) -> Vec<u32> {
    app.apis.iter().chain(&app.workers).map(Process::id).collect()
}
