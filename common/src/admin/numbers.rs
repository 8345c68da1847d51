//! What operators see of a number's ledger, and change in it.

use std::time::Duration;

use crate::ledger::connection::RedisConnection;
use redis::Script;
use serde::Serialize;

use crate::admin::buckets::{Bucket, Level};
use crate::admin::{OperatorError, ask_redis};
use crate::domain::phone::{E164, PhoneNumber};
use crate::ledger::keys;
use crate::ledger::limits::{GUESSES_PER_CHALLENGE, LedgerSettings};
use crate::ledger::script;
use crate::runtime::clock::{Clock, Timestamp, millis};

/// Keys that Redis looks at in one step of a search.
const SEARCH_STEP: usize = 1_000;

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
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Block {
    /// None where only an operator ends it.
    pub until: Option<Timestamp>,
}

/// How often something happened of late. Only as many are kept as the limits need.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
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

/// What an unlocked number had.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Unlocked {
    /// Whether there was a cooldown.
    pub cooldown: bool,
    pub sends: u64,
    /// Wrong guesses that are forgotten.
    pub wrong_guesses: u64,
    /// Codes that were burned and are gone.
    pub burned_codes: u64,
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
        type Counted = (u64, u64, u64, u64);
        type Challenge = (usize, bool, i64, u32, u32);
        type Delivery = (String, String, String, i64, String, u32);
        type Answer = (i64, i64, Counted, u64, Vec<String>, Vec<Challenge>, Vec<Delivery>);

        let country = number.country();
        let number = number.e164();
        let (challenges, _) = self.search(number).await?;
        let buckets = [Bucket::Range(number.clone()), Bucket::Country(country), Bucket::Service];
        let script = self.script(include_str!("../ledger/lua/number_record.lua"));
        let mut call = script.prepare_invoke();
        call.arg(self.clock.unix_ms())
            .key(keys::blocked(number))
            .key(keys::number(number))
            .key(keys::sends(number))
            .key(keys::known_addresses(number))
            .key(keys::wrong_by_number(number));
        for bucket in &buckets {
            call.key(bucket.key()).arg(bucket.capacity(&self.settings));
        }
        for key in &challenges {
            call.key(key);
        }
        let mut redis = self.redis.clone();
        let (blocked, cooldown, counted, known_addresses, levels, found, deliveries): Answer =
            ask_redis(call.invoke_async(&mut redis)).await?;

        let now = self.clock.unix_ms();
        let purpose =
            |index: usize| challenges.get(index).and_then(|key| keys::purpose_in(key, number));
        Ok(NumberRecord {
            number: number.to_string(),
            blocked: Block::of(blocked),
            cooldown_seconds: u64::try_from(cooldown).unwrap_or(0).div_ceil(1000),
            sends: Counts { hour: counted.0, day: counted.1 },
            wrong_guesses: Counts { hour: counted.2, day: counted.3 },
            known_addresses,
            challenges: found
                .into_iter()
                .map(|(index, used, expires_at, guesses, known_guesses)| ChallengeRecord {
                    // What follows the kind may hold a whole number.
                    purpose: purpose(index)
                        .and_then(|text| text.split('.').next())
                        .unwrap_or_default()
                        .to_owned(),
                    state: state_of(used, expires_at <= now, guesses.max(known_guesses)),
                    expires_at: Timestamp::of_unix_ms(expires_at),
                    wrong_guesses: guesses,
                    wrong_guesses_from_known_addresses: known_guesses,
                })
                .collect(),
            buckets: buckets
                .iter()
                .zip(&levels)
                .map(|(bucket, level)| bucket.level(level, &self.settings))
                .collect(),
            deliveries: deliveries.into_iter().map(DeliveryRecord::of).collect(),
        })
    }

    /// Forgets cooldown, sends, wrong guesses and burned codes of a number. Its buckets stay: they
    /// are not its alone.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn unlock(&self, number: &E164) -> Result<Unlocked, OperatorError> {
        let (challenges, wrong_by_address) = self.search(number).await?;
        let script = self.script(include_str!("../ledger/lua/unlock.lua"));
        let mut call = script.prepare_invoke();
        call.arg(self.clock.unix_ms())
            .key(keys::number(number))
            .key(keys::sends(number))
            .key(keys::known_addresses(number))
            .key(keys::wrong_by_number(number))
            .arg(challenges.len());
        for key in challenges.iter().chain(&wrong_by_address) {
            call.key(key);
        }
        let mut redis = self.redis.clone();
        let (cooldown, sends, wrong_guesses, burned_codes) =
            ask_redis(call.invoke_async(&mut redis)).await?;
        Ok(Unlocked { cooldown, sends, wrong_guesses, burned_codes })
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
        let until = time.map(|time| self.clock.unix_ms().saturating_add(millis(time)));
        let mut call = redis::cmd("SET");
        call.arg(keys::blocked(number)).arg(until.unwrap_or(0));
        if let Some(time) = time {
            call.arg("PX").arg(millis(time));
        }
        let mut redis = self.redis.clone();
        ask_redis(call.exec_async(&mut redis)).await?;
        Ok(Block { until: until.map(Timestamp::of_unix_ms) })
    }

    /// Ends a block; answers whether there was one.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn unblock(&self, number: &E164) -> Result<bool, OperatorError> {
        let mut redis = self.redis.clone();
        let mut call = redis::cmd("DEL");
        call.arg(keys::blocked(number));
        ask_redis(call.query_async(&mut redis)).await
    }

    fn script(&self, body: &str) -> Script {
        Script::new(&script::text(
            &[include_str!("../ledger/lua/limits.lua"), body],
            &self.settings,
        ))
    }

    /// The keys of a number whose names cannot be told: of its challenges, and of its wrong guesses
    /// by address. Redis looks through all keys, in steps that hold up nobody.
    async fn search(&self, number: &E164) -> Result<(Vec<String>, Vec<String>), OperatorError> {
        let (mut redis, mut cursor) = (self.redis.clone(), 0_u64);
        let (mut challenges, mut wrong_by_address) = (Vec::new(), Vec::new());
        loop {
            let mut step = redis::cmd("SCAN");
            step.arg(cursor)
                .arg("MATCH")
                .arg(keys::pattern_of(number))
                .arg("COUNT")
                .arg(SEARCH_STEP);
            let (next, found): (u64, Vec<String>) = ask_redis(step.query_async(&mut redis)).await?;
            for key in found {
                if keys::purpose_in(&key, number).is_some() {
                    challenges.push(key);
                } else if keys::is_wrong_by_both(&key, number) {
                    wrong_by_address.push(key);
                }
            }
            if next == 0 {
                break;
            }
            cursor = next;
        }
        // A search may meet a key twice.
        challenges.sort();
        challenges.dedup();
        Ok((challenges, wrong_by_address))
    }
}

impl Block {
    fn of(until: i64) -> Option<Self> {
        (until >= 0).then(|| Self { until: (until > 0).then(|| Timestamp::of_unix_ms(until)) })
    }
}

impl DeliveryRecord {
    fn of(found: (String, String, String, i64, String, u32)) -> Self {
        let (delivery_id, status, reason, requested_at, provider, tries) = found;
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let requested_at = Timestamp::of_unix_ms(requested_at);
        Self {
            delivery_id,
            status,
            reason: given(reason),
            requested_at,
            provider: given(provider),
            tries,
        }
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
