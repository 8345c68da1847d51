//! Requests that a client may repeat with an `Idempotency-Key`: claimed while they run, and their
//! answers kept for a while.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::crypto::idempotency_keys::IdempotencyKeys;
use crate::domain::client::ClientAddress;
use crate::ledger::connection::RedisConnection;
use crate::ledger::error::{LedgerError, within_deadline};
use crate::ledger::keys;
use crate::ledger::script::{Call, Script, Source, keys, named};
use crate::ledger::scripts;
use crate::runtime::clock::{Clock, millis};

/// How long the first answer is given again, from the first request on.
pub const KEEP: Duration = Duration::from_secs(10 * 60);
/// How long a claim lasts whose request never ended, because its process died. Longer than any
/// request takes.
pub const LONGEST_CLAIM: Duration = Duration::from_secs(15);
/// How many records an address may have; past that the oldest goes.
pub const MOST_OF_AN_ADDRESS: u32 = 1_000;
/// How many refusals are kept, of however many addresses; past that the oldest goes.
pub const MOST_REFUSALS: u32 = 10_000;

static BEGIN: LazyLock<Script<BeginCall<'static>>> = LazyLock::new(|| Script::new(&()));
static END: LazyLock<Script<EndCall<'static>>> = LazyLock::new(|| Script::new(&()));

keys!(RecordKeys { of_address, record });
keys!(EndKeys { of_address, record, refusals });

/// What a request would be recorded as under one of the secrets.
#[derive(Serialize)]
struct RecordTags {
    key: String,
    fingerprint: String,
}

named! {
    #[derive(Serialize)]
    pub(crate) struct BeginCall<'a> {
        now: i64,
        claim: &'a str,
        /// When the claim does (Unix ms).
        runs_out_at: i64,
        kept_for: i64,
        most: u32,
        /// The sealing secret's first.
        records: Vec<RecordTags>,
    }
}

#[derive(Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum BeginReply {
    Claimed,
    InUse,
    Reused,
    Answered {
        record: String,
        #[serde(with = "serde_bytes")]
        answer: Vec<u8>,
    },
}

impl Call for BeginCall<'_> {
    type Settings = ();
    type Keys = RecordKeys;
    type Reply = BeginReply;
    const SOURCE: Source = scripts::IDEMPOTENCY_BEGIN;
}

named! {
    #[derive(Serialize)]
    pub(crate) struct EndCall<'a> {
        now: i64,
        claim: &'a str,
        /// The answer; none where there is none to keep.
        #[serde(skip)]
        sealed: Option<Vec<u8>>,
        /// When the answer does (Unix ms).
        expires_at: i64,
        is_refusal: bool,
        /// Both of refusals.
        kept_for: i64,
        most: u32,
    }
}

impl Call for EndCall<'_> {
    type Settings = ();
    type Keys = EndKeys;
    type Reply = bool;
    const SOURCE: Source = scripts::IDEMPOTENCY_END;

    fn sealed(&self) -> Option<&[u8]> {
        self.sealed.as_deref()
    }
}

/// Why nothing is known about a repeated request.
#[derive(Debug, thiserror::Error)]
pub enum IdempotencyError {
    /// Redis was not reached.
    #[error(transparent)]
    Store(#[from] LedgerError),
    /// The kept answer was changed.
    #[error("the sealed answer cannot be opened with any OTP_SECRET")]
    CannotOpen,
}

/// What to do about a request. `Debug` hides the answer: it may hold a token.
#[derive(Eq, PartialEq)]
pub enum Begun {
    /// It is the first: run it, then [`IdempotencyStore::keep`] or [`IdempotencyStore::free`].
    Claimed(Claim),
    /// The first one still runs.
    InUse,
    /// The client's key belongs to a request with another body.
    Reused,
    /// The first one's answer.
    Answered(Vec<u8>),
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Claimed(_) => "Claimed(…)",
            Self::InUse => "InUse",
            Self::Reused => "Reused",
            Self::Answered(_) => "Answered(…)",
        })
    }
}

/// The right to run a request and to say what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    of_address: String,
    record: String,
    id: String,
    began_at: i64,
}

impl Claim {
    fn keys(&self) -> RecordKeys {
        RecordKeys { of_address: self.of_address.clone(), record: self.record.clone() }
    }
}

/// Repeated requests in Redis.
#[derive(Clone, Debug)]
pub struct IdempotencyStore {
    redis: RedisConnection,
    keys: IdempotencyKeys,
    clock: Clock,
}

impl IdempotencyStore {
    /// Names, fingerprints and answers are hidden by `keys`.
    #[must_use]
    pub fn new(redis: RedisConnection, keys: IdempotencyKeys, clock: Clock) -> Self {
        Self { redis, keys, clock }
    }

    /// Claims a request, or finds what came of the first one with this key. A key is its client's
    /// own: that of another address is another one. It holds no control character.
    ///
    /// # Errors
    /// [`IdempotencyError`]; where Redis was not reached, the key may be claimed all the same, for
    /// [`LONGEST_CLAIM`].
    pub async fn begin(
        &self,
        client: ClientAddress,
        key: &str,
        body: &[u8],
    ) -> Result<Begun, IdempotencyError> {
        let (first, older) = self.keys.tags(client, key, body);
        let now = self.clock.unix_ms();
        let claim = Claim {
            of_address: keys::idempotency_of_address(client),
            record: keys::idempotency(&first.name),
            id: Ulid::generate().to_string(),
            began_at: now,
        };
        let tags = std::iter::once(first).chain(older);
        let call = BeginCall {
            now,
            claim: &claim.id,
            runs_out_at: now + millis(LONGEST_CLAIM),
            kept_for: millis(KEEP),
            most: MOST_OF_AN_ADDRESS,
            records: tags
                .map(|tags| RecordTags {
                    key: keys::idempotency(&tags.name),
                    fingerprint: tags.fingerprint,
                })
                .collect(),
        };
        let mut redis = self.redis.clone();
        match within_deadline(BEGIN.run(&mut redis, claim.keys(), &call)).await? {
            BeginReply::Claimed => Ok(Begun::Claimed(claim)),
            BeginReply::InUse => Ok(Begun::InUse),
            BeginReply::Reused => Ok(Begun::Reused),
            BeginReply::Answered { record, answer } => self
                .keys
                .open(&answer, &record)
                .map(Begun::Answered)
                .ok_or(IdempotencyError::CannotOpen),
        }
    }

    /// Keeps the answer until [`KEEP`] after the request began. A claim that ran out changes nothing.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn keep(&self, claim: &Claim, answer: &[u8]) -> Result<(), LedgerError> {
        self.end(claim, Some(answer), false, None).await
    }

    /// Keeps a refusal for as long, or only for a shorter `time` from now. Only the newest
    /// [`MOST_REFUSALS`] of all clients are kept. A claim that ran out changes nothing.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn keep_refusal(
        &self,
        claim: &Claim,
        answer: &[u8],
        time: Option<Duration>,
    ) -> Result<(), LedgerError> {
        self.end(claim, Some(answer), true, time).await
    }

    /// Keeps nothing: the next request with the key is a first one.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn free(&self, claim: &Claim) -> Result<(), LedgerError> {
        self.end(claim, None, false, None).await
    }

    async fn end(
        &self,
        claim: &Claim,
        answer: Option<&[u8]>,
        is_refusal: bool,
        time: Option<Duration>,
    ) -> Result<(), LedgerError> {
        let now = self.clock.unix_ms();
        let longest = claim.began_at + millis(KEEP);
        let call = EndCall {
            now,
            claim: &claim.id,
            sealed: answer.map(|answer| self.keys.seal(answer, &claim.record)),
            expires_at: time.map_or(longest, |time| longest.min(now.saturating_add(millis(time)))),
            is_refusal,
            kept_for: millis(KEEP),
            most: MOST_REFUSALS,
        };
        let keys = EndKeys {
            of_address: claim.of_address.clone(),
            record: claim.record.clone(),
            refusals: keys::idempotency_refusals(),
        };
        let mut redis = self.redis.clone();
        within_deadline(END.run(&mut redis, keys, &call)).await.map(|_| ())
    }
}
