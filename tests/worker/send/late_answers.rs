//! An answer of Redis that comes when another worker has long taken over.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches};
use common::crypto::otp_keys::OtpKeys;
use common::ledger::connection::Redis as Server;
use common::ledger::deliveries::{DeliveryStore, ProviderTerms};
use common::queue::NAMES;
use common::queue::job::SendOtp;
use common::runtime::clock::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use redis::Commands;
use worker::config::Cli;
use worker::provider::{Providers, SendError, Sms, SmsProvider};
use worker::send::recent_attempts::RecentAttempts;
use worker::send::send_otp::OtpSender;
use worker::send::sms_text::SmsText;

use crate::support::app::{Plan, SOON};
use crate::support::eventually;
use crate::support::numbers::NUMBER;
use crate::support::settings::OTP_SECRET;
use crate::support::tcp_proxy::TcpProxy;

/// Counts what it is given.
#[derive(Debug, Default)]
struct Counter(AtomicUsize);

impl SmsProvider for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn send<'a>(&'a self, sms: &'a Sms) -> BoxFuture<'a, Result<String, SendError>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(sms.delivery_id.clone())).boxed()
    }

    fn time_limit(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// What the SMS says where no setting says otherwise.
fn usual_text() -> SmsText {
    let command = Cli::command().mut_args(|argument| argument.env(""));
    let config = Cli::from_arg_matches(&command.get_matches_from(["worker"])).unwrap().config;
    config.text.text(&config.app, &config.otp).unwrap()
}

/// A worker's handler that reaches Redis by that port.
fn sender(port: u16, counter: &Arc<Counter>) -> OtpSender {
    let connection = Server::new(&format!("redis://127.0.0.1:{port}")).unwrap().connection(SOON);
    let terms = ProviderTerms { name: "counter", claim_for: 2_000 };
    let keys = OtpKeys::derive(OTP_SECRET).unwrap();
    OtpSender {
        deliveries: DeliveryStore::new(connection, keys, &[terms], 0, Clock::default()),
        providers: Providers::new(vec![Arc::clone(counter) as Arc<dyn SmsProvider>]),
        text: usual_text(),
        clock: Clock::default(),
        recent: RecentAttempts::default(),
    }
}

#[async_test]
async fn nobody_sends_under_a_claim_that_ran_out_before_it_was_heard_of() {
    let app = Plan::new().workers(0).start().await;
    let id = app.ask(NUMBER).await;
    let mut redis = app.redis.connection();
    let job_id: String = redis.lpop(&NAMES.active, None).unwrap();
    let payload: String = redis.hget(&NAMES.data, job_id).unwrap();
    let job: SendOtp = serde_json::from_str(&payload).unwrap();
    let proxy = TcpProxy::start(app.redis.port()).await;
    let counter = Arc::new(Counter::default());
    let (slow, quick) = (sender(proxy.port(), &counter), sender(app.redis.port(), &counter));
    // Connected before its answers are held back.
    slow.run(SendOtp { delivery_id: "none".to_owned(), ..job.clone() }).await;

    proxy.hold_answers();
    let ended = Arc::new(Mutex::new(false));
    let late = tokio::spawn({
        let (job, ended) = (job.clone(), Arc::clone(&ended));
        async move {
            slow.run(job).await;
            *ended.lock().unwrap() = true;
        }
    });
    app.delivery_is(&id, "sending", SOON).await;
    // Its claim runs out, and the job is given to the other worker.
    eventually(SOON, "the other worker's try", async || {
        quick.run(job.clone()).await;
        let next: Vec<String> = redis.zrange(&NAMES.retry, 0, -1).unwrap();
        for member in next {
            quick.run(serde_json::from_str(&member[27..]).unwrap()).await;
        }
        (counter.0.load(Ordering::Relaxed) > 0).then_some(())
    })
    .await;
    assert!(!*ended.lock().unwrap(), "the first has heard nothing yet");
    app.delivery_is(&id, "sent", SOON).await;
    proxy.go_on();
    late.await.unwrap();
    assert_eq!(counter.0.load(Ordering::Relaxed), 1, "one SMS");
    app.delivery_is(&id, "sent", SOON).await;
}
