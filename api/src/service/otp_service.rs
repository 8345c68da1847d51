//! One-time passwords for all use cases: sent, verified, and restored where what they were verified
//! for failed.

use std::time::Duration;

use common::accounts::AccountsError;
use common::domain::client::ClientAddress;
use common::domain::otp::Otp;
use common::domain::person_name::PersonName;
use common::domain::phone::{AllowedCountries, E164, PhoneNumber};
use common::domain::purpose::Purpose;
use common::ledger::error::LedgerError;
use common::ledger::limits::LimitKind;
use common::ledger::otp::{
    OtpRequest, OtpRequester, OtpStore, SendOutcome, SolvedChallenge, Verified, VerifyOutcome,
};
use common::runtime::clock::Clock;
use serde_json::Value;

use super::background::{Cancelled, retry_in_background};
use super::challenge::{ChallengeError, Challenges};
use super::test_numbers::TestNumbers;
use crate::metrics;
use crate::rejections::Rejections;

#[derive(Clone, Debug)]
pub struct OtpService {
    pub store: OtpStore,
    /// Where SMS are sent to.
    pub allowed_countries: AllowedCountries,
    pub test_numbers: TestNumbers,
    /// What to solve instead of waiting for the number's cooldown and hour.
    pub challenges: Option<Challenges>,
    pub rejections: Rejections,
    /// Test numbers expire by it.
    pub clock: Clock,
}

/// Why no OTP is sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The number's country or type is not served.
    #[error("destination not allowed")]
    DestinationNotAllowed,
    /// Whoever solves this need not wait for so long.
    #[error("challenge required")]
    ChallengeRequired { challenge: Value, retry_after: Duration },
    #[error(transparent)]
    Challenge(#[from] ChallengeError),
    #[error("{kind:?} for {retry_after:?}")]
    Refused { kind: LimitKind, retry_after: Duration },
    /// Redis did not answer; it may send the OTP all the same.
    #[error(transparent)]
    Store(#[from] LedgerError),
}

/// An OTP that is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct NewOtp<'a> {
    pub number: &'a PhoneNumber,
    pub purpose: Purpose<'a>,
    /// Kept for the sign-in.
    pub name: Option<&'a PersonName>,
    /// What solves a challenge; None where none can be solved for it.
    pub solution: Option<&'a str>,
}

/// An OTP is on its way.
#[derive(Debug)]
pub struct OtpQueued {
    pub delivery_id: String,
    /// What is left of the OTP's life.
    pub expires_in: Duration,
    /// How long until the number may ask again.
    pub resend_in: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The OTP is not right, whatever the reason.
    #[error("wrong OTP")]
    Wrong,
    /// Redis did not answer: whether the OTP was right is not known.
    #[error(transparent)]
    Otp(#[from] LedgerError),
    /// The OTP was right, but what it was verified for failed. The OTP is restored.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl OtpService {
    /// Sends one OTP; see [`OtpService::send_all`].
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(
        &self,
        otp: NewOtp<'_>,
        address: ClientAddress,
        request_id: &str,
    ) -> Result<OtpQueued, SendError> {
        let queued = self.send_all(&[otp], address, request_id).await?;
        queued.into_iter().next().ok_or(SendError::Store(LedgerError::Unreadable))
    }

    /// Sends OTPs, all or none. The request's id goes with the jobs into the worker's logs. An
    /// account's own number is sent to even where it would be refused today.
    ///
    /// # Errors
    /// [`SendError`]; then no SMS will be sent, but after [`SendError::Store`] all may be.
    pub async fn send_all(
        &self,
        otps: &[NewOtp<'_>],
        address: ClientAddress,
        request_id: &str,
    ) -> Result<Vec<OtpQueued>, SendError> {
        for NewOtp { number, purpose, .. } in otps {
            if !purpose.goes_to_own_number() {
                self.check_destination(number, address)?;
            }
        }
        let mut requests: Vec<_> = otps.iter().map(|otp| self.request_for(otp, address)).collect();
        let request_id = Some(request_id.to_owned());
        let mut outcomes = self.store.send_all(&requests, request_id.clone()).await?;
        if self.solves(otps, &outcomes, address).await? {
            for request in &mut requests {
                request.challenge = SolvedChallenge::Yes;
            }
            outcomes = self.store.send_all(&requests, request_id).await?;
        }
        let mut all_queued = Vec::new();
        for (outcome, request) in outcomes.into_iter().zip(&requests) {
            match outcome {
                SendOutcome::Queued { delivery, expires_in, resend_in } => {
                    let OtpRequester { purpose, number, .. } = request.requester;
                    let purpose = purpose.kind().into_str();
                    let is_test = request.test_code.is_some();
                    metrics::otp_queued(is_test);
                    tracing::info!(event = "otp_queued", delivery_id = %delivery, purpose, %number, is_test);
                    let delivery_id = delivery.to_string();
                    all_queued.push(OtpQueued { delivery_id, expires_in, resend_in });
                }
                SendOutcome::Refused { kind, retry_after, index, solvable } => {
                    let refused = requests.get(index).unwrap_or(request);
                    self.rejections.send(kind, refused.requester.number, address);
                    if solvable && let Some(challenges) = &self.challenges {
                        let challenge = challenges.challenge_for(refused.requester.number);
                        return Err(SendError::ChallengeRequired { challenge, retry_after });
                    }
                    return Err(SendError::Refused { kind, retry_after });
                }
            }
        }
        Ok(all_queued)
    }

    /// Whether a solution came with a request that was refused for want of one. It is looked at only
    /// then: what a provider is asked costs it and us, and a solution is good once.
    async fn solves(
        &self,
        otps: &[NewOtp<'_>],
        outcomes: &[SendOutcome],
        address: ClientAddress,
    ) -> Result<bool, ChallengeError> {
        let wants_one =
            |outcome: &SendOutcome| matches!(outcome, SendOutcome::Refused { solvable: true, .. });
        match (&self.challenges, otps) {
            (Some(challenges), [NewOtp { number, solution: Some(solution), .. }])
                if outcomes.iter().any(wants_one) =>
            {
                challenges.is_solved(solution, number.e164(), address).await
            }
            _ => Ok(false),
        }
    }

    /// Signed-in users have nothing to solve: their number's cooldown and hour are their own.
    fn request_for<'a>(&'a self, otp: &NewOtp<'a>, address: ClientAddress) -> OtpRequest<'a> {
        let number = otp.number.e164();
        let challenge = match (&self.challenges, otp.purpose) {
            (Some(_), Purpose::SignIn) => SolvedChallenge::No,
            _ => SolvedChallenge::Off,
        };
        OtpRequest {
            requester: OtpRequester { purpose: otp.purpose, number, address },
            country: otp.number.country(),
            name: otp.name,
            test_code: self.test_otp_of(number),
            challenge,
        }
    }

    /// Whether a number of this country and type may be sent to. A test number may: nothing is
    /// sent.
    #[must_use]
    pub fn serves(&self, number: &PhoneNumber) -> bool {
        self.test_otp_of(number.e164()).is_some()
            || (self.allowed_countries.allow(number) && number.takes_sms())
    }

    /// Refuses a number that is not served.
    ///
    /// # Errors
    /// [`SendError::DestinationNotAllowed`], which is counted.
    fn check_destination(
        &self,
        number: &PhoneNumber,
        address: ClientAddress,
    ) -> Result<(), SendError> {
        if self.serves(number) {
            return Ok(());
        }
        self.rejections.destination(number.e164(), address);
        Err(SendError::DestinationNotAllowed)
    }

    /// The fixed OTP of a test number, to which nothing is sent.
    #[must_use]
    pub fn test_otp_of(&self, number: &E164) -> Option<&Otp> {
        self.test_numbers.otp_of(number, self.clock.now())
    }

    /// Verifies an OTP, which is then used up.
    ///
    /// # Errors
    /// [`VerifyError::Wrong`] and [`VerifyError::Otp`]; then the OTP is as it was, but for the
    /// count of wrong ones.
    pub async fn verify(
        &self,
        requester: OtpRequester<'_>,
        otp: &Otp,
    ) -> Result<Verified, VerifyError> {
        match self.store.verify(requester, otp).await? {
            VerifyOutcome::Right(verified) => {
                metrics::otp_verified();
                Ok(verified)
            }
            VerifyOutcome::Wrong(why) => {
                self.rejections.guess(why, requester.number, requester.address);
                Err(VerifyError::Wrong)
            }
        }
    }

    /// Makes a verified OTP good again, because what it was verified for failed.
    pub async fn restore(&self, verified: &Verified) {
        if let Err(error) = self.store.restore(verified).await {
            tracing::error!(event = "otp_not_restored", %error);
        }
    }

    /// Ends a sign-in's OTP that was sent before its number's account went, so that no new account
    /// begins with the name that was given for it.
    pub(crate) async fn end_sign_in(&self, number: E164) {
        let store = self.store.clone();
        retry_in_background("sign_in_code_not_ended", move || {
            let store = store.clone();
            let number = number.clone();
            async move { store.end(Purpose::SignIn, &number).await }
        })
        .await;
    }
}
