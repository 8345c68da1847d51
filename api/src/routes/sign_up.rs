//! `POST /signup`, both halves.

use std::sync::Arc;

use common::domain::client::Client;
use common::domain::otp::Otp;
use common::domain::person_name::{InvalidPersonName, PersonName};
use common::domain::phone::{InvalidPhoneNumber, PhoneNumber};
use common::ledger::limits::LimitKind;
use poem::web::Data;
use poem_openapi::param::Header;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi, Union};
use serde::Deserialize;

use super::Tag;
use super::user::User;
use crate::app::Services;
use crate::http::error::{ApiError, ErrorKind, Failure, Failures, whole_seconds};
use crate::http::idempotency::repeatable;
use crate::http::request_id::RequestId;
use crate::http::strict_json::StrictJson;
use crate::service::codes::{OtpQueued, RequestError, VerifyError};
use crate::service::sign_up::SignIn;

/// The operation.
#[derive(Debug)]
pub struct SignUpApi;

/// With `name` it asks for an OTP; with `otp` it buys a token. An empty or null field counts as absent.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct SignUpRequest {
    /// In any usual spelling; without a country code it belongs to the server's default country.
    #[oai(validator(min_length = 1, max_length = 64))]
    phone_number: Option<String>,
    /// 1 to 100 characters, none of them a control character. Sent with the OTP, it wins over the one sent before.
    name: Option<String>,
    /// The digits from the SMS.
    otp: Option<String>,
}

/// An SMS with the OTP is on its way.
#[derive(Object)]
#[oai(example)]
pub struct OtpSent {
    /// Always true.
    success: bool,
    /// `OTP sent successfully`
    message: String,
    /// The SMS that will be sent. It cannot be guessed.
    delivery_id: String,
    /// Seconds until the OTP expires.
    expires_in: u64,
    /// Seconds until the number may ask again.
    resend_in: u64,
}

/// Somebody is signed in.
#[derive(Object)]
#[oai(example)]
pub struct SignedIn {
    /// Always true.
    success: bool,
    /// Who.
    data: User,
    /// `User registered successfully` the first time, `User logged in successfully` after.
    message: String,
    /// The bearer token, 26 characters. It is told this once.
    token: String,
}

/// Which half of the sign-up it was.
#[derive(Union)]
#[oai(one_of)]
pub enum SignUpAnswer {
    /// The first.
    OtpSent(OtpSent),
    /// The second.
    SignedIn(SignedIn),
}

/// What this operation may refuse.
#[derive(Debug)]
pub struct SignUpFailures;

impl Failures for SignUpFailures {
    const KINDS: &'static [ErrorKind] = &[
        ErrorKind::InvalidPayload,
        ErrorKind::PhoneNumberRequired,
        ErrorKind::NameRequired,
        ErrorKind::InvalidPhoneNumber,
        ErrorKind::InvalidPersonName,
        ErrorKind::InvalidOtp,
        ErrorKind::DestinationNotAllowed,
        ErrorKind::Refused(LimitKind::Blocked),
        ErrorKind::RequestTimeout,
        ErrorKind::PayloadTooLarge,
        ErrorKind::UnsupportedMediaType,
        ErrorKind::InvalidIdempotencyKey,
        ErrorKind::IdempotencyKeyInUse,
        ErrorKind::IdempotencyKeyReused,
        ErrorKind::Refused(LimitKind::Cooldown),
        ErrorKind::Refused(LimitKind::NumberHour),
        ErrorKind::Refused(LimitKind::NumberDay),
        ErrorKind::Refused(LimitKind::Burned),
        ErrorKind::Refused(LimitKind::WrongGuesses),
        ErrorKind::Refused(LimitKind::Address),
        ErrorKind::Refused(LimitKind::Range),
        ErrorKind::Refused(LimitKind::Country),
        ErrorKind::Refused(LimitKind::Service),
        ErrorKind::OtpStoreUnavailable,
    ];
}

#[OpenApi]
impl SignUpApi {
    /// Ask for an OTP, or sign in with one
    ///
    /// 1. Send `phone_number` and `name`: an SMS brings a one-time password.
    /// 2. Send `phone_number` and `otp`: the answer holds a bearer token. The first sign-in of a number makes its user.
    ///
    /// Asking again sends the same OTP while it lives. Five wrong ones burn it until it expires.
    ///
    /// A request with an `Idempotency-Key` can be repeated when its answer was lost: for 10 minutes the same client's same body gets
    /// the first answer again, token included, and neither a second SMS is sent nor the OTP needed again. A refusal with
    /// `Retry-After` is repeated only for that long; an answer of 500 or above is not kept.
    #[oai(path = "/signup", method = "post", tag = "Tag::SignUp", operation_id = "signUp", transform = "repeatable")]
    async fn sign_up(
        &self,
        services: Data<&Arc<Services>>,
        client: Data<&Client>,
        request_id: Data<&RequestId>,
        body: StrictJson<SignUpRequest>,
        /// A key of the client's own making for this one request and its repetitions, such as a UUID: 1 to 255 visible ASCII
        /// characters.
        #[oai(name = "Idempotency-Key", validator(pattern = r#"^([!#-~][!-~]{0,254}|"[!-~]{1,255}")$"#))]
        _key: Header<Option<String>>,
    ) -> Result<Json<SignUpAnswer>, Failure<SignUpFailures>> {
        let SignUpRequest { phone_number, name, otp } = body.0;
        let given = |field: Option<String>| field.filter(|text| !text.is_empty());
        let phone_number = given(phone_number).ok_or(ErrorKind::PhoneNumberRequired)?;
        let (name, otp) = (given(name), given(otp));
        if name.is_none() && otp.is_none() {
            return Err(ErrorKind::NameRequired.into());
        }
        let number = PhoneNumber::parse(&phone_number, services.sign_up.default_country)?;
        let name = PersonName::parse(name.as_deref().unwrap_or_default())?;
        let answer = match otp {
            None => {
                let name = name.ok_or(ErrorKind::NameRequired)?;
                SignUpAnswer::OtpSent(
                    services.sign_up.request(&number, client.address, &name, request_id.as_str()).await?.into(),
                )
            }
            Some(otp) => {
                let guess = Otp::parse(&otp).ok_or(ErrorKind::InvalidOtp)?;
                SignUpAnswer::SignedIn(
                    services.sign_up.verify(number.e164().clone(), *client, guess, name).await?.into(),
                )
            }
        };
        Ok(Json(answer))
    }
}

impl From<InvalidPhoneNumber> for ApiError {
    fn from(_: InvalidPhoneNumber) -> Self {
        ErrorKind::InvalidPhoneNumber.into()
    }
}

impl From<InvalidPersonName> for ApiError {
    fn from(_: InvalidPersonName) -> Self {
        ErrorKind::InvalidPersonName.into()
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::DestinationNotAllowed => ErrorKind::DestinationNotAllowed.into(),
            RequestError::Refused { kind: kind @ LimitKind::Blocked, .. } => ErrorKind::Refused(kind).into(),
            RequestError::Refused { kind, retry_after } => Self::retry_after(ErrorKind::Refused(kind), retry_after),
            RequestError::Store(error) => error.into(),
        }
    }
}

impl From<VerifyError> for ApiError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Wrong => ErrorKind::InvalidOtp.into(),
            VerifyError::Otp(error) => error.into(),
            VerifyError::Accounts(error) => error.into(),
            VerifyError::Cancelled(_) => ErrorKind::Internal.into(),
        }
    }
}

impl From<OtpQueued> for OtpSent {
    fn from(queued: OtpQueued) -> Self {
        Self {
            success: true,
            message: "OTP sent successfully".to_owned(),
            delivery_id: queued.delivery_id,
            expires_in: queued.expires_in.as_secs(),
            resend_in: whole_seconds(queued.resend_in),
        }
    }
}

impl From<SignIn> for SignedIn {
    fn from(sign_in: SignIn) -> Self {
        let message = if sign_in.is_new { "User registered successfully" } else { "User logged in successfully" };
        Self {
            success: true,
            data: sign_in.user.into(),
            message: message.to_owned(),
            token: sign_in.token.expose().to_owned(),
        }
    }
}

impl Example for SignUpRequest {
    fn example() -> Self {
        Self { phone_number: Some("+919876543210".to_owned()), name: Some("Asha".to_owned()), otp: None }
    }
}

impl Example for OtpSent {
    fn example() -> Self {
        Self {
            success: true,
            message: "OTP sent successfully".to_owned(),
            delivery_id: "q3zt6nq5y6o4cbz6t2h4v5xk7e".to_owned(),
            expires_in: 300,
            resend_in: 30,
        }
    }
}

impl Example for SignedIn {
    fn example() -> Self {
        Self {
            success: true,
            data: User::example(),
            message: "User registered successfully".to_owned(),
            token: "Y7QKZB3VJ5N2WXH4T6DPL2AEMU".to_owned(),
        }
    }
}
