//! Deleting an account: an OTP proves that it is its owner who wants it.

use std::sync::Arc;

use common::accounts::AccountsError;
use common::accounts::entities::user;
use common::domain::admin_action::NewAdminAction;
use common::domain::client::ClientAddress;
use common::domain::otp::Otp;
use common::domain::phone::PhoneNumber;
use common::domain::purpose::Purpose;
use common::ledger::otp::OtpRequester;

use super::background::{Cancelled, run_to_completion};
use super::otp_service::{NewOtp, OtpQueued, SendError, VerifyError};
use crate::state::AppState;

/// Why an account is still there.
#[derive(Debug, thiserror::Error)]
pub enum DeletionError {
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Meanwhile the account is gone, or has another number than the verified one.
    #[error("the account has changed meanwhile")]
    Outdated,
}

impl From<Cancelled> for DeletionError {
    fn from(cancelled: Cancelled) -> Self {
        Self::Verify(cancelled.into())
    }
}

/// Sends an OTP to the user's own number.
///
/// # Errors
/// [`SendError`].
pub async fn send(
    state: &AppState,
    user: &user::Model,
    address: ClientAddress,
    request_id: &str,
) -> Result<OtpQueued, SendError> {
    let number = PhoneNumber::from_account(&user.phone_number);
    let otp = NewOtp { number: &number, purpose: purpose(user), name: None, solution: None };
    state.otp.send(otp, address, request_id).await
}

/// Deletes the user, their sessions and their events. What the ledger knows of the number's limits
/// stays. Runs to its end even if the client goes away meanwhile.
///
/// # Errors
/// [`DeletionError`]; after [`DeletionError::Verify`] the OTP is as it was, but for the count of
/// wrong ones.
pub async fn verify(
    state: &Arc<AppState>,
    user: user::Model,
    address: ClientAddress,
    otp: Otp,
) -> Result<(), DeletionError> {
    let state = Arc::clone(state);
    run_to_completion(async move {
        let number = &user.phone_number;
        let requester = OtpRequester { purpose: purpose(&user), number, address };
        let verified = state.otp.verify(requester, &otp).await?;
        match state.accounts.delete_user(user.id, number, state.clock.now()).await {
            Ok(true) => {
                tracing::info!(event = "account_deleted", user_id = user.id, %number);
                state.otp.end_sign_in(number.clone()).await;
                Ok(())
            }
            Ok(false) => Err(DeletionError::Outdated),
            Err(error) => {
                state.otp.restore(&verified).await;
                Err(VerifyError::from(error).into())
            }
        }
    })
    .await
}

/// Deletes a user in the operator's name. Says whether they were still as they were read.
///
/// # Errors
/// [`AccountsError`].
pub async fn delete_by_operator(
    state: &AppState,
    user: &user::Model,
    action: &NewAdminAction<'_>,
) -> Result<bool, AccountsError> {
    let (number, now) = (&user.phone_number, state.clock.now());
    let deleted = state.accounts.delete_user_by_operator(user.id, number, action, now).await?;
    if deleted {
        tracing::info!(event = "account_deleted", user_id = user.id, %number);
        state.otp.end_sign_in(number.clone()).await;
    }
    Ok(deleted)
}

fn purpose(user: &user::Model) -> Purpose<'static> {
    Purpose::DeleteAccount { user: user.id }
}
