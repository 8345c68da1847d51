//! Moving an account to another number: a code proves each of the two, so that a stolen token cannot move it.

use common::accounts::entities::user;
use common::accounts::{Accounts, AccountsError, Moved, NumberMove};
use common::domain::client::Client;
use common::domain::ids::SessionId;
use common::domain::message::NoticeKind;
use common::domain::otp::Otp;
use common::domain::phone::{Country, E164, PhoneNumber};
use common::domain::purpose::Purpose;
use common::ledger::notices::{Notice, Notices};
use common::ledger::otp::{OtpRequester, Verified};
use tracing::Instrument;

use super::background_retry::retry_in_background;
use super::codes::{Cancelled, Codes, OtpQueued, RequestError, VerifyError, run_to_completion};

/// The use case and what it needs.
#[derive(Clone, Debug)]
pub struct NumberChange {
    /// Codes.
    pub codes: Codes,
    /// Users and their sessions.
    pub accounts: Accounts,
    /// What the old number is told.
    pub notices: Notices,
    /// Country of numbers without a country code.
    pub default_country: Country,
}

/// Who wants to move which account where.
#[derive(Clone, Debug)]
pub struct NumberChangeRequest {
    /// As of the token.
    pub user: user::Model,
    /// The session that is to live on.
    pub session: SessionId,
    /// The new number, which may be anybody's.
    pub new: PhoneNumber,
    /// Who asks.
    pub client: Client,
    /// For the logs of the worker.
    pub request_id: String,
}

/// The guesses at both codes.
#[derive(Clone, Debug)]
pub struct Guesses {
    /// At the one that was sent to the account's number.
    pub current: Otp,
    /// At the one that was sent to the new number.
    pub new: Otp,
}

/// Both codes are on their way.
#[derive(Debug)]
pub struct OtpsQueued {
    /// To the account's number.
    pub current: OtpQueued,
    /// To the new number.
    pub new: OtpQueued,
}

/// Why an account keeps its number.
#[derive(Debug, thiserror::Error)]
pub enum NumberChangeError {
    /// It has the number already.
    #[error("same number")]
    Same,
    /// No code, or only one, is sent.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The codes brought nothing.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The number, which is proven, belongs to another account.
    #[error("taken")]
    Taken,
    /// Meanwhile the account is gone, or has another number than the one that was proven.
    #[error("the account has changed meanwhile")]
    Outdated,
}

impl From<Cancelled> for NumberChangeError {
    fn from(broken_off: Cancelled) -> Self {
        Self::Verify(broken_off.into())
    }
}

impl NumberChange {
    /// Sends a code to each of the two numbers. Whether the new one belongs to somebody is not looked at.
    ///
    /// # Errors
    /// [`NumberChangeError::Same`] and [`NumberChangeError::Request`]. Where the new number's code was sent and the current
    /// number's was refused, asking again sends the same one.
    pub async fn request(&self, wish: &NumberChangeRequest) -> Result<OtpsQueued, NumberChangeError> {
        let NumberChangeRequest { user, new, client, request_id, .. } = wish;
        if *new.e164() == user.phone_number {
            return Err(NumberChangeError::Same);
        }
        let current = PhoneNumber::from_account(&user.phone_number);
        let address = client.address;
        // Before anything is sent.
        self.codes.check_destination(&current, address)?;
        let new_queued = self.codes.ask(new, taking(user), address, None, request_id).await?;
        let current_queued = self.codes.ask(&current, leaving(user, new.e164()), address, None, request_id).await?;
        Ok(OtpsQueued { current: current_queued, new: new_queued })
    }

    /// Moves the account, ends its other sessions and tells the old number. Runs to its end even if the client goes away.
    ///
    /// # Errors
    /// [`NumberChangeError`]; after [`NumberChangeError::Verify`] both codes are as they were, but for the count of wrong guesses.
    pub async fn verify(&self, wish: NumberChangeRequest, guesses: Guesses) -> Result<user::Model, NumberChangeError> {
        let change = self.clone();
        run_to_completion(async move { change.change(&wish, &guesses).await }).await
    }

    async fn change(&self, wish: &NumberChangeRequest, guesses: &Guesses) -> Result<user::Model, NumberChangeError> {
        let old = &wish.user.phone_number;
        let new = wish.new.e164();
        if new == old {
            return Err(NumberChangeError::Same);
        }
        let both = self.prove_both(wish, guesses).await?;
        let moved = self.move_account(wish).await;
        match moved {
            Ok(Moved::To(user)) => {
                tracing::info!(event = "number_changed", user_id = user.id, %old, %new);
                tokio::join!(self.tell(old, &wish.request_id), self.codes.end_sign_in(old.clone()));
                Ok(user)
            }
            Ok(Moved::Taken) => Err(NumberChangeError::Taken),
            Ok(Moved::Outdated) => Err(NumberChangeError::Outdated),
            Err(error) => {
                for verified in &both {
                    self.codes.restore(verified).await;
                }
                tokio::spawn(self.clone().tell_if_moved(wish.clone()).in_current_span());
                Err(VerifyError::from(error).into())
            }
        }
    }

    /// The current number first: who does not have it learns nothing about the other code.
    async fn prove_both(&self, wish: &NumberChangeRequest, guesses: &Guesses) -> Result<[Verified; 2], VerifyError> {
        let NumberChangeRequest { user, new, client, .. } = wish;
        let new = new.e164();
        let address = client.address;
        let leaver = OtpRequester { purpose: leaving(user, new), number: &user.phone_number, address };
        let taker = OtpRequester { purpose: taking(user), number: new, address };
        let left = self.codes.prove(leaver, &guesses.current).await?;
        match self.codes.prove(taker, &guesses.new).await {
            Ok(taken) => Ok([left, taken]),
            Err(error) => {
                self.codes.restore(&left).await;
                Err(error)
            }
        }
    }

    async fn move_account(&self, wish: &NumberChangeRequest) -> Result<Moved, AccountsError> {
        let NumberChangeRequest { user, session, new, client, .. } = wish;
        let number_move = NumberMove { user_id: user.id, session, old: &user.phone_number, new: new.e164() };
        self.accounts.move_number(number_move, client, self.codes.clock.now()).await
    }

    /// A failure may be a lost answer: then the account has moved all the same, and the old number is told so.
    async fn tell_if_moved(self, wish: NumberChangeRequest) {
        retry_in_background("number_changed_or_not", move || {
            let change = self.clone();
            let wish = wish.clone();
            async move {
                let number = change.accounts.number_of(wish.user.id).await?;
                if number.is_some_and(|number| number == *wish.new.e164()) {
                    let old = &wish.user.phone_number;
                    tracing::warn!(event = "number_changed_late", user_id = wish.user.id, %old);
                    change.tell(old, &wish.request_id).await;
                }
                Ok::<_, AccountsError>(())
            }
        })
        .await;
    }

    /// Sends the SMS without a code.
    async fn tell(&self, old: &E164, request_id: &str) {
        if self.codes.test_code_of(old).is_some() {
            return;
        }
        let notice = Notice::new(NoticeKind::NumberChanged, old.clone(), self.codes.clock.unix_ms(), request_id);
        tracing::info!(event = "notice_made", delivery_id = %notice.delivery(), number = %old);
        let notices = self.notices.clone();
        retry_in_background("notice_not_queued", move || {
            let (notices, notice) = (notices.clone(), notice.clone());
            async move { notices.queue(&notice).await }
        })
        .await;
    }
}

fn leaving<'a>(user: &user::Model, new: &'a E164) -> Purpose<'a> {
    Purpose::LeaveNumber { user: user.id, new }
}

fn taking(user: &user::Model) -> Purpose<'static> {
    Purpose::TakeNumber { user: user.id }
}
