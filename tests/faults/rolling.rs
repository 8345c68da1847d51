//! Every process is replaced, one after the other, while people sign in.

use std::ops::Range;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::random::seed;
use crate::support::app::{App, Plan, SOON};
use crate::support::fake_twilio::Reply;
use crate::support::load_balancer::LoadBalancer;
use crate::support::records::challenge;
use crate::support::settings::OTP_SECRET;
use crate::users::{Crowd, LONGEST_HOLD, Tally};

const PEOPLE: usize = 16;
/// Longer than the load balancer needs to notice, also on a busy machine.
const DELAY: &str = "2";
/// Of an OTP's life, by rounds: each has other settings, so that other scripts run side by side.
const TTL_SECONDS: [&str; 3] = ["290", "310", "300"];

/// The processes that serve, among all that there were.
struct Fleet {
    app: App,
    balancer: LoadBalancer,
    apis: Range<usize>,
    workers: Range<usize>,
    replaced: usize,
}

impl Fleet {
    async fn start(plan: Plan, apis: usize, workers: usize) -> Self {
        let app = plan.apis(apis).workers(workers).set("SHUTDOWN_DELAY", DELAY).start().await;
        app.twilio.otherwise_by(|_, _| Reply::accept_after(Duration::from_millis(150)));
        let balancer = LoadBalancer::start().await;
        for api in 0..apis {
            balancer.add(app.client_of(api).address()).await;
        }
        Self { app, balancer, apis: 0..apis, workers: 0..workers, replaced: 0 }
    }

    /// Each process gets a successor with the settings of now, and then ends.
    async fn replace_all(&mut self) {
        for old in self.apis.clone() {
            self.app.start_api().await;
            let newest = self.app.apis.len() - 1;
            self.balancer.add(self.app.client_of(newest).address()).await;
            self.end_api(old).await;
        }
        for old in self.workers.clone() {
            self.app.start_worker().await;
            self.end_worker(old).await;
        }
        self.replaced += self.apis.len() + self.workers.len();
        self.apis = self.apis.end..self.app.apis.len();
        self.workers = self.workers.end..self.app.workers.len();
    }

    async fn end_api(&mut self, index: usize) {
        let api = &mut self.app.apis[index];
        api.signal("TERM");
        api.wait_for_event("stopping", SOON).await;
        let client = self.app.client_of(index).clone();
        let ready = client.get("/readyz", None).await.expect(503);
        assert_eq!(
            (&ready.body["stopping"], ready.header("connection")),
            (&true.into(), "close"),
            "{ready:?}"
        );
        let api = &mut self.app.apis[index];
        let status = api.ended(SOON).await;
        assert!(status.success(), "{status}");
        assert!(api.events("connections_cut").is_empty(), "it had time enough");
        assert!(self.balancer.remove(client.address()) > 0, "it had something to do");
    }

    async fn end_worker(&mut self, index: usize) {
        let worker = &mut self.app.workers[index];
        worker.signal("TERM");
        let status = worker.ended(SOON).await;
        assert!(status.success(), "{status}");
        assert!(worker.events("jobs_given_up").is_empty(), "it had time enough");
        assert!(!worker.events("sms_sent").is_empty(), "it had something to do");
    }

    /// Nothing was lost and nothing was sent twice; tells what happened.
    async fn close(self, tally: &Tally, start: Instant) {
        self.app.no_job_is_left(SOON).await;
        for event in
            ["sms_may_repeat", "sms_failed", "sms_dropped", "sms_try_failed", "otp_not_restored"]
        {
            assert!(self.app.worker_events(event).is_empty(), "{event}");
        }
        assert!(self.app.twilio.refusals().is_empty());
        assert_eq!(self.app.twilio.accepted_in_all(), tally.sign_ins, "one SMS for each sign-in");
        println!(
            "{} processes replaced under load in {:.0?}: {} requests, {} of them again on another connection, {} \
             sign-ins, the longest answer took {:.0?}",
            self.replaced,
            start.elapsed(),
            tally.requests,
            tally.retried,
            tally.sign_ins,
            tally.longest
        );
    }

    /// The id of the key that the newest code of a number was sealed with.
    async fn newest_key(&self, number: &str) -> String {
        let _ = self.app.client_of(self.apis.start).ask("Asha", number).await.expect(200);
        challenge(&self.app.redis, number).key_id.unwrap()
    }
}

#[async_test]
async fn every_process_is_replaced_three_times_and_nobody_notices() {
    let start = Instant::now();
    let mut fleet = Fleet::start(Plan::new(), 3, 2).await;
    let crowd = Crowd::come(PEOPLE, &fleet.balancer.address(), &fleet.app, seed());
    for ttl in TTL_SECONDS {
        fleet.app.settings.insert("OTP_TTL_SECONDS".to_owned(), ttl.to_owned());
        fleet.replace_all().await;
    }
    let tally = crowd.go().await;
    fleet.close(&tally, start).await;
}

#[async_test]
async fn the_secret_is_rotated_and_every_right_code_signs_in() {
    const NEW: &str = "another-secret-of-the-tests-1b7e9c40d25f8a63";
    const TTL: Duration = Duration::from_secs(30);
    assert!(LONGEST_HOLD < TTL);
    let start = Instant::now();
    let plan = Plan::new().set("OTP_TTL_SECONDS", &TTL.as_secs().to_string());
    let mut fleet = Fleet::start(plan, 2, 2).await;
    let old_key = fleet.newest_key("+919200000000").await;
    let crowd = Crowd::come(PEOPLE, &fleet.balancer.address(), &fleet.app, seed());
    let mut keys = Vec::new();
    for (round, secrets) in
        [format!("{OTP_SECRET},{NEW}"), format!("{NEW},{OTP_SECRET}"), NEW.to_owned()]
            .into_iter()
            .enumerate()
    {
        if round == 2 {
            // Until the last code that the old secret has sealed is gone.
            sleep(TTL).await;
        }
        fleet.app.settings.insert("OTP_SECRET".to_owned(), secrets);
        fleet.replace_all().await;
        keys.push(fleet.newest_key(&format!("+91920000000{}", round + 1)).await);
    }
    let mut tally = crowd.go().await;
    // Those of `newest_key`.
    tally.sign_ins += 4;
    assert_eq!(keys[0], old_key, "the first secret seals");
    assert!(keys[1] != old_key && keys[2] == keys[1], "{old_key}, then {keys:?}");
    fleet.close(&tally, start).await;
}
