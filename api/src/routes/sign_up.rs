//! `POST /signup`, both halves.

use std::sync::Arc;

use common::domain::client::Client;
use common::domain::otp::Otp;
use common::domain::person_name::PersonName;
use common::domain::phone::PhoneNumber;
use common::domain::purpose::Purpose;
use poem::web::Data;
use poem_openapi::param::Header;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi, Union};
use serde::Deserialize;

use super::Tag;
use super::payloads::{OtpSent, User};
use crate::http::error::{ErrorKind, Failure, Failures};
use crate::http::idempotent_requests::repeatable;
use crate::http::request_id::RequestId;
use crate::http::strict_json::StrictJson;
use crate::service::otp_service::NewOtp;
use crate::service::sign_up::{self, SignIn};
use crate::state::AppState;

#[derive(Debug)]
pub struct SignUpApi;

/// With `name` it asks for an OTP; with `otp` it buys a token. An empty or null field counts as
/// absent.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct SignUpRequest {
    /// In any usual spelling, with digits of any script; without a country code it belongs to the
    /// server's default country. Old spellings of mobiles lead to the number of today.
    #[oai(validator(min_length = 1, max_length = 64))]
    phone_number: Option<String>,
    /// 1 to 100 characters, one of them visible, none of them a control character or one that turns
    /// the text around it. A new user gets the name that comes with the OTP, or else the one that
    /// the same client address asked with; one from another address may be a stranger's.
    name: Option<String>,
    /// The digits from the SMS, of any script; blanks and dashes between them do not matter.
    otp: Option<String>,
    /// What solves the `challenge` of an answer 403 `challenge_required`: ALTCHA's payload, or the
    /// token of Turnstile's or hCaptcha's widget. Sent where the OTP is asked for again.
    #[oai(validator(max_length = 8192))]
    challenge: Option<String>,
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
        ErrorKind::ChallengeRequired,
        ErrorKind::ChallengeNotChecked("Turnstile"),
        ErrorKind::RequestTimeout,
        ErrorKind::PayloadTooLarge,
        ErrorKind::UnsupportedMediaType,
        ErrorKind::InvalidIdempotencyKey,
        ErrorKind::IdempotencyKeyInUse,
        ErrorKind::IdempotencyKeyReused,
        ErrorKind::OtpStoreUnavailable,
    ];
    const SENDS: bool = true;
}

#[OpenApi]
impl SignUpApi {
    /// Ask for an OTP, or sign in with one
    ///
    /// 1. Send `phone_number` and `name`: an SMS brings a one-time password.
    /// 2. Send `phone_number` and `otp`: the answer holds a bearer token. The first sign-in of a number makes its user.
    ///
    /// Where the service has challenges, whoever asks again too soon gets 403 `challenge_required`
    /// with what to solve, and asks again with what solves it as `challenge`.
    ///
    /// Asking again sends the same OTP while it lives. Five wrong ones burn it until it expires.
    ///
    /// A request with an `Idempotency-Key` can be repeated when its answer was lost: for 10 minutes
    /// the same client's same body gets the first answer again, token included, and neither a
    /// second SMS is sent nor the OTP needed again. A refusal with
    /// `Retry-After` is repeated only for that long; an answer of 500 or above is not kept.
    #[oai(
        path = "/signup",
        method = "post",
        tag = "Tag::SignUp",
        operation_id = "signUp",
        transform = "repeatable"
    )]
    async fn sign_up(
        &self,
        state: Data<&Arc<AppState>>,
        client: Data<&Client>,
        request_id: Data<&RequestId>,
        body: StrictJson<SignUpRequest>,
        /// A key of the client's own making for this one request and its repetitions, such as a
        /// UUID: 1 to 255 visible ASCII characters.
        #[oai(
            name = "Idempotency-Key",
            validator(pattern = r#"^([!#-~][!-~]{0,254}|"[!-~]{1,255}")$"#)
        )]
        _key: Header<Option<String>>,
    ) -> Result<Json<SignUpAnswer>, Failure<SignUpFailures>> {
        let SignUpRequest { phone_number, name, otp, challenge } = body.0;
        let given = |field: Option<String>| field.filter(|text| !text.is_empty());
        let phone_number = given(phone_number).ok_or(ErrorKind::PhoneNumberRequired)?;
        let name = given(name);
        let otp = given(otp);
        let solution = given(challenge);
        if name.is_none() && otp.is_none() {
            return Err(ErrorKind::NameRequired.into());
        }
        let number = PhoneNumber::parse(&phone_number, state.default_country)?;
        let name = PersonName::parse(name.as_deref().unwrap_or_default())?;
        let answer = match otp {
            None => {
                let name = name.ok_or(ErrorKind::NameRequired)?;
                let request_id = request_id.as_str();
                let otp = NewOtp {
                    number: &number,
                    purpose: Purpose::SignIn,
                    name: Some(&name),
                    solution: solution.as_deref(),
                };
                let queued = state.otp.send(otp, client.address, request_id).await?;
                SignUpAnswer::OtpSent(queued.into())
            }
            Some(otp) => {
                let otp = Otp::parse(&otp).ok_or(ErrorKind::InvalidOtp)?;
                let sign_in = sign_up::verify(*state, number.e164(), *client, otp, name).await?;
                SignUpAnswer::SignedIn(sign_in.into())
            }
        };
        Ok(Json(answer))
    }
}

impl From<SignIn> for SignedIn {
    fn from(sign_in: SignIn) -> Self {
        let message = if sign_in.is_new {
            "User registered successfully"
        } else {
            "User logged in successfully"
        };
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
        Self {
            phone_number: Some("+919876543210".to_owned()),
            name: Some("Asha".to_owned()),
            otp: None,
            challenge: None,
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
