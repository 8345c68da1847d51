//! The delivery scripts in process, over a real Redis: the test is the worker, and moves the time.

use std::collections::BTreeMap;
use std::time::Duration;

use common::crypto::otp_keys::OtpKeys;
use common::domain::client::ClientAddress;
use common::domain::delivery::{DeliveryStatus, Reason};
use common::domain::ids::DeliveryId;
use common::domain::otp::OtpLength;
use common::domain::person_name::PersonName;
use common::domain::phone::{Country, PhoneNumber};
use common::domain::purpose::Purpose;
use common::ledger::connection::Redis as Server;
use common::ledger::connection::RedisConnection;
use common::ledger::deliveries::{Attempt, Claim, DeliveryStore, ProviderTerms};
use common::ledger::delivery_status::{DeliveryReport, DeliveryStatuses};
use common::ledger::notices::Notices;
use common::ledger::otp::{OtpRequest, OtpRequester, OtpStore, SendOutcome, SolvedChallenge};
use common::ledger::outcome::{Outcome, ProviderState};
use common::ledger::settings::LedgerSettings;
use common::queue::job::SendOtp;
use common::queue::{MAX_STEP, NAMES, promote_due};
use common::runtime::clock::{Clock, millis};
use redis::Commands;
use ulid::Ulid;

use crate::support::app::SOON;
use crate::support::in_process::{BEGIN, Setup, counts_in};
use crate::support::redis_server::Redis;
use crate::support::settings::OTP_SECRET;

/// How long a try is claimed for.
pub(crate) const CLAIM: Duration = Duration::from_secs(12);

/// Redis, the API's half and the worker's half of the ledger, and the clock of all.
pub(crate) struct Ledger {
    pub(crate) redis: Redis,
    pub(crate) clock: Clock,
    pub(crate) worker: DeliveryStore,
    pub(crate) notices: Notices,
    connection: RedisConnection,
    keys: OtpKeys,
    otp: OtpStore,
    statuses: DeliveryStatuses,
}

impl Ledger {
    /// Codes live for `ttl` seconds; the providers are tried in this order, with `rate` calls a
    /// second each.
    pub(crate) fn new(ttl: u64, providers: &[&'static str], rate: u32) -> Self {
        let redis = Redis::start();
        let clock = Clock::manual(BEGIN);
        let connection = Server::new(&redis.url()).unwrap().connection(SOON);
        let keys = OtpKeys::derive(OTP_SECRET).unwrap();
        let india: Country = "IN".parse().unwrap();
        let settings = LedgerSettings::new(
            &Setup::limits_off().config().limits,
            Duration::from_secs(ttl),
            india,
        );
        let otp = OtpStore::new(
            connection.clone(),
            keys.clone(),
            OtpLength::DEFAULT,
            settings,
            clock.clone(),
        );
        let statuses = DeliveryStatuses::new(connection.clone(), clock.clone());
        let worker = worker(&connection, &keys, &clock, providers, rate);
        let notices = Notices::new(connection.clone());
        Self { redis, clock, worker, notices, connection, keys, otp, statuses }
    }

    /// A worker of other settings over the same Redis.
    pub(crate) fn worker(&self, providers: &[&'static str], rate: u32) -> DeliveryStore {
        worker(&self.connection, &self.keys, &self.clock, providers, rate)
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Asks for an SMS to the number with these last digits, and takes its job off the queue, which
    /// has no other.
    pub(crate) async fn ask(&self, last: u32) -> SendOtp {
        let jobs = self.take_due().await;
        assert!(jobs.is_empty(), "{jobs:?}");
        self.ask_beside(last).await
    }

    /// The same while other jobs are due.
    pub(crate) async fn ask_beside(&self, last: u32) -> SendOtp {
        let number =
            PhoneNumber::parse(&format!("+9198765{last:05}"), "IN".parse().unwrap()).unwrap();
        let address = ClientAddress::from("127.0.0.1".parse::<std::net::IpAddr>().unwrap());
        let requester = OtpRequester { purpose: Purpose::SignIn, number: number.e164(), address };
        let name = PersonName::parse("Asha").unwrap();
        let request = OtpRequest {
            requester,
            country: number.country(),
            name: name.as_ref(),
            test_code: None,
            challenge: SolvedChallenge::Off,
        };
        let asked = self.otp.send(request, None).await.unwrap();
        let SendOutcome::Queued { delivery, .. } = asked else { panic!("{asked:?}") };
        let id: String = self.redis.connection().rpop(&NAMES.active, None).unwrap();
        let job = self.payload(&id);
        assert_eq!(job.delivery_id, delivery.as_str());
        job
    }

    /// Takes all jobs that are due off the queue.
    pub(crate) async fn take_due(&self) -> Vec<SendOtp> {
        let mut connection = self.connection.clone();
        promote_due(&mut connection, self.clock.unix_ms(), MAX_STEP).await.unwrap();
        let mut redis = self.redis.connection();
        let ids: Vec<String> = redis.lrange(&NAMES.active, 0, -1).unwrap();
        let _: () = redis.del(&NAMES.active).unwrap();
        ids.iter().map(|id| self.payload(id)).collect()
    }

    fn payload(&self, id: &str) -> SendOtp {
        let payload: String = self.redis.connection().hget(&NAMES.data, id).unwrap();
        serde_json::from_str(&payload).unwrap()
    }

    /// When the jobs that wait are due, in ms from now.
    pub(crate) fn waits(&self) -> Vec<i64> {
        let waiting: Vec<(String, f64)> =
            self.redis.connection().zrange_withscores(&NAMES.retry, 0, -1).unwrap();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an instant in ms is a whole number of 41 bits"
        )]
        waiting.iter().map(|(_, due)| *due as i64 - self.clock.unix_ms()).collect()
    }

    pub(crate) async fn counts(&self) -> BTreeMap<String, i64> {
        counts_in(&mut self.connection.clone(), &self.clock).await
    }

    pub(crate) async fn claim(&self, job: &SendOtp, claimant: Ulid) -> Claim {
        self.worker.claim(job, claimant).await.unwrap()
    }

    /// Claims a try that has to be there.
    pub(crate) async fn claim_try(&self, job: &SendOtp, claimant: Ulid) -> Box<Attempt> {
        match self.claim(job, claimant).await {
            Claim::Send(attempt) => attempt,
            other => panic!("no try: {other:?}"),
        }
    }

    /// Five calls that fail, which opens the breaker of `provider` for a second.
    pub(crate) async fn open_breaker(&self, provider: &'static str) {
        let worker = self.worker(&[provider], 0);
        for last in 90_000..90_005 {
            let (job, claimant) = (self.ask(last).await, Ulid::generate());
            let claim = worker.claim(&job, claimant).await.unwrap();
            assert!(matches!(claim, Claim::Send(_)), "{claim:?}");
            let failed = Outcome::failed(provider, Reason::NoAnswer).with_provider_state(
                ProviderState::Fails,
                None,
                None,
            );
            worker.record(&job, claimant, &failed).await.unwrap();
        }
    }

    /// Status and reason of a delivery.
    pub(crate) async fn status(&self, job: &SendOtp) -> (DeliveryStatus, Option<Reason>) {
        let id = DeliveryId::parse(&job.delivery_id).unwrap();
        let progress = self.statuses.find(&id).await.unwrap().expect("a delivery");
        (progress.status, progress.reason)
    }

    pub(crate) async fn report(
        &self,
        job: &SendOtp,
        status: DeliveryStatus,
        reason: Option<Reason>,
    ) {
        let id = DeliveryId::parse(&job.delivery_id).unwrap();
        let report = DeliveryReport { status, reason, provider_id: "SM1".to_owned() };
        self.statuses.report(&id, &report).await.unwrap();
    }
}

fn worker(
    connection: &RedisConnection,
    keys: &OtpKeys,
    clock: &Clock,
    providers: &[&'static str],
    rate: u32,
) -> DeliveryStore {
    let terms: Vec<_> =
        providers.iter().map(|name| ProviderTerms { name, claim_for: millis(CLAIM) }).collect();
    DeliveryStore::new(connection.clone(), keys.clone(), &terms, rate, clock.clone())
}
