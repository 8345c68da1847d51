//! Signing up and in: a code is asked for, and buys a token.

use common::accounts::entities::user;
use common::accounts::{Accounts, AccountsError};
use common::domain::client::Client;
use common::domain::client::ClientAddress;
use common::domain::otp::Otp;
use common::domain::person_name::PersonName;
use common::domain::phone::{Country, E164, PhoneNumber};
use common::domain::purpose::Purpose;
use common::domain::token::Token;
use common::ledger::otp::OtpRequester;
use common::runtime::clock::Clock;

use super::codes::{Codes, OtpQueued, RequestError, VerifyError, run_to_completion};
use super::sessions::SessionTerms;
use crate::metrics;

/// The use case and what it needs.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// Codes.
    pub codes: Codes,
    /// Users and sessions.
    pub accounts: Accounts,
    /// Country of numbers without a country code.
    pub default_country: Country,
    /// How long sessions last, and how many there may be.
    pub sessions: SessionTerms,
    /// Tokens expire by it.
    pub clock: Clock,
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
        name: &PersonName,
        request_id: &str,
    ) -> Result<OtpQueued, RequestError> {
        self.codes.ask(number, Purpose::SignIn, address, Some(name), request_id).await
    }

    /// Buys a token with a code. Runs to its end even if the client goes away meanwhile.
    ///
    /// # Errors
    /// [`VerifyError`]; then the code is as it was, but for the count of wrong guesses.
    pub async fn verify(
        &self,
        number: E164,
        client: &Client,
        guess: Otp,
        name: Option<PersonName>,
    ) -> Result<SignIn, VerifyError> {
        let (sign_up, client) = (self.clone(), client.clone());
        run_to_completion(async move { sign_up.buy(&number, &client, &guess, name).await }).await
    }

    async fn buy(
        &self,
        number: &E164,
        client: &Client,
        guess: &Otp,
        name: Option<PersonName>,
    ) -> Result<SignIn, VerifyError> {
        let asker = OtpRequester { purpose: Purpose::SignIn, number, address: client.address };
        let verified = self.codes.prove(asker, guess).await?;
        let name = name.unwrap_or_else(|| verified.name.clone());
        match self.sign_in(number, &name, client).await {
            Ok(sign_in) => {
                metrics::signed_in(sign_in.is_new);
                tracing::info!(event = "signed_in", user_id = sign_in.user.id, is_new = sign_in.is_new, %number);
                Ok(sign_in)
            }
            Err(error) => {
                self.codes.restore(&verified).await;
                Err(error.into())
            }
        }
    }

    async fn sign_in(&self, number: &E164, name: &PersonName, client: &Client) -> Result<SignIn, AccountsError> {
        let (token, now) = (Token::random(), self.clock.now());
        let session = self.sessions.begin(&token, client, now);
        let signed_in = self.accounts.sign_in(number, name, session, self.sessions.per_user, now).await?;
        Ok(SignIn { user: signed_in.user, is_new: signed_in.is_new, token })
    }
}
