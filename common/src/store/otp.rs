//! The OTP ledger as the API uses it: codes asked for, guessed, used up and put back.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::{RedisError, RedisResult, Script};
use ulid::Ulid;

use super::keys;
use crate::clock::{Clock, millis};
use crate::code::{Code, CodeLength, OtpKeys, Purpose};
use crate::id::{ChallengeId, DeliveryId};
use crate::jobs::SendOtp;
use crate::name::Name;
use crate::phone::PhoneNumber;
use crate::queue::QueueScript;

/// Wrong guesses that a challenge bears (NIST SP 800-63B asks for a limit).
const MOST_GUESSES: u32 = 5;
/// Longest that one code may live, resends included (NIST SP 800-63B, OWASP ASVS).
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 60);
/// How long a delivery can be looked up.
const KEEP_DELIVERY: Duration = Duration::from_secs(25 * 60 * 60);
/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(1);

static REQUEST: LazyLock<QueueScript> = LazyLock::new(|| QueueScript::new(include_str!("lua/request.lua")));
static VERIFY: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/verify.lua")));
static RESTORE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/restore.lua")));

/// Why the ledger could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum OtpStoreError {
    /// Redis refused or was not reached.
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    /// No answer within a second. The change may or may not have happened.
    #[error("Redis: no answer within {DEADLINE:?}")]
    Deadline,
}

/// What came of asking for a code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Requested {
    /// Challenge, delivery and job are written.
    Queued {
        /// The SMS that will be sent.
        delivery: DeliveryId,
        /// What is left of the code's life.
        expires_in: Duration,
        /// How long until the number may ask again.
        resend_in: Duration,
    },
    /// Too many wrong guesses: no code for this number until then.
    Burned {
        /// Until the challenge expires.
        retry_after: Duration,
    },
}

/// A right guess. The code is used up, unless [`OtpStore::restore`] puts it back.
#[derive(Debug)]
pub struct Verified {
    key: String,
    challenge: String,
    /// The name given when the code was asked for.
    pub name: Name,
}

/// The OTP ledger in Redis.
#[derive(Clone, Debug)]
pub struct OtpStore {
    redis: ConnectionManager,
    keys: OtpKeys,
    code_length: CodeLength,
    ttl: Duration,
    clock: Clock,
}

impl OtpStore {
    /// A ledger whose new codes have `code_length` digits and live for `ttl`.
    #[must_use]
    pub fn new(redis: ConnectionManager, keys: OtpKeys, code_length: CodeLength, ttl: Duration, clock: Clock) -> Self {
        Self { redis, keys, code_length, ttl, clock }
    }

    /// Asks for a code: challenge, delivery and job are written together or not at all.
    ///
    /// # Errors
    /// [`OtpStoreError`].
    pub async fn request(
        &self,
        purpose: Purpose,
        number: &PhoneNumber,
        name: &Name,
        request_id: Option<String>,
    ) -> Result<Requested, OtpStoreError> {
        let challenge = ChallengeId::random();
        let delivery = DeliveryId::random();
        let new = self.keys.seal(&Code::random(self.code_length), purpose, number, &challenge);
        let job = SendOtp { delivery_id: delivery.to_string(), request_id };
        let known_keys = self.keys.ids().collect::<Vec<_>>().join(",");

        let mut redis = self.redis.clone();
        let mut call = REQUEST.prepare_invoke();
        call.key(keys::challenge(purpose, number))
            .key(keys::delivery(delivery.as_str()))
            .arg(self.clock.unix_ms())
            .arg(millis(self.ttl))
            .arg(millis(LONGEST_LIFE))
            .arg(millis(KEEP_DELIVERY))
            .arg(purpose.as_str())
            .arg(number.as_e164())
            .arg(name.as_str())
            .arg(challenge.as_str())
            .arg(new.key_id)
            .arg(new.sealed)
            .arg(new.tag)
            .arg(known_keys)
            .arg(delivery.as_str())
            .arg(Ulid::generate().to_string())
            .arg(job.to_json());
        let (outcome, first, second): (String, u64, u64) = within_deadline(call.invoke_async(&mut redis)).await?;
        Ok(match outcome.as_str() {
            "burned" => Requested::Burned { retry_after: Duration::from_millis(first) },
            _ => Requested::Queued {
                delivery,
                expires_in: Duration::from_millis(first),
                resend_in: Duration::from_millis(second),
            },
        })
    }

    /// Compares a guess and counts a wrong one. None for every guess that is not right, whatever the reason. Of
    /// simultaneous right guesses one is answered.
    ///
    /// # Errors
    /// [`OtpStoreError`].
    pub async fn verify(
        &self,
        purpose: Purpose,
        number: &PhoneNumber,
        guess: &Code,
    ) -> Result<Option<Verified>, OtpStoreError> {
        let mut redis = self.redis.clone();
        let key = keys::challenge(purpose, number);
        let mut call = VERIFY.prepare_invoke();
        call.key(&key).arg(self.clock.unix_ms()).arg(MOST_GUESSES);
        for guess in self.keys.guess_tags(guess, purpose, number) {
            call.arg(guess.key_id).arg(guess.tag);
        }
        let (right, challenge, name): (bool, String, String) = within_deadline(call.invoke_async(&mut redis)).await?;
        Ok(right.then_some(Verified { key, challenge, name: Name::from_store(name) }))
    }

    /// Makes the code of a sign-in that failed good again, as it was, unless a newer one has been asked for.
    ///
    /// # Errors
    /// [`OtpStoreError`].
    pub async fn restore(&self, verified: &Verified) -> Result<(), OtpStoreError> {
        let mut redis = self.redis.clone();
        let mut call = RESTORE.prepare_invoke();
        call.key(&verified.key).arg(&verified.challenge);
        within_deadline(call.invoke_async::<()>(&mut redis)).await
    }
}

/// A Redis that hangs, or is being looked for again, is an error before a client loses patience.
async fn within_deadline<T>(call: impl Future<Output = RedisResult<T>>) -> Result<T, OtpStoreError> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(OtpStoreError::Deadline),
    }
}
