//! `/admin/deliveries` and `/admin/dead-letters`

#![expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]

use std::cmp::Reverse;
use std::sync::Arc;

use common::admin::ask_redis;
use common::admin::deliveries::{self, DeliveryFilter, NumberedDelivery};
use common::admin::numbers::DeliveryRecord;
use common::domain::cursor::{PageRequest, page_by_time};
use common::domain::ids::DeliveryId;
use common::domain::phone::PhoneNumber;
use common::ledger::deliveries as dead_letters;
use common::runtime::clock::Timestamp;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use time::OffsetDateTime;
use time::macros::datetime;

use super::Tag;
use super::failures::failures;
use super::payloads::{Delivery, next_cursor};
use super::{numbers, users};
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::{ApiError, ErrorKind, Failure};
use crate::routes::deliveries::Status;
use crate::routes::paging;
use crate::routes::payloads::NullableText;

#[derive(Debug)]
pub(super) struct DeliveriesApi;

/// One SMS.
#[derive(Debug, Object)]
#[oai(example)]
struct OneDelivery {
    /// Which.
    data: Delivery,
}

/// A part of the list, newest first.
#[derive(Debug, Object)]
#[oai(example)]
struct DeliveryList {
    /// The SMS.
    data: Vec<Delivery>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: NullableText,
}

/// A part of the list, newest first.
#[derive(Debug, Object)]
#[oai(example)]
struct DeadLetterList {
    /// The deliveries.
    data: Vec<DeadLetter>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: NullableText,
}

/// A delivery that ended without being sent.
#[derive(Debug, Object)]
#[oai(example, skip_serializing_if_is_none)]
struct DeadLetter {
    /// When it ended (RFC 3339, UTC).
    ended_at: OffsetDateTime,
    /// Which one.
    delivery_id: String,
    /// To whom; all but its country code and last two digits are `*`.
    phone_number: String,
    /// `failed` or `dropped`.
    status: String,
    /// Why.
    reason: String,
    /// Who refused it, if anybody was asked.
    provider: Option<String>,
    /// The provider's own code.
    provider_code: Option<u32>,
}

failures! {
    OfUserFailures { InvalidParameter, UserNotFound, RedisUnavailable }
    OneFailures { DeliveryNotFound, RedisUnavailable }
    ListAllFailures {
        InvalidParameter, InvalidPhoneNumber, UserNotFound, TooManyLookUps, RedisUnavailable,
    }
    ListFailures { InvalidParameter, RedisUnavailable }
}

#[OpenApi]
impl DeliveriesApi {
    /// See the SMS of a user's number
    ///
    /// Newest first: those of codes that are not forgotten, for about a day. All parameters that
    /// are given have to fit.
    #[oai(
        path = "/admin/users/:user_id/deliveries",
        method = "get",
        tag = "Tag::Users",
        operation_id = "listUserDeliveries"
    )]
    async fn of_user(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
        /// The user's id.
        #[oai(example = "example_user")]
        user_id: Path<i64>,
        /// Where they are.
        status: Query<Option<Status>>,
        /// Why they ended, as deliveries say it.
        reason: Query<Option<String>>,
        /// None that was asked for before (RFC 3339).
        since: Query<Option<OffsetDateTime>>,
        /// None that was asked for then or later (RFC 3339).
        until: Query<Option<OffsetDateTime>>,
        /// The most that the answer lists.
        #[oai(
            default = "paging::default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
        /// Where to go on: the `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<DeliveryList>, Failure<OfUserFailures>> {
        let page = paging::request(*limit, cursor.as_deref())?;
        let user = users::find(&state, *user_id).await?;
        let number = PhoneNumber::from_account(&user.phone_number);
        let filter = filter(*status, reason.as_deref(), *since, *until);
        Ok(Json(of_number(&state, &number, filter, page).await?))
    }

    /// See the last SMS
    ///
    /// Those first that were asked for last, for about a day. All parameters that are given have to
    /// fit. Without a number the last 10,000 of each status are there, and of `queued`, `sending`, and
    /// where no status is asked for, what they are of the last 10,000 in all.
    #[oai(
        path = "/admin/deliveries",
        method = "get",
        tag = "Tag::Deliveries",
        operation_id = "listDeliveries"
    )]
    async fn list(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// To whom: a number in any usual spelling; without a country code it belongs to the server's
        /// default country. `user:` and an id is that user's number. The holder of a `viewer` key may
        /// look 100 numbers up within an hour; each is an action.
        #[oai(validator(min_length = 1, max_length = 64))]
        phone_number: Query<Option<String>>,
        /// Where they are.
        status: Query<Option<Status>>,
        /// Why they ended or were tried again, as deliveries say it.
        reason: Query<Option<String>>,
        /// None that was asked for before (RFC 3339).
        since: Query<Option<OffsetDateTime>>,
        /// None that was asked for then or later (RFC 3339).
        until: Query<Option<OffsetDateTime>>,
        /// The most that the answer lists.
        #[oai(
            default = "paging::default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
        /// Where to go on: the `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<DeliveryList>, Failure<ListAllFailures>> {
        let page = paging::request(*limit, cursor.as_deref())?;
        let filter = filter(*status, reason.as_deref(), *since, *until);
        if let Some(text) = &*phone_number {
            let number = numbers::find(&state, &key, text).await?;
            return Ok(Json(of_number(&state, &number, filter, page).await?));
        }
        let page = deliveries::list(&mut state.redis.clone(), filter, page).await?;
        Ok(Json(DeliveryList {
            data: page.rows.into_iter().filter_map(Delivery::of).collect(),
            next_cursor: next_cursor(page.next),
        }))
    }

    /// See one SMS
    ///
    /// Until a day after its end.
    #[oai(
        path = "/admin/deliveries/:delivery_id",
        method = "get",
        tag = "Tag::Deliveries",
        operation_id = "getDelivery"
    )]
    async fn one(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
        /// 26 characters.
        #[oai(example = "example_id")]
        delivery_id: Path<String>,
    ) -> Result<Json<OneDelivery>, Failure<OneFailures>> {
        let id = DeliveryId::parse(&delivery_id).ok_or(ErrorKind::DeliveryNotFound)?;
        let found = deliveries::find(&mut state.redis.clone(), &id).await?;
        let found = found.and_then(Delivery::of).ok_or(ErrorKind::DeliveryNotFound)?;
        Ok(Json(OneDelivery { data: found }))
    }

    /// See what ended without being sent
    ///
    /// The last 1,000 within 30 days, newest first. All parameters that are given have to fit.
    #[oai(
        path = "/admin/dead-letters",
        method = "get",
        tag = "Tag::Deliveries",
        operation_id = "listDeadLetters"
    )]
    async fn dead_letters(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
        /// `failed` or `dropped`.
        status: Query<Option<String>>,
        /// Why it ended, as dead letters say it.
        reason: Query<Option<String>>,
        /// Who refused it.
        provider: Query<Option<String>>,
        /// Nothing that ended before (RFC 3339).
        since: Query<Option<OffsetDateTime>>,
        /// Nothing that ended then or later (RFC 3339).
        until: Query<Option<OffsetDateTime>>,
        /// The most that the answer lists.
        #[oai(
            default = "paging::default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
        /// Where to go on: the `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<DeadLetterList>, Failure<ListFailures>> {
        let page = paging::request(*limit, cursor.as_deref())?;
        let mut redis = state.redis.clone();
        let letters =
            ask_redis(dead_letters::dead_letters(&mut redis)).await.map_err(ApiError::from)?;
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == found
        };
        let fits = |letter: &dead_letters::DeadLetter| {
            let at = Timestamp::of_unix_ms(letter.at).time();
            is(&status, Some(&letter.status))
                && is(&reason, Some(&letter.reason))
                && is(&provider, letter.provider.as_deref())
                && since.is_none_or(|since| at >= since)
                && until.is_none_or(|until| at < until)
        };
        let page = page_by_time(letters, |letter| letter.at, fits, page);
        let next_cursor = next_cursor(page.next);
        Ok(Json(DeadLetterList {
            data: page.rows.into_iter().map(DeadLetter::from).collect(),
            next_cursor,
        }))
    }
}

fn filter(
    status: Option<Status>,
    reason: Option<&str>,
    since: Option<OffsetDateTime>,
    until: Option<OffsetDateTime>,
) -> DeliveryFilter<'_> {
    let unix_ms = |time: OffsetDateTime| Timestamp::from(time).unix_ms();
    DeliveryFilter {
        status: status.map(Into::into),
        reason,
        since: since.map(unix_ms),
        until: until.map(unix_ms),
    }
}

/// Those of the codes of one number.
async fn of_number(
    state: &AdminState,
    number: &PhoneNumber,
    filter: DeliveryFilter<'_>,
    page: PageRequest,
) -> Result<DeliveryList, ApiError> {
    let record = numbers::numbers(state).record(number).await?;
    let (number, mut all) = (record.number, record.deliveries);
    all.reverse();
    all.sort_by_key(|sms| Reverse(sms.requested_at.unix_ms()));
    let at = |sms: &DeliveryRecord| sms.requested_at.unix_ms();
    let page = page_by_time(all, at, |sms| filter.fits(sms), page);
    let found = page.rows.into_iter().map(|sms| NumberedDelivery { number: number.clone(), sms });
    Ok(DeliveryList {
        data: found.filter_map(Delivery::of).collect(),
        next_cursor: next_cursor(page.next),
    })
}

impl From<dead_letters::DeadLetter> for DeadLetter {
    fn from(letter: dead_letters::DeadLetter) -> Self {
        Self {
            ended_at: Timestamp::of_unix_ms(letter.at).time(),
            delivery_id: letter.delivery_id,
            phone_number: letter.number,
            status: letter.status,
            reason: letter.reason,
            provider: letter.provider,
            provider_code: letter.provider_code,
        }
    }
}

fn example_id() -> String {
    "q3zt6nq5y6o4cbz6t2h4v5xk7e".to_owned()
}

impl Example for OneDelivery {
    fn example() -> Self {
        Self { data: Delivery::example() }
    }
}

fn example_user() -> i64 {
    users::example_id()
}

impl Example for DeliveryList {
    fn example() -> Self {
        Self { data: vec![Delivery::example()], next_cursor: NullableText(None) }
    }
}

impl Example for DeadLetterList {
    fn example() -> Self {
        Self { data: vec![DeadLetter::example()], next_cursor: NullableText(None) }
    }
}

impl Example for DeadLetter {
    fn example() -> Self {
        Self {
            ended_at: datetime!(2026-11-23 07:05:20 UTC),
            delivery_id: example_id(),
            phone_number: "+91********10".to_owned(),
            status: "failed".to_owned(),
            reason: "invalid_number".to_owned(),
            provider: Some("twilio".to_owned()),
            provider_code: Some(21211),
        }
    }
}
