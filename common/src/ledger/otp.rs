//! The OTP ledger as the API uses it: codes asked for, guessed, used up and put back, and all
//! limits on that.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::ledger::connection::RedisConnection;
use redis::{Script, ScriptInvocation};
use ulid::Ulid;

use crate::crypto::otp_keys::OtpKeys;
use crate::domain::client::ClientAddress;
use crate::domain::ids::{ChallengeId, DeliveryId};
use crate::domain::otp::{Otp, OtpLength};
use crate::domain::person_name::PersonName;
use crate::domain::phone::{Country, E164};
use crate::domain::purpose::Purpose;
use crate::ledger::keys;
use crate::ledger::limits::{LedgerError, LedgerSettings, LimitKind, WrongGuess, within_deadline};
use crate::ledger::pending_rollbacks::PendingRollbacks;
use crate::ledger::script;
use crate::queue::QueueScript;
use crate::queue::job::SendOtp;
use crate::runtime::clock::Clock;

/// How often, and how far apart, a lost use of a code is tried to be taken back: for half a minute
/// or so.
const RESTORE_ATTEMPTS: u32 = 30;
const RESTORE_PAUSE: Duration = Duration::from_millis(250);

static RESTORE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/restore.lua")));

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

/// One use of a code, which may have to be taken back.
#[derive(Clone, Debug)]
struct Redemption {
    key: String,
    id: String,
}

/// A right guess.
#[derive(Debug)]
pub struct Verified {
    redemption: Redemption,
    /// The name that was given from the same address when the code was asked for; empty where none
    /// was.
    pub name: PersonName,
}

/// What Redis runs under these settings.
#[derive(Debug)]
struct Scripts {
    send: QueueScript,
    verify: Script,
}

impl Scripts {
    fn new(settings: &LedgerSettings) -> Self {
        const LIMITS: &str = include_str!("lua/limits.lua");
        const NAMES: &str = include_str!("lua/names.lua");
        let verify =
            [LIMITS, include_str!("lua/give_back.lua"), NAMES, include_str!("lua/verify.lua")];
        Self {
            send: QueueScript::new(&script::text(
                &[LIMITS, NAMES, include_str!("lua/send.lua")],
                settings,
            )),
            verify: Script::new(&script::text(&verify, settings)),
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
        let known_keys = self.keys.ids().collect::<Vec<_>>().join(",");
        let mut call = self.scripts.send.prepare_invoke();
        call.arg(self.clock.unix_ms());
        let mut deliveries = Vec::new();
        for request in requests {
            let delivery = DeliveryId::random();
            self.add_request(&mut call, request, &delivery, &known_keys, request_id.clone());
            deliveries.push(delivery);
        }
        let answers: Vec<(String, u64, u64)> = self.invoke(&call).await?;
        let outcomes =
            answers.into_iter().zip(deliveries).map(|((outcome, first, second), delivery)| {
                let first = Duration::from_millis(first);
                match outcome.parse().ok() {
                    None => SendOutcome::Queued {
                        delivery,
                        expires_in: first,
                        resend_in: Duration::from_millis(second),
                    },
                    Some(kind) => SendOutcome::Refused {
                        kind,
                        retry_after: first,
                        index: usize::try_from(second).unwrap_or(0),
                    },
                }
            });
        Ok(outcomes.collect())
    }

    /// What `send.lua` takes for one number.
    fn add_request(
        &self,
        call: &mut ScriptInvocation<'_>,
        request: &OtpRequest<'_>,
        delivery: &DeliveryId,
        known_keys: &str,
        request_id: Option<String>,
    ) {
        let OtpRequest { requester, country, name, test_code } = *request;
        let OtpRequester { purpose, number, address } = requester;
        let challenge = ChallengeId::random();
        let code = test_code.cloned().unwrap_or_else(|| Otp::random(self.code_length));
        let new = self.keys.seal(&code, purpose, number, &challenge);
        let job = SendOtp {
            delivery_id: delivery.to_string(),
            request_id,
            traceparent: crate::runtime::telemetry::traces::traceparent(),
            job_id: None,
        };
        call.key(keys::challenge(purpose, number))
            .key(keys::delivery(delivery.as_str()))
            .key(keys::number(number))
            .key(keys::sends(number))
            .key(keys::known_addresses(number))
            .key(keys::wrong_by_number(number))
            .key(keys::wrong_by_address(address))
            .key(keys::wrong_by_both(number, address))
            .key(keys::address_bucket(address))
            .key(keys::network_bucket(address.network()))
            .key(keys::range_bucket(number))
            .key(keys::country_bucket(country))
            .key(keys::service_bucket())
            .key(keys::blocked(number))
            .key(keys::wrong_by_network(address.network()))
            .key(keys::told(address));
        call.arg(self.address_tags(requester))
            .arg(purpose.text())
            .arg(number.as_str())
            .arg(name.map_or("", PersonName::as_str))
            .arg(self.settings.country_capacity(country))
            .arg(challenge.as_str())
            .arg(new.key_id)
            .arg(new.sealed)
            .arg(new.tag)
            .arg(known_keys)
            .arg(delivery.as_str())
            .arg(Ulid::generate().to_string())
            .arg(job.to_json())
            .arg(test_code.is_some());
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
        let OtpRequester { purpose, number, address } = asker;
        let redemption =
            Redemption { key: keys::challenge(purpose, number), id: Ulid::generate().to_string() };
        let mut call = self.scripts.verify.prepare_invoke();
        call.key(&redemption.key)
            .key(keys::number(number))
            .key(keys::known_addresses(number))
            .key(keys::wrong_by_number(number))
            .key(keys::wrong_by_address(address))
            .key(keys::wrong_by_both(number, address))
            .key(keys::wrong_by_network(address.network()))
            .key(keys::blocked(number));
        call.arg(self.clock.unix_ms()).arg(self.address_tags(asker)).arg(&redemption.id);
        for guess in self.keys.guess_tags(guess, purpose, number) {
            call.arg(guess.key_id).arg(guess.tag);
        }
        let was_pending = self.pending_rollbacks.has(&redemption.key);
        // Redis may run the script after nobody waits for its answer any more.
        let answer = self
            .invoke(&call)
            .await
            .inspect_err(|_| self.restore_in_background(redemption.clone()));
        let (outcome, name): (String, String) = answer?;
        Ok(match outcome.parse().ok() {
            None => {
                self.pending_rollbacks.forget(&redemption.key);
                VerifyOutcome::Right(Verified { redemption, name: PersonName::from_store(name) })
            }
            // A code that looks used may be one whose use is taken back next: nobody should be told
            // that it is wrong.
            Some(WrongGuess::None)
                if was_pending || self.pending_rollbacks.has(&redemption.key) =>
            {
                return Err(LedgerError::RollbackPending);
            }
            Some(why) => VerifyOutcome::Wrong(why),
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
        let mut call = redis::cmd("DEL");
        call.arg(keys::challenge(purpose, number));
        within_deadline(call.query_async(&mut redis)).await
    }

    async fn restore_redemption(&self, redemption: &Redemption) -> Result<bool, LedgerError> {
        let mut call = RESTORE.prepare_invoke();
        call.key(&redemption.key).arg(&redemption.id);
        self.invoke(&call).await
    }

    /// Tries in the background, until the attempt is taken back or Redis has said twice that there
    /// is nothing to take back.
    fn restore_in_background(&self, redemption: Redemption) {
        let store = self.clone();
        let pending = self.pending_rollbacks.begin(&redemption.key, &redemption.id);
        tokio::spawn(async move {
            let _until_it_ends = pending;
            let mut answers = 0;
            for _ in 0..RESTORE_ATTEMPTS {
                match store.restore_redemption(&redemption).await {
                    Ok(true) => return,
                    Ok(false) if answers == 1 => return,
                    Ok(false) => answers += 1,
                    Err(_) => {}
                }
                tokio::time::sleep(RESTORE_PAUSE).await;
            }
        });
    }

    fn address_tags(&self, requester: OtpRequester<'_>) -> String {
        self.keys.address_tags(requester.number, requester.address).join(" ")
    }

    async fn invoke<T: redis::FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, LedgerError> {
        let mut redis = self.redis.clone();
        within_deadline(call.invoke_async(&mut redis)).await
    }
}
