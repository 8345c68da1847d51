//! Deliveries as the worker moves them on: tries claimed, codes opened, outcomes recorded.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use redis::RedisError;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::crypto::otp_keys::{CannotOpen, OtpKeys};
use crate::domain::message::Message;
use crate::domain::phone::E164;
use crate::domain::purpose::PurposeKind;
use crate::ledger::connection::RedisConnection;
use crate::ledger::happened::HappenedSettings;
use crate::ledger::keys;
use crate::ledger::limits::GUESSES_PER_CHALLENGE;
use crate::ledger::outcome::{BreakerEvent, Outcome};
use crate::ledger::script::{Call, Script, Source, keys, named};
use crate::ledger::scripts;
use crate::ledger::settings::LONGEST_LIFE;
use crate::queue::job::SendOtp;
use crate::runtime::clock::{Clock, millis};

/// Failures in a row that open a provider's breaker.
const BREAKER_FAILURES: u32 = 5;
/// How long a breaker stays open the first time, and at most.
const BREAKER_PAUSE: Duration = Duration::from_secs(1);
const BREAKER_LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A call whose slot is this near is waited for by the worker itself.
const HOLD: Duration = Duration::from_secs(1);
/// Nothing is sent with less left of its life.
const LEAST_LIFE: Duration = Duration::from_secs(1);
/// Dead letters that are kept.
const DEAD_LETTERS_KEPT: u32 = 1_000;

/// A provider as the scripts know it.
#[derive(Clone, Debug, Serialize)]
pub struct ProviderTerms {
    /// Its name, which names its breaker too.
    pub name: &'static str,
    /// How long a try is claimed for: the provider's time limit and a margin, in milliseconds.
    pub claim_for: i64,
}

/// What to do about a job.
#[derive(Debug)]
pub enum Claim {
    /// Send: this try is ours.
    Send(Box<Attempt>),
    /// Nobody wants the SMS any more, or its code cannot be had.
    Drop {
        /// Why, for logs and counters.
        reason: String,
    },
    /// Not now: another job will come for it.
    Wait {
        /// Why, for logs.
        why: String,
    },
    /// The delivery has ended before, or another job has taken it over.
    Ended,
}

/// One try at one SMS. `Debug` hides to whom.
pub struct Attempt {
    pub to: E164,
    /// What to say, or why that cannot be had.
    pub message: Result<Message, CannotOpen>,
    /// When that is worth nothing any more (Unix ms): the code's expiry, or the notice's.
    pub expires_at: i64,
    /// When the client asked (Unix ms).
    pub requested_at: i64,
    /// 1 for the first.
    pub number: u32,
    /// Whether a try before this one was never recorded, so that this one may send a second SMS.
    pub after_unrecorded: bool,
    /// Who is to send it.
    pub provider: String,
    /// When the call may begin (Unix ms): within a second.
    pub start_at: i64,
    /// Providers that refused it before.
    pub excluded: Vec<String>,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("number", &self.number)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

/// A delivery that ended without being sent.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct DeadLetter {
    /// When it ended (Unix ms).
    pub at: i64,
    /// Which one.
    pub delivery_id: String,
    /// Masked.
    pub number: String,
    /// `failed` or `dropped`.
    pub status: String,
    /// Why.
    pub reason: String,
    /// Who refused it, if anybody was asked.
    pub provider: Option<String>,
    /// The provider's own code.
    pub provider_code: Option<u32>,
}

#[derive(Serialize)]
pub(crate) struct DeliverySettings {
    providers: Vec<ProviderTerms>,
    provider_rate: u32,
    longest_life: i64,
    guesses_per_challenge: u32,
    breaker_failures: u32,
    breaker_pause: i64,
    breaker_longest_pause: i64,
    hold: i64,
    least_life: i64,
    dead_letters_kept: u32,
    dead_letters: &'static str,
    bucket_prefix: &'static str,
    number_prefix: &'static str,
    breaker_prefix: &'static str,
    rate_prefix: &'static str,
    #[serde(flatten)]
    happened: HappenedSettings,
}

impl DeliverySettings {
    pub(super) fn new(providers: &[ProviderTerms], provider_rate: u32) -> Self {
        Self {
            providers: providers.to_vec(),
            provider_rate,
            longest_life: millis(LONGEST_LIFE),
            guesses_per_challenge: GUESSES_PER_CHALLENGE,
            breaker_failures: BREAKER_FAILURES,
            breaker_pause: millis(BREAKER_PAUSE),
            breaker_longest_pause: millis(BREAKER_LONGEST_PAUSE),
            hold: millis(HOLD),
            least_life: millis(LEAST_LIFE),
            dead_letters_kept: DEAD_LETTERS_KEPT,
            dead_letters: keys::DEAD_LETTERS,
            bucket_prefix: keys::BUCKET_PREFIX,
            number_prefix: keys::NUMBER_PREFIX,
            breaker_prefix: keys::BREAKER_PREFIX,
            rate_prefix: keys::RATE_PREFIX,
            happened: HappenedSettings::default(),
        }
    }
}

keys!(DeliveryKey { delivery });

named! {
    #[derive(Serialize)]
    pub(crate) struct ClaimCall<'a> {
        now: i64,
        delivery_id: &'a str,
        claimant: String,
        /// The job's own id, or "" of a delivery's first.
        job_id: &'a str,
        /// Of the job that comes after it, if one does.
        next_job_id: String,
        next_job: String,
        /// A random number from 0 to 1.
        jitter: f64,
        /// The list of those that will not arrive, where it is kept.
        undelivered: Option<&'a str>,
    }
}

#[derive(Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum ClaimReply {
    Send(Box<ClaimedTry>),
    Drop { reason: String },
    Wait { why: String },
    Ended,
}

#[derive(Deserialize)]
pub(crate) struct ClaimedTry {
    purpose: String,
    number: String,
    /// All three are empty of an SMS without a code.
    #[serde(default)]
    challenge_id: String,
    #[serde(default)]
    key_id: String,
    #[serde(default, with = "serde_bytes")]
    sealed: Vec<u8>,
    expires_at: i64,
    r#try: u32,
    requested_at: i64,
    after_unrecorded: bool,
    provider: String,
    start_at: i64,
    /// Names with spaces between them.
    excluded: String,
}

impl Call for ClaimCall<'_> {
    type Settings = DeliverySettings;
    type Keys = DeliveryKey;
    type Reply = ClaimReply;
    const SOURCE: Source = scripts::CLAIM;
}

named! {
    #[derive(Serialize)]
    pub(crate) struct RecordCall<'a> {
        now: i64,
        delivery_id: &'a str,
        claimant: String,
        outcome: &'a Outcome,
        undelivered: Option<&'a str>,
        next_job_id: String,
        next_job: String,
    }
}

impl Call for RecordCall<'_> {
    type Settings = DeliverySettings;
    type Keys = DeliveryKey;
    type Reply = String;
    const SOURCE: Source = scripts::RECORD;
}

/// What Redis runs under these settings.
#[derive(Debug)]
struct Scripts {
    claim: Script<ClaimCall<'static>>,
    record: Script<RecordCall<'static>>,
}

/// The deliveries in Redis.
#[derive(Clone, Debug)]
pub struct DeliveryStore {
    redis: RedisConnection,
    keys: OtpKeys,
    scripts: Arc<Scripts>,
    clock: Clock,
    undelivered: Option<&'static str>,
}

impl DeliveryStore {
    /// The deliveries whose codes `keys` open, to be sent by the first of `providers` that can,
    /// with `rate` calls a second over all workers at most (0: as many as there are).
    #[must_use]
    pub fn new(
        redis: RedisConnection,
        keys: OtpKeys,
        providers: &[ProviderTerms],
        rate: u32,
        clock: Clock,
    ) -> Self {
        let settings = DeliverySettings::new(providers, rate);
        let scripts = Scripts { claim: Script::new(&settings), record: Script::new(&settings) };
        Self { redis, keys, scripts: Arc::new(scripts), clock, undelivered: None }
    }

    /// The same, keeping what will not arrive for the operator's webhook, where it is set.
    #[must_use]
    pub fn telling_webhook(self, is_set: bool) -> Self {
        Self { undelivered: is_set.then_some(keys::UNDELIVERED), ..self }
    }

    /// Claims a try, if the SMS is still wanted, nobody else is at it and a provider takes calls. A
    /// claimant that lost the answer may ask again.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses; the try may be claimed all the same.
    pub async fn claim(&self, job: &SendOtp, claimant: Ulid) -> Result<Claim, RedisError> {
        let mut redis = self.redis.clone();
        let (jitter, next_job_id): (f64, _) = (rand::rng().random(), Ulid::generate());
        let call = ClaimCall {
            now: self.clock.unix_ms(),
            delivery_id: &job.delivery_id,
            claimant: claimant.to_string(),
            job_id: job.job_id.as_deref().unwrap_or_default(),
            next_job_id: next_job_id.to_string(),
            next_job: job.next(next_job_id).to_json(),
            jitter,
            undelivered: self.undelivered,
        };
        let keys = DeliveryKey { delivery: keys::delivery(&job.delivery_id) };
        Ok(match self.scripts.claim.run(&mut redis, keys, &call).await? {
            ClaimReply::Send(claimed) => Claim::Send(Box::new(self.read_try(*claimed))),
            ClaimReply::Drop { reason } => Claim::Drop { reason },
            ClaimReply::Wait { why } => Claim::Wait { why },
            ClaimReply::Ended => Claim::Ended,
        })
    }

    fn read_try(&self, claimed: ClaimedTry) -> Attempt {
        let to = E164::from_store(claimed.number);
        let ClaimedTry { purpose, challenge_id, key_id, sealed, .. } = claimed;
        let message = match (purpose.parse().ok(), PurposeKind::from_text(&purpose)) {
            (Some(kind), _) => Ok(Message::Notice(kind)),
            (None, Some(kind)) => {
                let opened = self.keys.open(&key_id, &sealed, &purpose, &to, &challenge_id);
                opened.map(|code| Message::Otp { kind, code })
            }
            (None, None) => Err(CannotOpen),
        };
        Attempt {
            to,
            message,
            expires_at: claimed.expires_at,
            requested_at: claimed.requested_at,
            number: claimed.r#try,
            after_unrecorded: claimed.after_unrecorded,
            provider: claimed.provider,
            start_at: claimed.start_at,
            excluded: claimed.excluded.split_whitespace().map(str::to_owned).collect(),
        }
    }

    /// Records what came of a try, and writes the job of the next one with it. Says what that did
    /// to the breaker.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub async fn record(
        &self,
        job: &SendOtp,
        claimant: Ulid,
        outcome: &Outcome,
    ) -> Result<Option<BreakerEvent>, RedisError> {
        let (mut redis, next_job_id) = (self.redis.clone(), Ulid::generate());
        let call = RecordCall {
            now: self.clock.unix_ms(),
            delivery_id: &job.delivery_id,
            claimant: claimant.to_string(),
            outcome,
            undelivered: self.undelivered,
            next_job_id: next_job_id.to_string(),
            next_job: job.next(next_job_id).to_json(),
        };
        let keys = DeliveryKey { delivery: keys::delivery(&job.delivery_id) };
        let breaker = self.scripts.record.run(&mut redis, keys, &call).await?;
        Ok(breaker.parse().ok())
    }
}

/// The last deliveries that ended without being sent, newest first. Entries that cannot be read are
/// left out.
///
/// # Errors
/// Redis cannot be reached or refuses.
pub async fn dead_letters(redis: &mut RedisConnection) -> Result<Vec<DeadLetter>, RedisError> {
    let entries: Vec<String> =
        redis::cmd("LRANGE").arg(keys::DEAD_LETTERS).arg(0).arg(-1).query_async(redis).await?;
    Ok(entries.iter().filter_map(|entry| serde_json::from_str(entry).ok()).collect())
}
