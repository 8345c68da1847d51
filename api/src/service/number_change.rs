//! Moving an account to another number: an OTP proves each of the two, so that a stolen token
//! cannot move it.

use std::sync::Arc;

use common::accounts::entities::user;
use common::accounts::{Moved, NumberMove, OtherNumber};
use common::domain::admin_action::NewAdminAction;
use common::domain::client::Client;
use common::domain::ids::SessionId;
use common::domain::message::NoticeKind;
use common::domain::otp::Otp;
use common::domain::phone::{E164, PhoneNumber};
use common::domain::purpose::Purpose;
use common::ledger::error::LedgerError;
use common::ledger::notices::Notice;
use common::ledger::otp::{OtpRequester, Verified};
use common::outbox::queue_notices;

use super::background::{Cancelled, run_to_completion};
use super::otp_service::{NewOtp, OtpQueued, SendError, VerifyError};
use crate::state::AppState;

#[derive(Clone, Debug)]
pub struct NumberChangeRequest {
    /// As the token's query found it.
    pub user: user::Model,
    /// The session that stays; all others end.
    pub session: SessionId,
    /// The new number, which may be anybody's.
    pub new: PhoneNumber,
    pub client: Client,
    pub request_id: String,
}

impl NumberChangeRequest {
    /// For the OTP that goes to the account's number.
    fn for_current(&self) -> OtpRequester<'_> {
        let purpose = Purpose::LeaveNumber { user: self.user.id, new: self.new.e164() };
        OtpRequester { purpose, number: &self.user.phone_number, address: self.client.address }
    }

    /// For the OTP that goes to the new number.
    fn for_new(&self) -> OtpRequester<'_> {
        let purpose = Purpose::TakeNumber { user: self.user.id };
        OtpRequester { purpose, number: self.new.e164(), address: self.client.address }
    }
}

/// Something for each of the two numbers.
#[derive(Clone, Debug)]
pub struct Both<T> {
    pub current: T,
    pub new: T,
}

/// Why an account keeps its number.
#[derive(Debug, thiserror::Error)]
pub enum NumberChangeError {
    /// It has the number already.
    #[error("same number")]
    Same,
    /// No OTP is sent.
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The number, which is proven, belongs to another account.
    #[error("taken")]
    Taken,
    /// Meanwhile the account is gone, or has another number than the verified one.
    #[error("the account has changed meanwhile")]
    Outdated,
}

impl From<Cancelled> for NumberChangeError {
    fn from(cancelled: Cancelled) -> Self {
        Self::Verify(cancelled.into())
    }
}

/// Sends an OTP to each of the two numbers, or to none. Whether the new one belongs to somebody is
/// not looked at.
///
/// # Errors
/// [`NumberChangeError::Same`] and [`NumberChangeError::Send`].
pub async fn send(
    state: &AppState,
    request: &NumberChangeRequest,
) -> Result<Both<OtpQueued>, NumberChangeError> {
    let NumberChangeRequest { user, new, client, request_id, .. } = request;
    if *new.e164() == user.phone_number {
        return Err(NumberChangeError::Same);
    }
    let current = PhoneNumber::from_account(&user.phone_number);
    let otps = [
        NewOtp {
            number: &current,
            purpose: request.for_current().purpose,
            name: None,
            solution: None,
        },
        NewOtp { number: new, purpose: request.for_new().purpose, name: None, solution: None },
    ];
    let queued = state.otp.send_all(&otps, client.address, request_id).await?;
    let Ok([current, new]) = <[OtpQueued; 2]>::try_from(queued) else {
        return Err(SendError::Store(LedgerError::Unreadable).into());
    };
    Ok(Both { current, new })
}

/// Moves the account, ends its other sessions and tells the old number. Runs to its end even if the
/// client goes away meanwhile.
///
/// # Errors
/// [`NumberChangeError`]; after [`NumberChangeError::Verify`] both OTPs are as they were, but for
/// the count of wrong ones.
pub async fn verify(
    state: &Arc<AppState>,
    request: NumberChangeRequest,
    otps: Both<Otp>,
) -> Result<user::Model, NumberChangeError> {
    let state = Arc::clone(state);
    run_to_completion(async move { change(&state, request, &otps).await }).await
}

/// Moves an account in the operator's name: nobody proves the numbers. All its sessions end, and the
/// old number is told.
///
/// # Errors
/// [`NumberChangeError`].
pub async fn move_by_operator(
    state: &AppState,
    user: &user::Model,
    new: &PhoneNumber,
    action: &NewAdminAction<'_>,
    request_id: &str,
) -> Result<user::Model, NumberChangeError> {
    let (old, new) = (&user.phone_number, new.e164());
    if new == old {
        return Err(NumberChangeError::Same);
    }
    let notice = notice(state, old, request_id);
    let other = OtherNumber { user_id: user.id, old, new, notice: notice.as_ref() };
    let moved = state.accounts.move_number_by_operator(other, action, state.clock.now()).await;
    match moved.map_err(VerifyError::from)? {
        Moved::To(user) => {
            follow(state, &user, old, new).await;
            Ok(user)
        }
        Moved::Taken => Err(NumberChangeError::Taken),
        Moved::Outdated => Err(NumberChangeError::Outdated),
    }
}

/// What comes after a move, as soon as it can.
async fn follow(state: &AppState, user: &user::Model, old: &E164, new: &E164) {
    tracing::info!(event = "number_changed", user_id = user.id, %old, %new);
    tokio::join!(empty_outbox(state), state.otp.end_sign_in(old.clone()));
}

async fn change(
    state: &Arc<AppState>,
    request: NumberChangeRequest,
    otps: &Both<Otp>,
) -> Result<user::Model, NumberChangeError> {
    let old = &request.user.phone_number;
    let new = request.new.e164();
    if new == old {
        return Err(NumberChangeError::Same);
    }
    let verified = verify_both(state, &request, otps).await?;
    let notice = notice(state, old, &request.request_id);
    let number_move = NumberMove {
        user_id: request.user.id,
        session: &request.session,
        old,
        new,
        notice: notice.as_ref(),
    };
    match state.accounts.move_number(number_move, &request.client, state.clock.now()).await {
        Ok(Moved::To(user)) => {
            follow(state, &user, old, new).await;
            Ok(user)
        }
        Ok(Moved::Taken) => Err(NumberChangeError::Taken),
        Ok(Moved::Outdated) => Err(NumberChangeError::Outdated),
        Err(error) => {
            state.otp.restore(&verified.current).await;
            state.otp.restore(&verified.new).await;
            Err(VerifyError::from(error).into())
        }
    }
}

/// The current number first: who does not have it learns nothing about the other OTP.
async fn verify_both(
    state: &AppState,
    request: &NumberChangeRequest,
    otps: &Both<Otp>,
) -> Result<Both<Verified>, VerifyError> {
    let current = state.otp.verify(request.for_current(), &otps.current).await?;
    match state.otp.verify(request.for_new(), &otps.new).await {
        Ok(new) => Ok(Both { current, new }),
        Err(error) => {
            state.otp.restore(&current).await;
            Err(error)
        }
    }
}

/// The notice for the old number, without an OTP. Nothing is sent to a test number.
fn notice(state: &AppState, old: &E164, request_id: &str) -> Option<Notice> {
    let now = state.clock.unix_ms();
    state
        .otp
        .test_otp_of(old)
        .is_none()
        .then(|| Notice::new(NoticeKind::NumberChanged, old, now, request_id))
}

/// What fails here a worker does soon.
async fn empty_outbox(state: &AppState) {
    if let Err(error) = queue_notices(&state.accounts, &state.notices).await {
        tracing::warn!(event = "outbox_not_emptied", %error);
    }
}
