//! Signing up and in: a code is asked for, and buys a token.

use std::time::Duration;

use common::address::ClientAddress;
use common::client::Client;
use common::clock::Clock;
use common::code::{Code, Purpose};
use common::entity::user;
use common::name::Name;
use common::phone::{AllowedCountries, Country, PhoneNumber};
use common::store::accounts::{Accounts, AccountsError};
use common::store::idempotency::IdempotencyStore;
use common::store::ledger::{LimitKind, OtpStoreError};
use common::store::otp::{Asker, Guessed, OtpStore, Requested, Verified};
use common::token::Token;
use tracing::Instrument;

use super::sessions::SessionTerms;
use super::test_numbers::TestNumbers;
use crate::metrics;
use crate::refusals::Refusals;

/// The use case and what it needs.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// Codes.
    pub otp: OtpStore,
    /// Requests that a client repeats.
    pub repeats: IdempotencyStore,
    /// Users and sessions.
    pub accounts: Accounts,
    /// Country of numbers without a country code.
    pub default_country: Country,
    /// Where SMS are sent to.
    pub allowed_countries: AllowedCountries,
    /// Numbers that sign in without an SMS.
    pub test_numbers: TestNumbers,
    /// Counts what is refused.
    pub refusals: Refusals,
    /// How long sessions last, and how many there may be.
    pub sessions: SessionTerms,
    /// Tokens expire by it.
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
    Store(#[from] OtpStoreError),
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

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The guess is not right, whatever the reason.
    #[error("wrong code")]
    Wrong,
    /// The ledger was not reached: whether the guess was right is not known.
    #[error(transparent)]
    Otp(#[from] OtpStoreError),
    /// The guess was right, but no token could be kept. The code is good again.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// The sign-in broke off.
    #[error("the sign-in broke off")]
    BrokenOff,
}

/// Somebody is signed in.
#[derive(Debug)]
pub struct SignIn {
    /// Who.
    pub user: user::Model,
    /// Whether this was their first time.
    pub is_new: bool,
    /// Their token, which is told once.
    pub token: Token,
}

impl SignUp {
    /// Sends a code to the number. The request's id goes with the job into the worker's logs.
    ///
    /// # Errors
    /// [`RequestError`]; then no SMS will be sent, but that after [`RequestError::Store`] Redis may still get to it.
    pub async fn request(
        &self,
        number: &PhoneNumber,
        address: ClientAddress,
        name: &Name,
        request_id: &str,
    ) -> Result<OtpQueued, RequestError> {
        let test_code = self.test_numbers.code_of(number, self.clock.now());
        if test_code.is_none() && !(self.allowed_countries.allow(number) && number.takes_sms()) {
            self.refusals.destination(number, address);
            return Err(RequestError::DestinationNotAllowed);
        }
        let asker = Asker { purpose: Purpose::SignIn, number, address };
        match self.otp.request(asker, name, test_code, Some(request_id.to_owned())).await? {
            Requested::Queued { delivery, expires_in, resend_in } => {
                metrics::otp_queued(test_code.is_some());
                tracing::info!(event = "otp_queued", delivery_id = %delivery, %number, is_test = test_code.is_some());
                Ok(OtpQueued { delivery_id: delivery.to_string(), expires_in, resend_in })
            }
            Requested::Refused { kind, retry_after } => {
                self.refusals.send(kind, number, address);
                Err(RequestError::Refused { kind, retry_after })
            }
        }
    }

    /// Buys a token with a code. Runs to its end even if the client goes away meanwhile, so that no code is used up
    /// for nothing.
    ///
    /// # Errors
    /// [`VerifyError`]; then the code is as it was, but for the count of wrong guesses.
    pub async fn verify(
        &self,
        number: PhoneNumber,
        client: &Client,
        guess: Code,
        name: Option<Name>,
    ) -> Result<SignIn, VerifyError> {
        let (sign_up, client) = (self.clone(), client.clone());
        let to_the_end = async move { sign_up.verify_to_the_end(&number, &client, &guess, name).await };
        match tokio::spawn(to_the_end.in_current_span()).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(VerifyError::BrokenOff),
        }
    }

    async fn verify_to_the_end(
        &self,
        number: &PhoneNumber,
        client: &Client,
        guess: &Code,
        name: Option<Name>,
    ) -> Result<SignIn, VerifyError> {
        let asker = Asker { purpose: Purpose::SignIn, number, address: client.address };
        let verified = match self.otp.verify(asker, guess).await? {
            Guessed::Right(verified) => verified,
            Guessed::Wrong(why) => {
                self.refusals.guess(why, number, client.address);
                return Err(VerifyError::Wrong);
            }
        };
        metrics::guessed_right();
        let name = name.unwrap_or_else(|| verified.name.clone());
        match self.sign_in(number, &name, client).await {
            Ok(sign_in) => {
                metrics::signed_in(sign_in.is_new);
                tracing::info!(event = "signed_in", user_id = sign_in.user.id, is_new = sign_in.is_new, %number);
                Ok(sign_in)
            }
            Err(error) => {
                self.put_back(&verified).await;
                Err(error.into())
            }
        }
    }

    async fn sign_in(&self, number: &PhoneNumber, name: &Name, client: &Client) -> Result<SignIn, AccountsError> {
        let (token, now) = (Token::random(), self.clock.now());
        let session = self.sessions.begin(&token, client, now);
        let signed_in = self.accounts.sign_in(number, name, session, self.sessions.per_user, now).await?;
        Ok(SignIn { user: signed_in.user, is_new: signed_in.is_new, token })
    }

    async fn put_back(&self, verified: &Verified) {
        if let Err(error) = self.otp.restore(verified).await {
            tracing::error!(event = "otp_not_restored", %error);
        }
    }
}
