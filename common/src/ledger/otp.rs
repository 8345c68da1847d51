//! The OTP ledger as the API uses it: codes asked for, guessed, used up and put back, and all
//! limits on that.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use ulid::Ulid;

use crate::crypto::otp_keys::{GuessTag, OtpKeys};
use crate::domain::client::ClientAddress;
use crate::domain::ids::{ChallengeId, DeliveryId};
use crate::domain::otp::{Otp, OtpLength};
use crate::domain::person_name::PersonName;
use crate::domain::phone::{Country, E164};
use crate::domain::purpose::Purpose;
use crate::ledger::connection::RedisConnection;
use crate::ledger::error::{LedgerError, within_deadline};
use crate::ledger::keys;
use crate::ledger::limits::LimitKind;
use crate::ledger::pending_rollbacks::PendingRollbacks;
use crate::ledger::script::{Call, Script, Source, keys, named};
use crate::ledger::scripts;
use crate::ledger::settings::LedgerSettings;
use crate::queue::job::SendOtp;
use crate::runtime::clock::Clock;
use crate::runtime::retry::{Backoff, retry_until_ok};

/// How long a lost use of a code is tried to be taken back, and the pause between two tries.
const RESTORE_FOR: Duration = Duration::from_secs(30);
const RESTORE_PAUSE: Duration = Duration::from_millis(250);

/// Who asks, for which number and for what.
#[derive(Clone, Copy, Debug)]
pub struct OtpRequester<'a> {
    /// What the code is for.
    pub purpose: Purpose<'a>,
    /// Whose phone gets it.
    pub number: &'a E164,
    /// Where the request comes from.
    pub address: ClientAddress,
}

/// A code that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct OtpRequest<'a> {
    pub requester: OtpRequester<'a>,
    /// It has a limit of its own; numbers of none share one.
    pub country: Option<Country>,
    /// Kept for who signs in from the same address.
    pub name: Option<&'a PersonName>,
    /// That is the code then, nothing is sent, and only the limits on guesses count.
    pub test_code: Option<&'a Otp>,
    /// Whether a challenge was solved for it.
    pub challenge: SolvedChallenge,
}

/// Whether who asks has solved a challenge, which passes the number's cooldown and hour.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SolvedChallenge {
    /// There are none.
    #[default]
    Off,
    No,
    Yes,
}

/// The outcome of [`OtpStore::send`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SendOutcome {
    /// Challenge, delivery and job are written.
    Queued {
        /// The SMS that will be sent.
        delivery: DeliveryId,
        /// What is left of the code's life.
        expires_in: Duration,
        /// How long until the number may ask again.
        resend_in: Duration,
    },
    /// A limit is reached; nothing was written.
    Refused {
        /// Which limit.
        kind: LimitKind,
        /// Until it allows a send again; of several limits, the last to do so.
        retry_after: Duration,
        /// Which of the requests it is about.
        index: usize,
        /// Whether it is let in with a solved challenge.
        solvable: bool,
    },
}

/// The outcome of [`OtpStore::verify`].
#[derive(Debug)]
pub enum VerifyOutcome {
    /// The code is used up, unless [`OtpStore::restore`] makes it good again.
    Right(Verified),
    /// All other guesses, which a client must not be able to tell apart.
    Wrong(WrongGuess),
}

/// Why a guess was not right. For operators only.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, IntoStaticStr, PartialEq, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum WrongGuess {
    /// Other digits.
    Wrong,
    /// The code has expired.
    Expired,
    /// Five wrong guesses came before.
    Burned,
    /// There is no code, or it has been used.
    None,
    /// Too many wrong guesses in an hour or a day: this one was not looked at.
    Closed,
    /// An operator has blocked the number: this one was not looked at.
    Blocked,
}

/// One use of a code, which may have to be taken back.
#[derive(Clone, Debug)]
struct Redemption {
    purpose: String,
    number: E164,
    id: String,
}

impl Redemption {
    /// Which challenge it is of.
    fn challenge(&self) -> String {
        format!("{}:{}", self.purpose, self.number.as_str())
    }

    fn key(&self) -> NumberKey {
        NumberKey { number: keys::number(&self.number) }
    }
}

/// A right guess.
#[derive(Debug)]
pub struct Verified {
    redemption: Redemption,
    /// The name that was given from the same address when the code was asked for; empty where none
    /// was.
    pub name: PersonName,
}

named! {
    /// What it is told of all numbers.
    #[derive(Serialize)]
    pub(crate) struct SendCall<'a> {
        now: i64,
        /// Ids of keys that open codes, with commas.
        known_keys: String,
        requests: Vec<SendRequest<'a>>,
        /// The codes of all requests, one behind the other.
        #[serde(skip)]
        sealed: Vec<u8>,
    }
}

named! {
    /// What `send.lua` is told of one number.
    #[derive(Serialize)]
    pub(crate) struct SendRequest<'a> {
        keys: SendKeys,
        address: String,
        address_tags: Vec<String>,
        purpose: String,
        number: &'a str,
        name: &'a str,
        country: String,
        country_capacity: u32,
        /// These five are of the challenge that begins, unless the last one's code is sent again.
        challenge_id: ChallengeId,
        key_id: String,
        tag: String,
        /// Its first and its last byte in `sealed`, from 1.
        sealed_from: usize,
        sealed_to: usize,
        delivery_id: DeliveryId,
        job_id: String,
        job: String,
        is_test: bool,
        is_owner: bool,
        may_solve: bool,
        is_solved: bool,
    }
}

named! {
    #[derive(Serialize)]
    pub(crate) struct SendKeys {
        delivery: String,
        number: String,
        known: String,
        wrong_by_address: String,
        wrong_by_network: String,
        told: String,
        address: String,
        network: String,
        range: String,
        country: String,
        service: String,
    }
}

#[derive(Deserialize)]
pub(crate) struct Sent {
    expires_in: u64,
    resend_in: u64,
}

#[derive(Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum SendReply {
    Sent { sent: Vec<Sent> },
    Refused { kind: LimitKind, retry_after: u64, index: usize, solvable: bool },
}

impl Call for SendCall<'_> {
    type Settings = LedgerSettings;
    type Keys = ();
    type Reply = SendReply;
    const SOURCE: Source = scripts::SEND;

    fn sealed(&self) -> Option<&[u8]> {
        Some(&self.sealed)
    }
}

keys!(VerifyKeys { number, known, wrong_by_address, wrong_by_network });

named! {
    #[derive(Serialize)]
    pub(crate) struct VerifyCall<'a> {
        now: i64,
        purpose: &'a str,
        number: &'a str,
        address: String,
        address_tags: Vec<String>,
        attempt: &'a str,
        guesses: Vec<GuessTag>,
    }
}

#[derive(Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum VerifyReply {
    Right { name: String },
    Refused { why: WrongGuess },
}

impl Call for VerifyCall<'_> {
    type Settings = LedgerSettings;
    type Keys = VerifyKeys;
    type Reply = VerifyReply;
    const SOURCE: Source = scripts::VERIFY;
}

keys!(NumberKey { number });

named! {
    #[derive(Serialize)]
    pub(crate) struct RestoreCall<'a> {
        now: i64,
        purpose: &'a str,
        attempt: &'a str,
    }
}

impl Call for RestoreCall<'_> {
    type Settings = LedgerSettings;
    type Keys = NumberKey;
    type Reply = bool;
    const SOURCE: Source = scripts::RESTORE;
}

named! {
    #[derive(Serialize)]
    pub(crate) struct EndCall<'a> {
        now: i64,
        purpose: &'a str,
    }
}

impl Call for EndCall<'_> {
    type Settings = LedgerSettings;
    type Keys = NumberKey;
    type Reply = bool;
    const SOURCE: Source = scripts::END_CHALLENGE;
}

/// What Redis runs under these settings.
#[derive(Debug)]
struct Scripts {
    send: Script<SendCall<'static>>,
    verify: Script<VerifyCall<'static>>,
    restore: Script<RestoreCall<'static>>,
    end: Script<EndCall<'static>>,
}

impl Scripts {
    fn new(settings: &LedgerSettings) -> Self {
        Self {
            send: Script::new(settings),
            verify: Script::new(settings),
            restore: Script::new(settings),
            end: Script::new(settings),
        }
    }
}

/// The OTP ledger in Redis.
#[derive(Clone, Debug)]
pub struct OtpStore {
    redis: RedisConnection,
    keys: OtpKeys,
    code_length: OtpLength,
    settings: LedgerSettings,
    scripts: Arc<Scripts>,
    clock: Clock,
    pending_rollbacks: PendingRollbacks,
}

impl OtpStore {
    /// A ledger whose new codes have `code_length` digits.
    #[must_use]
    pub fn new(
        redis: RedisConnection,
        keys: OtpKeys,
        code_length: OtpLength,
        settings: LedgerSettings,
        clock: Clock,
    ) -> Self {
        let scripts = Arc::new(Scripts::new(&settings));
        Self {
            redis,
            keys,
            code_length,
            settings,
            scripts,
            clock,
            pending_rollbacks: PendingRollbacks::default(),
        }
    }

    /// Asks for one code; see [`OtpStore::send_all`].
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn send(
        &self,
        request: OtpRequest<'_>,
        request_id: Option<String>,
    ) -> Result<SendOutcome, LedgerError> {
        let outcomes = self.send_all(&[request], request_id).await?;
        outcomes.into_iter().next().ok_or(LedgerError::Unreadable)
    }

    /// Asks for codes for different numbers: the limits of all are decided, and challenges,
    /// deliveries and jobs written together or not at all. Answers [`SendOutcome::Queued`] for each
    /// request, or one refusal for all.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn send_all(
        &self,
        requests: &[OtpRequest<'_>],
        request_id: Option<String>,
    ) -> Result<Vec<SendOutcome>, LedgerError> {
        let mut call = SendCall {
            now: self.clock.unix_ms(),
            known_keys: self.keys.ids().collect::<Vec<_>>().join(","),
            requests: Vec::new(),
            sealed: Vec::new(),
        };
        for request in requests {
            let request = self.to_script(request, request_id.clone(), &mut call.sealed);
            call.requests.push(request);
        }
        let mut redis = self.redis.clone();
        let reply = within_deadline(self.scripts.send.run(&mut redis, (), &call)).await?;
        let millis = Duration::from_millis;
        Ok(match reply {
            SendReply::Sent { sent } => sent
                .into_iter()
                .zip(call.requests)
                .map(|(sent, request)| SendOutcome::Queued {
                    delivery: request.delivery_id,
                    expires_in: millis(sent.expires_in),
                    resend_in: millis(sent.resend_in),
                })
                .collect(),
            SendReply::Refused { kind, retry_after, index, solvable } => {
                let retry_after = millis(retry_after);
                vec![SendOutcome::Refused { kind, retry_after, index, solvable }]
            }
        })
    }

    fn to_script<'a>(
        &self,
        request: &OtpRequest<'a>,
        request_id: Option<String>,
        all_sealed: &mut Vec<u8>,
    ) -> SendRequest<'a> {
        let OtpRequest { requester, country, name, test_code, challenge } = *request;
        let OtpRequester { purpose, number, address } = requester;
        let challenge_id = ChallengeId::random();
        let delivery_id = DeliveryId::random();
        let code = test_code.cloned().unwrap_or_else(|| Otp::random(self.code_length));
        let new = self.keys.seal(&code, purpose, number, &challenge_id);
        let sealed_from = all_sealed.len() + 1;
        all_sealed.extend(new.sealed);
        let job = SendOtp {
            delivery_id: delivery_id.to_string(),
            request_id,
            traceparent: crate::runtime::telemetry::traces::traceparent(),
            job_id: None,
        };
        SendRequest {
            keys: SendKeys {
                delivery: keys::delivery(delivery_id.as_str()),
                number: keys::number(number),
                known: keys::known_addresses(number),
                wrong_by_address: keys::wrong_by_address(address),
                wrong_by_network: keys::wrong_by_network(address.network()),
                told: keys::told(address),
                address: keys::address_bucket(address),
                network: keys::network_bucket(address.network()),
                range: keys::range_bucket(number),
                country: keys::country_bucket(country),
                service: keys::service_bucket(),
            },
            address: address.to_string(),
            address_tags: self.keys.address_tags(number, address),
            purpose: purpose.text(),
            number: number.as_str(),
            name: name.map_or("", PersonName::as_str),
            country: country.map(|country| country.to_string()).unwrap_or_default(),
            country_capacity: self.settings.country_capacity(country),
            challenge_id,
            key_id: new.key_id,
            tag: new.tag,
            sealed_from,
            sealed_to: all_sealed.len(),
            delivery_id,
            job_id: Ulid::generate().to_string(),
            job: job.to_json(),
            is_test: test_code.is_some(),
            is_owner: requester.purpose.goes_to_own_number(),
            may_solve: challenge == SolvedChallenge::No,
            is_solved: challenge == SolvedChallenge::Yes,
        }
    }

    /// Compares a guess and counts a wrong one. Of simultaneous right guesses one is
    /// [`VerifyOutcome::Right`].
    ///
    /// # Errors
    /// [`LedgerError`]; the code is good again as soon as Redis answers.
    pub async fn verify(
        &self,
        asker: OtpRequester<'_>,
        guess: &Otp,
    ) -> Result<VerifyOutcome, LedgerError> {
        if self.pending_rollbacks.is_full() {
            return Err(LedgerError::RollbackPending);
        }
        let OtpRequester { purpose, number, address } = asker;
        let redemption = Redemption {
            purpose: purpose.text(),
            number: number.clone(),
            id: Ulid::generate().to_string(),
        };
        let keys = VerifyKeys {
            number: keys::number(number),
            known: keys::known_addresses(number),
            wrong_by_address: keys::wrong_by_address(address),
            wrong_by_network: keys::wrong_by_network(address.network()),
        };
        let call = VerifyCall {
            now: self.clock.unix_ms(),
            purpose: &redemption.purpose,
            number: number.as_str(),
            address: address.to_string(),
            address_tags: self.keys.address_tags(number, address),
            attempt: &redemption.id,
            guesses: self.keys.guess_tags(guess, purpose, number),
        };
        let challenge = redemption.challenge();
        let was_pending = self.pending_rollbacks.has(&challenge);
        // Redis may run the script after nobody waits for its answer any more.
        let mut redis = self.redis.clone();
        let answer = within_deadline(self.scripts.verify.run(&mut redis, keys, &call))
            .await
            .inspect_err(|_| self.restore_in_background(redemption.clone()));
        Ok(match answer? {
            VerifyReply::Right { name } => {
                self.pending_rollbacks.forget(&challenge);
                VerifyOutcome::Right(Verified { redemption, name: PersonName::from_store(name) })
            }
            // A code that looks used may be one whose use is taken back next: nobody should be told
            // that it is wrong.
            VerifyReply::Refused { why: WrongGuess::None }
                if was_pending || self.pending_rollbacks.has(&challenge) =>
            {
                return Err(LedgerError::RollbackPending);
            }
            VerifyReply::Refused { why } => VerifyOutcome::Wrong(why),
        })
    }

    /// Makes the code of a sign-in that failed good again, unless a newer one has been asked for.
    ///
    /// # Errors
    /// [`LedgerError`]; the code is good again as soon as Redis answers.
    pub async fn restore(&self, verified: &Verified) -> Result<(), LedgerError> {
        let restored = self.restore_redemption(&verified.redemption).await;
        restored
            .inspect_err(|_| self.restore_in_background(verified.redemption.clone()))
            .map(|_| ())
    }

    /// Ends the number's challenge for this purpose, if there is one: its code is not good any
    /// more. All limits stay but its own count of wrong guesses, as after its use.
    ///
    /// # Errors
    /// [`LedgerError`]; the challenge may have ended all the same.
    pub async fn end(&self, purpose: Purpose<'_>, number: &E164) -> Result<(), LedgerError> {
        let mut redis = self.redis.clone();
        let keys = NumberKey { number: keys::number(number) };
        let call = EndCall { now: self.clock.unix_ms(), purpose: &purpose.text() };
        within_deadline(self.scripts.end.run(&mut redis, keys, &call)).await.map(|_| ())
    }

    async fn restore_redemption(&self, redemption: &Redemption) -> Result<bool, LedgerError> {
        let mut redis = self.redis.clone();
        let call = RestoreCall {
            now: self.clock.unix_ms(),
            purpose: &redemption.purpose,
            attempt: &redemption.id,
        };
        within_deadline(self.scripts.restore.run(&mut redis, redemption.key(), &call)).await
    }

    /// Tries in the background, until the attempt is taken back or Redis has said twice that there
    /// is nothing to take back.
    fn restore_in_background(&self, redemption: Redemption) {
        let store = self.clone();
        let pending = self.pending_rollbacks.begin(&redemption.challenge(), &redemption.id);
        tokio::spawn(async move {
            let _until_it_ends = pending;
            let restore = || store.restore_redemption(&redemption);
            let until_answered =
                || retry_until_ok(Backoff::constant(RESTORE_PAUSE), restore, |_: LedgerError| {});
            let twice = async {
                if !until_answered().await {
                    tokio::time::sleep(RESTORE_PAUSE).await;
                    until_answered().await;
                }
            };
            let _ = tokio::time::timeout(RESTORE_FOR, twice).await;
        });
    }
}
