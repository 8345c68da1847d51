//! `POST /me/phone-number`, both halves.

use std::sync::Arc;

use common::domain::client::Client;
use common::domain::otp::Otp;
use common::domain::phone::PhoneNumber;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi, Union};
use serde::Deserialize;

use super::Tag;
use super::payloads::User;
use crate::http::bearer::BearerToken;
use crate::http::error::{ErrorKind, Failure, Failures, whole_seconds};
use crate::http::request_id::RequestId;
use crate::http::strict_json::StrictJson;
use crate::service::number_change::{self, Both, NumberChangeRequest};
use crate::service::otp_service::OtpQueued;
use crate::state::AppState;

#[derive(Debug)]
pub struct PhoneNumberApi;

/// With `phone_number` alone it asks for two OTPs; with both of them it moves the account. An empty
/// or null field counts as absent.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct PhoneNumberRequest {
    /// The new number, in any usual spelling; without a country code it belongs to the server's
    /// default country.
    #[oai(validator(min_length = 1, max_length = 64))]
    phone_number: Option<String>,
    /// The digits from the SMS to the account's number.
    current_otp: Option<String>,
    /// The digits from the SMS to the new number.
    new_otp: Option<String>,
}

/// Two SMS with OTPs are on their way.
#[derive(Object)]
#[oai(example)]
pub struct OtpsSent {
    /// Always true.
    success: bool,
    /// `OTPs sent successfully`
    message: String,
    /// The SMS to the account's number. It cannot be guessed.
    current_delivery_id: String,
    /// The SMS to the new number.
    new_delivery_id: String,
    /// Seconds until the first of the two OTPs expires.
    expires_in: u64,
    /// Seconds until both numbers may ask again.
    resend_in: u64,
}

/// The account has another number.
#[derive(Object)]
#[oai(example)]
pub struct PhoneNumberChanged {
    /// Always true.
    success: bool,
    /// The user, with the new number.
    data: User,
    /// `Phone number changed`
    message: String,
}

/// Which half of the change it was.
#[derive(Union)]
#[oai(one_of)]
pub enum PhoneNumberAnswer {
    /// The first.
    OtpsSent(OtpsSent),
    /// The second.
    PhoneNumberChanged(PhoneNumberChanged),
}

#[derive(Debug)]
pub struct PhoneNumberFailures;

impl Failures for PhoneNumberFailures {
    const KINDS: &'static [ErrorKind] = &[
        ErrorKind::Unauthorized,
        ErrorKind::InvalidPayload,
        ErrorKind::PhoneNumberRequired,
        ErrorKind::BothOtpsRequired,
        ErrorKind::InvalidPhoneNumber,
        ErrorKind::SamePhoneNumber,
        ErrorKind::InvalidOtp,
        ErrorKind::DestinationNotAllowed,
        ErrorKind::RequestTimeout,
        ErrorKind::PhoneNumberTaken,
        ErrorKind::EditConflict,
        ErrorKind::PayloadTooLarge,
        ErrorKind::UnsupportedMediaType,
        ErrorKind::OtpStoreUnavailable,
    ];
    const SENDS: bool = true;
}

#[OpenApi]
impl PhoneNumberApi {
    /// Move your account to another phone number
    ///
    /// 1. Send `phone_number`, the new one: two SMS bring a one-time password to your present number and another one to the new
    ///    number.
    /// 2. Send `phone_number` and both, as `current_otp` and `new_otp`: the account has the new number, your other sessions end, and
    ///    the old number gets an SMS that says so.
    ///
    /// Whether the new number belongs to another account is not told before both OTPs were right.
    #[oai(
        path = "/me/phone-number",
        method = "post",
        tag = "Tag::Account",
        operation_id = "changePhoneNumber"
    )]
    async fn change_phone_number(
        &self,
        token: BearerToken,
        state: Data<&Arc<AppState>>,
        client: Data<&Client>,
        request_id: Data<&RequestId>,
        body: StrictJson<PhoneNumberRequest>,
    ) -> Result<Json<PhoneNumberAnswer>, Failure<PhoneNumberFailures>> {
        let PhoneNumberRequest { phone_number, current_otp, new_otp } = body.0;
        let given = |field: Option<String>| field.filter(|text| !text.is_empty());
        let phone_number = given(phone_number).ok_or(ErrorKind::PhoneNumberRequired)?;
        let otps = match (given(current_otp), given(new_otp)) {
            (None, None) => None,
            (Some(current), Some(new)) => Some((current, new)),
            _ => return Err(ErrorKind::BothOtpsRequired.into()),
        };
        let change = NumberChangeRequest {
            new: PhoneNumber::parse(&phone_number, state.default_country)?,
            user: token.0.user.clone(),
            session: token.0.session.id.clone(),
            client: (*client).clone(),
            request_id: request_id.as_str().to_owned(),
        };
        let answer = match otps {
            None => PhoneNumberAnswer::OtpsSent(number_change::send(*state, &change).await?.into()),
            Some((current, new)) => {
                let otp = |text: &str| Otp::parse(text).ok_or(ErrorKind::InvalidOtp);
                let otps = Both { current: otp(&current)?, new: otp(&new)? };
                PhoneNumberAnswer::PhoneNumberChanged(PhoneNumberChanged {
                    success: true,
                    data: number_change::verify(*state, change, otps).await?.into(),
                    message: "Phone number changed".to_owned(),
                })
            }
        };
        Ok(Json(answer))
    }
}

impl From<Both<OtpQueued>> for OtpsSent {
    fn from(Both { current, new }: Both<OtpQueued>) -> Self {
        Self {
            success: true,
            message: "OTPs sent successfully".to_owned(),
            expires_in: current.expires_in.min(new.expires_in).as_secs(),
            resend_in: whole_seconds(current.resend_in.max(new.resend_in)),
            current_delivery_id: current.delivery_id,
            new_delivery_id: new.delivery_id,
        }
    }
}

impl Example for PhoneNumberRequest {
    fn example() -> Self {
        let otp = |digits: &str| Some(digits.to_owned());
        Self {
            phone_number: Some("+919876543211".to_owned()),
            current_otp: otp("123456"),
            new_otp: otp("654321"),
        }
    }
}

impl Example for OtpsSent {
    fn example() -> Self {
        Self {
            success: true,
            message: "OTPs sent successfully".to_owned(),
            current_delivery_id: "q3zt6nq5y6o4cbz6t2h4v5xk7e".to_owned(),
            new_delivery_id: "b5rj2kd7wq3mxnpe4hvtzc6yua".to_owned(),
            expires_in: 300,
            resend_in: 30,
        }
    }
}

impl Example for PhoneNumberChanged {
    fn example() -> Self {
        let data = User { phone_number: "+919876543211".to_owned(), version: 2, ..User::example() };
        Self { success: true, data, message: "Phone number changed".to_owned() }
    }
}
