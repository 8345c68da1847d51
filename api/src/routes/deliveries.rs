//! `GET /deliveries/{delivery_id}`

use std::sync::Arc;

use common::domain::delivery::{DeliveryStatus, Reason};
use common::domain::ids::DeliveryId;
use common::ledger::delivery_status::DeliveryProgress;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};

use super::Tag;
use crate::http::error::{ErrorKind, Failure, Failures};
use crate::state::AppState;

#[derive(Debug)]
pub struct DeliveriesApi;

/// Where an SMS is.
#[derive(Debug, Object)]
#[oai(example, skip_serializing_if_is_none)]
pub struct Delivery {
    /// The SMS.
    delivery_id: String,
    /// It only moves forward.
    status: Status,
    /// Why it ended without reaching the phone.
    reason: Option<EndReason>,
    /// Whether asking for another OTP may help. There where it ended without reaching the phone.
    asking_again_helps: Option<bool>,
}

/// `queued`: waits to be sent. `sending`: the provider is being called. `sent`: the provider accepted it. `delivered`:
/// the phone has it. `undelivered`, `failed`, `dropped`: it ended before, see `reason`.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case", remote = "DeliveryStatus")]
pub enum Status {
    Queued,
    Sending,
    Sent,
    Delivered,
    Undelivered,
    Failed,
    Dropped,
}

/// Why an SMS ended without reaching the phone. `no_answer`: nobody knows, it may still arrive.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case", remote = "Reason")]
pub enum EndReason {
    InvalidNumber,
    CountryNotEnabled,
    OptedOut,
    NotAMobileNumber,
    Rejected,
    Misconfigured,
    Throttled,
    ProviderUnavailable,
    NoAnswer,
    CodeUnreadable,
    Expired,
    Replaced,
    Verified,
    Burned,
    Unreachable,
    Blocked,
    UnknownNumber,
    CarrierFiltered,
    NotDelivered,
}

#[derive(Debug)]
pub struct DeliveryFailures;

impl Failures for DeliveryFailures {
    const KINDS: &'static [ErrorKind] = &[ErrorKind::NotFound, ErrorKind::OtpStoreUnavailable];
}

#[OpenApi]
impl DeliveriesApi {
    /// See where an SMS is
    ///
    /// With the `delivery_id` from `POST /signup`, until a day after the SMS's end. An id that is
    /// not known gets 404.
    #[oai(
        path = "/deliveries/:delivery_id",
        method = "get",
        tag = "Tag::SignUp",
        operation_id = "getDelivery"
    )]
    async fn delivery(
        &self,
        state: Data<&Arc<AppState>>,
        /// 26 characters.
        #[oai(example = "example_id")]
        delivery_id: Path<String>,
    ) -> Result<Json<Delivery>, Failure<DeliveryFailures>> {
        let id = DeliveryId::parse(&delivery_id).ok_or(ErrorKind::NotFound)?;
        let progress = state.delivery_statuses.find(&id).await?.ok_or(ErrorKind::NotFound)?;
        Ok(Json(Delivery::new(&id, progress)))
    }
}

impl Delivery {
    fn new(id: &DeliveryId, DeliveryProgress { status, reason }: DeliveryProgress) -> Self {
        Self {
            delivery_id: id.to_string(),
            status: status.into(),
            reason: reason.map(Into::into),
            asking_again_helps: reason.map(Reason::asking_again_helps),
        }
    }
}

impl Example for Delivery {
    fn example() -> Self {
        Self {
            delivery_id: example_id(),
            status: Status::Failed,
            reason: Some(EndReason::ProviderUnavailable),
            asking_again_helps: Some(true),
        }
    }
}

fn example_id() -> String {
    "q3zt6nq5y6o4cbz6t2h4v5xk7e".to_owned()
}
