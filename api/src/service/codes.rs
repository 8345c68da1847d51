//! One-time passwords for all use cases: asked for, proven, and made good again where what they were given for failed.

use std::time::Duration;

use common::accounts::AccountsError;
use common::domain::client::ClientAddress;
use common::domain::otp::Otp;
use common::domain::person_name::PersonName;
use common::domain::phone::{AllowedCountries, E164, PhoneNumber};
use common::domain::purpose::Purpose;
use common::ledger::limits::{LedgerError, LimitKind};
use common::ledger::otp::{OtpRequester, OtpStore, SendOutcome, Verified, VerifyOutcome};
use common::runtime::clock::Clock;
use tracing::Instrument;

use super::background_retry::retry_in_background;
use super::test_numbers::TestNumbers;
use crate::metrics;
use crate::refusals::Refusals;

/// Asks for codes and proves them.
#[derive(Clone, Debug)]
pub struct Codes {
    /// The ledger.
    pub otp: OtpStore,
    /// Where SMS are sent to.
    pub allowed_countries: AllowedCountries,
    /// Numbers whose codes need no SMS.
    pub test_numbers: TestNumbers,
    /// Counts what is refused.
    pub refusals: Refusals,
    /// Test numbers end by it.
    pub clock: Clock,
}

/// Why no code is sent.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The number's country or type is not served.
    #[error("destination not allowed")]
    DestinationNotAllowed,
    /// A limit is reached.
    #[error("{kind:?} for {retry_after:?}")]
    Refused {
        /// Which one.
        kind: LimitKind,
        /// How long it lasts.
        retry_after: Duration,
    },
    /// Nothing is known about the code.
    #[error(transparent)]
    Store(#[from] LedgerError),
}

/// A code is on its way.
#[derive(Debug)]
pub struct OtpQueued {
    /// The SMS.
    pub delivery_id: String,
    /// What is left of the code's life.
    pub expires_in: Duration,
    /// How long until the number may ask again.
    pub resend_in: Duration,
}

/// Why a guess brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The guess is not right, whatever the reason.
    #[error("wrong code")]
    Wrong,
    /// The ledger was not reached: whether the guess was right is not known.
    #[error(transparent)]
    Otp(#[from] LedgerError),
    /// The guess was right, but what it was given for failed. The code is good again.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// It broke off.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// The process ends before its work.
#[derive(Debug, thiserror::Error)]
#[error("broken off")]
pub struct Cancelled;

impl Codes {
    /// Sends a code. The request's id goes with the job into the worker's logs; a `name` is kept for who signs in.
    ///
    /// # Errors
    /// [`RequestError`]; then no SMS will be sent, but that after [`RequestError::Store`] Redis may still get to it.
    pub async fn ask(
        &self,
        number: &PhoneNumber,
        purpose: Purpose<'_>,
        address: ClientAddress,
        name: Option<&PersonName>,
        request_id: &str,
    ) -> Result<OtpQueued, RequestError> {
        self.check_destination(number, address)?;
        let country = number.country();
        let number = number.e164();
        let test_code = self.test_code_of(number);
        let requester = OtpRequester { purpose, number, address };
        let request_id = Some(request_id.to_owned());
        match self.otp.send(requester, country, name, test_code, request_id).await? {
            SendOutcome::Queued { delivery, expires_in, resend_in } => {
                let (purpose, is_test) = (purpose.kind().into_str(), test_code.is_some());
                metrics::otp_queued(is_test);
                tracing::info!(event = "otp_queued", delivery_id = %delivery, purpose, %number, is_test);
                Ok(OtpQueued { delivery_id: delivery.to_string(), expires_in, resend_in })
            }
            SendOutcome::Refused { kind, retry_after } => {
                self.refusals.send(kind, number, address);
                Err(RequestError::Refused { kind, retry_after })
            }
        }
    }

    /// Whether a number of this country and type may be sent to. A test number may: nothing is.
    ///
    /// # Errors
    /// [`RequestError::DestinationNotAllowed`], which is counted.
    pub fn check_destination(&self, number: &PhoneNumber, address: ClientAddress) -> Result<(), RequestError> {
        if self.test_code_of(number.e164()).is_some() || (self.allowed_countries.allow(number) && number.takes_sms()) {
            return Ok(());
        }
        self.refusals.destination(number.e164(), address);
        Err(RequestError::DestinationNotAllowed)
    }

    /// The fixed code of a test number, to which nothing is sent.
    #[must_use]
    pub fn test_code_of(&self, number: &E164) -> Option<&Otp> {
        self.test_numbers.code_of(number, self.clock.now())
    }

    /// Uses a code up.
    ///
    /// # Errors
    /// [`VerifyError::Wrong`] and [`VerifyError::Otp`]; then the code is as it was, but for the count of wrong guesses.
    pub async fn prove(&self, asker: OtpRequester<'_>, guess: &Otp) -> Result<Verified, VerifyError> {
        match self.otp.verify(asker, guess).await? {
            VerifyOutcome::Right(verified) => {
                metrics::guessed_right();
                Ok(verified)
            }
            VerifyOutcome::Wrong(why) => {
                self.refusals.guess(why, asker.number, asker.address);
                Err(VerifyError::Wrong)
            }
        }
    }

    /// Makes a code good again, because what it was given for failed.
    pub async fn restore(&self, verified: &Verified) {
        if let Err(error) = self.otp.restore(verified).await {
            tracing::error!(event = "otp_not_restored", %error);
        }
    }

    /// Ends a sign-in's code that was sent before its number's account went, so that no new account begins with the name that was
    /// given for it.
    pub(crate) async fn end_sign_in(&self, number: E164) {
        let otp = self.otp.clone();
        retry_in_background("sign_in_code_not_ended", move || {
            let (otp, number) = (otp.clone(), number.clone());
            async move { otp.end(Purpose::SignIn, &number).await }
        })
        .await;
    }
}

/// Runs work that uses codes up to its end, even if the client goes away meanwhile, so that no code is used up for nothing.
pub(crate) async fn run_to_completion<T, E>(work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Cancelled> + Send + 'static,
{
    match tokio::spawn(work.in_current_span()).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Cancelled.into()),
    }
}
