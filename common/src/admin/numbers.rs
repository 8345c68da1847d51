//! What operators see of a number's ledger, and change in it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::admin::buckets::{Bucket, Level};
use crate::admin::{OperatorError, ask_redis};
use crate::domain::phone::{E164, PhoneNumber};
use crate::ledger::connection::RedisConnection;
use crate::ledger::happened::Happening;
use crate::ledger::keys;
use crate::ledger::limits::GUESSES_PER_CHALLENGE;
use crate::ledger::records::{self, Delivery};
use crate::ledger::script::{Call, Script, Source, keys, named};
use crate::ledger::scripts;
use crate::ledger::settings::LedgerSettings;
use crate::runtime::clock::{Clock, Timestamp, millis};

/// What is known of a number. Nothing in it tells the whole number or a code.
#[derive(Clone, Debug, Serialize)]
pub struct NumberRecord {
    /// Masked.
    pub number: String,
    /// Whether an operator has blocked it.
    pub blocked: Option<Block>,
    /// Seconds until somebody at an address that the number is not known from may ask, as far as
    /// the cooldown goes.
    pub cooldown_seconds: u64,
    pub sends: Counts,
    pub wrong_guesses: Counts,
    /// Addresses that it signed in from within 90 days; 20 at most.
    pub known_addresses: u64,
    /// Codes that were asked for and have not been forgotten.
    pub challenges: Vec<ChallengeRecord>,
    /// The leaky buckets that sends to it go to, but for that of the client's address.
    pub buckets: Vec<Level>,
    /// The SMS of these codes, oldest first.
    pub deliveries: Vec<DeliveryRecord>,
    /// The last 50 things that happened, oldest first, for a day after the last.
    pub history: Vec<Happening>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Block {
    /// None where only an operator ends it.
    pub until: Option<Timestamp>,
}

/// How often something happened of late. Only as many are kept as the limits need.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counts {
    pub hour: u64,
    pub day: u64,
}

/// A code, without the code.
#[derive(Clone, Debug, Serialize)]
pub struct ChallengeRecord {
    pub purpose: String,
    /// `live`, `used`, `expired` or `burned`.
    pub state: &'static str,
    /// When it expires, or did.
    pub expires_at: Timestamp,
    /// Wrong guesses from addresses that the number is not known from.
    pub wrong_guesses: u32,
    /// Wrong guesses from the others.
    pub wrong_guesses_from_known_addresses: u32,
}

#[derive(Clone, Debug, Serialize)]
pub struct DeliveryRecord {
    pub delivery_id: String,
    pub status: String,
    /// Why it ended, or why it was tried again.
    pub reason: Option<String>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Who was asked last to send it.
    pub provider: Option<String>,
    pub tries: u32,
}

/// What was known of a number and is forgotten.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Erased {
    /// OTPs, with all their SMS.
    pub codes: u64,
    pub known_addresses: u64,
}

/// What an unlocked number had.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Unlocked {
    /// Whether there was a cooldown.
    pub cooldown: bool,
    pub sends: u64,
    /// Wrong guesses that are forgotten.
    pub wrong_guesses: u64,
    /// Codes that were burned and are gone.
    pub burned_codes: u64,
}

keys!(RecordKeys { number, known, history, range, country, service });

named! {
    #[derive(Serialize)]
    pub(crate) struct RecordCall {
        now: i64,
        /// Of the buckets of range, country and service.
        capacities: Vec<u32>,
    }
}

#[derive(Deserialize)]
pub(crate) struct RecordReply {
    blocked_until: Option<i64>,
    cooldown: u64,
    sends: Counts,
    wrong_guesses: Counts,
    known_addresses: u64,
    levels: Vec<f64>,
    challenges: Vec<FoundChallenge>,
    deliveries: Vec<FoundDelivery>,
    history: Vec<ByteBuf>,
}

#[derive(Deserialize)]
struct FoundChallenge {
    purpose: String,
    used: bool,
    expires_at: i64,
    guesses: u32,
    known_guesses: u32,
}

#[derive(Deserialize)]
struct FoundDelivery {
    id: String,
    /// None where it is not known any more.
    record: Option<ByteBuf>,
}

impl Call for RecordCall {
    type Settings = LedgerSettings;
    type Keys = RecordKeys;
    type Reply = RecordReply;
    const SOURCE: Source = scripts::NUMBER_RECORD;
}

keys!(NumberKey { number });

named! {
    #[derive(Serialize)]
    pub(crate) struct UnlockCall {
        now: i64,
    }
}

impl Call for UnlockCall {
    type Settings = LedgerSettings;
    type Keys = NumberKey;
    type Reply = Unlocked;
    const SOURCE: Source = scripts::UNLOCK;
}

named! {
    #[derive(Serialize)]
    pub(crate) struct BlockCall {
        now: i64,
        /// Unix ms, or 0 without end; none ends the block.
        until_at: Option<i64>,
    }
}

impl Call for BlockCall {
    type Settings = LedgerSettings;
    type Keys = NumberKey;
    type Reply = bool;
    const SOURCE: Source = scripts::BLOCK_NUMBER;
}

keys!(EraseKeys { number, known, history });

named! {
    #[derive(Serialize)]
    pub(crate) struct EraseCall {
        now: i64,
    }
}

impl Call for EraseCall {
    type Settings = LedgerSettings;
    type Keys = EraseKeys;
    type Reply = Erased;
    const SOURCE: Source = scripts::ERASE;
}

#[derive(Clone, Debug)]
pub struct Numbers {
    redis: RedisConnection,
    settings: LedgerSettings,
    clock: Clock,
}

impl Numbers {
    /// Under the limits that the API has.
    #[must_use]
    pub fn new(redis: RedisConnection, settings: LedgerSettings, clock: Clock) -> Self {
        Self { redis, settings, clock }
    }

    /// What is known of a number.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn record(&self, number: &PhoneNumber) -> Result<NumberRecord, OperatorError> {
        let country = number.country();
        let number = number.e164();
        let buckets = [Bucket::Range(number.clone()), Bucket::Country(country), Bucket::Service];
        let keys = RecordKeys {
            number: keys::number(number),
            known: keys::known_addresses(number),
            history: keys::history(number),
            range: keys::range_bucket(number),
            country: keys::country_bucket(country),
            service: keys::service_bucket(),
        };
        let now = self.clock.unix_ms();
        let call = RecordCall {
            now,
            capacities: buckets.iter().map(|bucket| bucket.capacity(&self.settings)).collect(),
        };
        let mut redis = self.redis.clone();
        let found = ask_redis(Script::new(&self.settings).run(&mut redis, keys, &call)).await?;
        let deliveries = found.deliveries.into_iter().filter_map(DeliveryRecord::found);
        // The script finds them code by code.
        let mut deliveries: Vec<_> = deliveries.collect();
        deliveries.sort_by_key(|sms| sms.requested_at.unix_ms());

        Ok(NumberRecord {
            number: number.to_string(),
            blocked: found.blocked_until.map(Block::of),
            cooldown_seconds: found.cooldown.div_ceil(1000),
            sends: found.sends,
            wrong_guesses: found.wrong_guesses,
            known_addresses: found.known_addresses,
            challenges: found.challenges.iter().map(|it| ChallengeRecord::of(it, now)).collect(),
            buckets: buckets
                .iter()
                .zip(found.levels)
                .map(|(bucket, level)| bucket.level(level, &self.settings))
                .collect(),
            deliveries,
            history: found.history.iter().filter_map(|entry| Happening::read(entry)).collect(),
        })
    }

    /// Forgets cooldown, sends, wrong guesses and burned codes of a number. Its buckets stay: they
    /// are not its alone.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn unlock(&self, number: &E164) -> Result<Unlocked, OperatorError> {
        let call = UnlockCall { now: self.clock.unix_ms() };
        self.change(number, &call).await
    }

    /// Blocks a number, for a while or until it is unblocked: it can neither ask nor guess. Answers
    /// the new block.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn block(
        &self,
        number: &E164,
        time: Option<Duration>,
    ) -> Result<Block, OperatorError> {
        let now = self.clock.unix_ms();
        let until = time.map(|time| now.saturating_add(millis(time)));
        self.change(number, &BlockCall { now, until_at: Some(until.unwrap_or(0)) }).await?;
        Ok(Block { until: until.map(Timestamp::of_unix_ms) })
    }

    /// Ends a block; answers whether there was one.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn unblock(&self, number: &E164) -> Result<bool, OperatorError> {
        self.change(number, &BlockCall { now: self.clock.unix_ms(), until_at: None }).await
    }

    /// Forgets the codes of a number, their SMS and its known addresses. What guards against abuse
    /// stays: a block, and when it was sent to and guessed at, for a day.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn erase(&self, number: &E164) -> Result<Erased, OperatorError> {
        let keys = EraseKeys {
            number: keys::number(number),
            known: keys::known_addresses(number),
            history: keys::history(number),
        };
        let call = EraseCall { now: self.clock.unix_ms() };
        let mut redis = self.redis.clone();
        ask_redis(Script::new(&self.settings).run(&mut redis, keys, &call)).await
    }

    async fn change<C>(&self, number: &E164, call: &C) -> Result<C::Reply, OperatorError>
    where
        C: Call<Settings = LedgerSettings, Keys = NumberKey>,
    {
        let keys = NumberKey { number: keys::number(number) };
        let mut redis = self.redis.clone();
        ask_redis(Script::new(&self.settings).run(&mut redis, keys, call)).await
    }
}

impl Block {
    /// `until` as it is kept: 0 is without end.
    fn of(until: i64) -> Self {
        Self { until: (until > 0).then(|| Timestamp::of_unix_ms(until)) }
    }
}

impl ChallengeRecord {
    fn of(found: &FoundChallenge, now: i64) -> Self {
        let most_guesses = found.guesses.max(found.known_guesses);
        Self {
            // What follows the kind may hold a whole number.
            purpose: found.purpose.split('.').next().unwrap_or_default().to_owned(),
            state: state_of(found.used, found.expires_at <= now, most_guesses),
            expires_at: Timestamp::of_unix_ms(found.expires_at),
            wrong_guesses: found.guesses,
            wrong_guesses_from_known_addresses: found.known_guesses,
        }
    }
}

impl DeliveryRecord {
    fn found(FoundDelivery { id, record }: FoundDelivery) -> Option<Self> {
        Self::of(id, records::read(&record?).ok()?)
    }

    /// None of a record that is not whole.
    pub(super) fn of(id: String, sms: Delivery) -> Option<Self> {
        Some(Self {
            delivery_id: id,
            status: sms.status?,
            reason: sms.reason,
            requested_at: Timestamp::of_unix_ms(sms.requested_at?),
            provider: sms.provider,
            tries: sms.tries.unwrap_or(0),
        })
    }
}

fn state_of(used: bool, expired: bool, wrong_guesses: u32) -> &'static str {
    match (used, expired, wrong_guesses >= GUESSES_PER_CHALLENGE) {
        (true, ..) => "used",
        (_, true, _) => "expired",
        (_, _, true) => "burned",
        _ => "live",
    }
}
