//! Deleting an account: a code proves that it is its owner who wants it.

use common::accounts::Accounts;
use common::accounts::entities::user;
use common::domain::client::ClientAddress;
use common::domain::otp::Otp;
use common::domain::phone::PhoneNumber;
use common::domain::purpose::Purpose;
use common::ledger::otp::OtpRequester;

use super::codes::{Cancelled, Codes, OtpQueued, RequestError, VerifyError, run_to_completion};

/// The use case and what it needs.
#[derive(Clone, Debug)]
pub struct Deletion {
    /// Codes.
    pub codes: Codes,
    /// Users and what belongs to them.
    pub accounts: Accounts,
}

/// Why an account is still there.
#[derive(Debug, thiserror::Error)]
pub enum DeletionError {
    /// The code brought nothing.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Meanwhile the account is gone, or has another number than the one that was proven.
    #[error("the account has changed meanwhile")]
    Outdated,
}

impl From<Cancelled> for DeletionError {
    fn from(broken_off: Cancelled) -> Self {
        Self::Verify(broken_off.into())
    }
}

impl Deletion {
    /// Sends a code to the user's own number.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn request(
        &self,
        user: &user::Model,
        address: ClientAddress,
        request_id: &str,
    ) -> Result<OtpQueued, RequestError> {
        let number = PhoneNumber::from_account(&user.phone_number);
        self.codes.ask(&number, purpose(user), address, None, request_id).await
    }

    /// Deletes the user, their sessions and their events. What the ledger knows of the number's limits stays.
    ///
    /// # Errors
    /// [`DeletionError`]; after [`DeletionError::Verify`] the code is as it was, but for the count of wrong guesses.
    pub async fn verify(&self, user: user::Model, address: ClientAddress, guess: Otp) -> Result<(), DeletionError> {
        let deletion = self.clone();
        run_to_completion(async move { deletion.delete(&user, address, &guess).await }).await
    }

    async fn delete(&self, user: &user::Model, address: ClientAddress, guess: &Otp) -> Result<(), DeletionError> {
        let number = &user.phone_number;
        let requester = OtpRequester { purpose: purpose(user), number, address };
        let verified = self.codes.prove(requester, guess).await?;
        match self.accounts.delete_user(user.id, number).await {
            Ok(true) => {
                tracing::info!(event = "account_deleted", user_id = user.id, %number);
                self.codes.end_sign_in(number.clone()).await;
                Ok(())
            }
            Ok(false) => Err(DeletionError::Outdated),
            Err(error) => {
                self.codes.restore(&verified).await;
                Err(VerifyError::from(error).into())
            }
        }
    }
}

fn purpose(user: &user::Model) -> Purpose<'static> {
    Purpose::DeleteAccount { user: user.id }
}
