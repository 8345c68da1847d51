//! Signing up and in: a verified OTP buys a token.

use std::sync::Arc;

use common::accounts::AccountsError;
use common::accounts::entities::user;
use common::domain::client::Client;
use common::domain::otp::Otp;
use common::domain::person_name::PersonName;
use common::domain::phone::E164;
use common::domain::purpose::Purpose;
use common::domain::token::Token;
use common::ledger::otp::OtpRequester;

use super::background::run_to_completion;
use super::otp_service::VerifyError;
use crate::metrics;
use crate::state::AppState;

/// A user is signed in.
#[derive(Debug)]
pub struct SignIn {
    pub user: user::Model,
    /// Whether this was their first time.
    pub is_new: bool,
    /// Told once.
    pub token: Token,
}

/// Signs in with an OTP. Runs to its end even if the client goes away meanwhile.
///
/// # Errors
/// [`VerifyError`]; then the OTP is as it was, but for the count of wrong ones.
pub async fn verify(
    state: &Arc<AppState>,
    number: &E164,
    client: &Client,
    otp: Otp,
    name: Option<PersonName>,
) -> Result<SignIn, VerifyError> {
    let state = Arc::clone(state);
    let number = number.clone();
    let client = client.clone();
    run_to_completion(async move {
        let requester = OtpRequester { purpose: Purpose::SignIn, number: &number, address: client.address };
        let verified = state.otp.verify(requester, &otp).await?;
        let name = name.unwrap_or_else(|| verified.name.clone());
        match sign_in(&state, &number, &name, &client).await {
            Ok(sign_in) => {
                metrics::signed_in(sign_in.is_new);
                tracing::info!(event = "signed_in", user_id = sign_in.user.id, is_new = sign_in.is_new, %number);
                Ok(sign_in)
            }
            Err(error) => {
                state.otp.restore(&verified).await;
                Err(error.into())
            }
        }
    })
    .await
}

async fn sign_in(
    state: &AppState,
    number: &E164,
    name: &PersonName,
    client: &Client,
) -> Result<SignIn, AccountsError> {
    let token = Token::random();
    let now = state.clock.now();
    let session = state.session_terms.begin(&token, client, now);
    let signed_in =
        state.accounts.sign_in(number, name, session, state.session_terms.per_user, now).await?;
    Ok(SignIn { user: signed_in.user, is_new: signed_in.is_new, token })
}
