//! `POST /me/deletion`, both halves.

use std::sync::Arc;

use common::domain::client::Client;
use common::domain::otp::Otp;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi, Union};
use serde::Deserialize;

use super::Tag;
use super::payloads::OtpSent;
use crate::http::bearer::BearerToken;
use crate::http::error::{ErrorKind, Failure, Failures};
use crate::http::request_id::RequestId;
use crate::http::strict_json::StrictJson;
use crate::service::deletion;
use crate::state::AppState;

#[derive(Debug)]
pub struct DeletionApi;

/// Empty it asks for an OTP; with `otp` it deletes the account. An empty or null field counts as
/// absent.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct DeletionRequest {
    /// The digits from the SMS.
    otp: Option<String>,
}

/// The account is gone.
#[derive(Object)]
#[oai(example)]
pub struct AccountDeleted {
    /// Always true.
    success: bool,
    /// `Account deleted`
    message: String,
}

/// Which half of the deletion it was.
#[derive(Union)]
#[oai(one_of)]
pub enum DeletionAnswer {
    /// The first.
    OtpSent(OtpSent),
    /// The second.
    AccountDeleted(AccountDeleted),
}

#[derive(Debug)]
pub struct DeletionFailures;

impl Failures for DeletionFailures {
    const KINDS: &'static [ErrorKind] = &[
        ErrorKind::Unauthorized,
        ErrorKind::InvalidPayload,
        ErrorKind::InvalidOtp,
        ErrorKind::RequestTimeout,
        ErrorKind::EditConflict,
        ErrorKind::PayloadTooLarge,
        ErrorKind::UnsupportedMediaType,
        ErrorKind::OtpStoreUnavailable,
    ];
    const SENDS: bool = true;
}

#[OpenApi]
impl DeletionApi {
    /// Delete your account
    ///
    /// 1. Send `{}`: an SMS brings a one-time password to your number.
    /// 2. Send `otp`: your account, all its sessions and all its events are deleted.
    ///
    /// A new sign-up of the number begins a new account. The limits on OTPs know the number as
    /// before.
    #[oai(
        path = "/me/deletion",
        method = "post",
        tag = "Tag::Account",
        operation_id = "deleteAccount"
    )]
    async fn delete_account(
        &self,
        token: BearerToken,
        state: Data<&Arc<AppState>>,
        client: Data<&Client>,
        request_id: Data<&RequestId>,
        body: StrictJson<DeletionRequest>,
    ) -> Result<Json<DeletionAnswer>, Failure<DeletionFailures>> {
        let user = token.0.user.clone();
        let answer = match body.0.otp.filter(|otp| !otp.is_empty()) {
            None => {
                let queued =
                    deletion::send(*state, &user, client.address, request_id.as_str()).await?;
                DeletionAnswer::OtpSent(queued.into())
            }
            Some(otp) => {
                let otp = Otp::parse(&otp).ok_or(ErrorKind::InvalidOtp)?;
                deletion::verify(*state, user, client.address, otp).await?;
                let message = "Account deleted".to_owned();
                DeletionAnswer::AccountDeleted(AccountDeleted { success: true, message })
            }
        };
        Ok(Json(answer))
    }
}

impl Example for DeletionRequest {
    fn example() -> Self {
        Self { otp: Some("123456".to_owned()) }
    }
}

impl Example for AccountDeleted {
    fn example() -> Self {
        Self { success: true, message: "Account deleted".to_owned() }
    }
}
