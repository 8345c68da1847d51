//! `/admin/numbers/{phone_number}`: what the ledger knows of a number, and what keeps it out.

use std::sync::Arc;
use std::time::Duration;

use common::accounts::UserSelector;
use common::admin::deliveries::NumberedDelivery;
use common::admin::numbers::{ChallengeRecord, Counts, NumberRecord, Numbers};
use common::domain::admin_action::AdminActionKind;
use common::domain::phone::PhoneNumber;
use common::ledger::happened::Happening;
use common::runtime::clock::Timestamp;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;
use time::OffsetDateTime;
use time::macros::datetime;

use super::Tag;
use super::failures::failures;
use super::payloads::{Because, BucketLevel, Delivery, read_reason};
use super::users;
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::{ApiError, ErrorKind, Failure};
use crate::http::strict_json::StrictJson;

/// A year.
const LONGEST_BLOCK_MINUTES: u32 = 525_600;

#[derive(Debug)]
pub(super) struct NumbersApi;

/// What is known of a number.
#[derive(Debug, Object)]
#[oai(example)]
struct OneNumber {
    /// Which.
    data: Number,
}

/// What is known of a number, whether a user has it or not.
#[derive(Debug, Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct Number {
    /// E.164; all but its country code and last two digits are `*`.
    phone_number: String,
    /// The user who has it.
    user_id: Option<i64>,
    /// Its country (ISO 3166 alpha-2).
    country: Option<String>,
    /// Whether SMS are sent to its country and to numbers of its type.
    is_served: bool,
    /// Whether an operator has blocked it.
    blocked: Option<Block>,
    /// Seconds until somebody at an address that the number is not known from may ask, as far as
    /// the cooldown goes.
    cooldown_seconds: u64,
    /// How often it was sent to.
    sends: Frequency,
    /// How often somebody guessed wrong at its codes.
    wrong_guesses: Frequency,
    /// Addresses that it signed in from within 90 days; 20 at most.
    known_addresses: u64,
    /// Codes that were asked for and have not been forgotten.
    codes: Vec<Code>,
    /// The buckets that sends to it go to, but for that of the client's address.
    buckets: Vec<BucketLevel>,
    /// The SMS of these codes, oldest first.
    deliveries: Vec<Delivery>,
    /// The last 50 things that happened, oldest first, for a day after the last.
    history: Vec<Happened>,
}

/// One thing that happened to a number.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct Happened {
    /// When (RFC 3339, UTC).
    happened_at: OffsetDateTime,
    /// `asked`, `refused`, `attempt_failed`, `verified`, `restored`, `wrong_guess`, or the status
    /// that a delivery got.
    what: String,
    /// The SMS that it is about.
    delivery_id: Option<String>,
    /// Who sent it, or was to.
    provider: Option<String>,
    /// Why an SMS or a guess failed, or which limit refused a send.
    reason: Option<String>,
    /// When the limit lets a send through again, as far as was known then (RFC 3339, UTC).
    ends_at: Option<OffsetDateTime>,
}

impl From<Happening> for Happened {
    fn from(happening: Happening) -> Self {
        let Happening { at, what, delivery_id, provider, reason, until } = happening;
        let ends_at = until.map(Timestamp::time);
        Self { happened_at: at.time(), what, delivery_id, provider, reason, ends_at }
    }
}

/// A number that can neither ask nor guess.
#[derive(Debug, Object)]
#[oai(example, skip_serializing_if_is_none)]
struct Block {
    /// When that ends by itself (RFC 3339, UTC).
    ends_at: Option<OffsetDateTime>,
}

/// How often something happened of late. Only as many are counted as the limits need.
#[derive(Debug, Object)]
struct Frequency {
    /// Within the last hour.
    hour: u64,
    /// Within the last day.
    day: u64,
}

/// A code, without the code.
#[derive(Debug, Object)]
struct Code {
    /// What it is for: `sign_in`, `delete_account`, `leave_number` or `take_number`.
    purpose: String,
    /// `live`, `used`, `expired` or `burned`.
    state: String,
    /// When it expires, or did (RFC 3339, UTC).
    expires_at: OffsetDateTime,
    /// Wrong guesses from addresses that the number is not known from.
    wrong_guesses: u32,
    /// Wrong guesses from the others.
    wrong_guesses_from_known_addresses: u32,
}

/// For how long, and why.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(example)]
struct NewBlock {
    /// Minutes after which it ends by itself; where none are given, only an operator ends it.
    #[oai(validator(minimum(value = "1"), maximum(value = "525600")))]
    minutes: Option<u32>,
    /// Why: 1 to 500 characters. The action tells it.
    reason: Option<String>,
}

/// What a number had that kept it out.
#[derive(Debug, Object)]
#[oai(example)]
struct Unlocked {
    /// Whether there was a cooldown.
    cooldown: bool,
    /// Sends that are forgotten.
    sends: u64,
    /// Wrong guesses that are forgotten.
    wrong_guesses: u64,
    /// Codes that were burned and are gone.
    burned_codes: u64,
}

/// A block has ended.
#[derive(Debug, Object)]
#[oai(example)]
struct Unblocked {
    /// Whether there was one.
    changed: bool,
}

/// What was known of a number and is forgotten.
#[derive(Debug, Object)]
#[oai(example)]
struct Erased {
    /// Codes, with all their SMS.
    codes: u64,
    /// Addresses that it signed in from.
    known_addresses: u64,
}

failures! {
    SeeFailures { InvalidPhoneNumber, UserNotFound, TooManyLookUps, RedisUnavailable }
    ChangeFailures {
        InvalidPhoneNumber, InvalidPayload, InvalidReason, UserNotFound, RequestTimeout,
        PayloadTooLarge, UnsupportedMediaType, RedisUnavailable,
    }
}

#[OpenApi]
impl NumbersApi {
    /// See what is known of a number
    ///
    /// The holder of a `viewer` key may look 100 numbers up within an hour, and each is an action; a
    /// user's number, found by `user:`, does not count. They are told of the bucket of the number's
    /// range only whether it is full: its `level` is 0 or its `capacity`.
    #[oai(
        path = "/admin/numbers/:phone_number",
        method = "get",
        tag = "Tag::Numbers",
        operation_id = "getNumber"
    )]
    async fn see(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// In any usual spelling; without a country code it belongs to the server's default country.
        /// `user:` and an id is that user's number.
        #[oai(example = "example_number")]
        phone_number: Path<String>,
    ) -> Result<Json<OneNumber>, Failure<SeeFailures>> {
        let number = find(&state, &key, &phone_number).await?;
        let record = numbers(&state).record(&number).await?;
        let owner = UserSelector::Number(number.e164().clone());
        let user_id = state.app.accounts.user(&owner).await?.map(|user| user.id);
        let mut data = Number::of(&state, &number, record, user_id);
        if key.sees_masked() {
            data.buckets = data.buckets.into_iter().map(BucketLevel::for_those_who_guess).collect();
        }
        Ok(Json(OneNumber { data }))
    }

    /// Unlock a number
    ///
    /// Forgets its cooldown, its sends, the wrong guesses at it, and a code that they burned. Its
    /// buckets stay: they are not its alone.
    #[oai(
        path = "/admin/numbers/:phone_number/unlock",
        method = "post",
        tag = "Tag::Numbers",
        operation_id = "unlockNumber"
    )]
    async fn unlock(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// In any usual spelling; without a country code it belongs to the server's default country.
        /// `user:` and an id is that user's number.
        #[oai(example = "example_number")]
        phone_number: Path<String>,
        body: StrictJson<Because>,
    ) -> Result<Json<Unlocked>, Failure<ChangeFailures>> {
        let number = find(&state, &key, &phone_number).await?;
        let reason = body.0.reason()?;
        note(&state, &key, AdminActionKind::NumberUnlocked, &number, reason).await?;
        let had = numbers(&state).unlock(number.e164()).await?;
        Ok(Json(Unlocked {
            cooldown: had.cooldown,
            sends: had.sends,
            wrong_guesses: had.wrong_guesses,
            burned_codes: had.burned_codes,
        }))
    }

    /// Block a number
    ///
    /// It can neither ask for OTPs nor sign in. Sessions of its user go on.
    #[oai(
        path = "/admin/numbers/:phone_number/block",
        method = "post",
        tag = "Tag::Numbers",
        operation_id = "blockNumber"
    )]
    async fn block(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// In any usual spelling; without a country code it belongs to the server's default country.
        /// `user:` and an id is that user's number.
        #[oai(example = "example_number")]
        phone_number: Path<String>,
        body: StrictJson<NewBlock>,
    ) -> Result<Json<Block>, Failure<ChangeFailures>> {
        let number = find(&state, &key, &phone_number).await?;
        let NewBlock { minutes, reason } = body.0;
        if minutes.is_some_and(|minutes| !(1..=LONGEST_BLOCK_MINUTES).contains(&minutes)) {
            return Err(ErrorKind::InvalidPayload.into());
        }
        let reason = reason.map(|text| read_reason(&text)).transpose()?;
        note(&state, &key, AdminActionKind::NumberBlocked, &number, reason).await?;
        let time = minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
        let block = numbers(&state).block(number.e164(), time).await?;
        Ok(Json(Block { ends_at: block.until.map(|until| until.time()) }))
    }

    /// End a block
    #[oai(
        path = "/admin/numbers/:phone_number/unblock",
        method = "post",
        tag = "Tag::Numbers",
        operation_id = "unblockNumber"
    )]
    async fn unblock(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// In any usual spelling; without a country code it belongs to the server's default country.
        /// `user:` and an id is that user's number.
        #[oai(example = "example_number")]
        phone_number: Path<String>,
        body: StrictJson<Because>,
    ) -> Result<Json<Unblocked>, Failure<ChangeFailures>> {
        let number = find(&state, &key, &phone_number).await?;
        let reason = body.0.reason()?;
        note(&state, &key, AdminActionKind::NumberUnblocked, &number, reason).await?;
        Ok(Json(Unblocked { changed: numbers(&state).unblock(number.e164()).await? }))
    }

    /// Forget what is known of a number
    ///
    /// Forgets its OTPs, their SMS and its known addresses, as its owner may ask; not what guards
    /// against abuse: a block, and for a day when it was sent to and guessed at. A user who has the
    /// number stays.
    #[oai(
        path = "/admin/numbers/:phone_number/erase",
        method = "post",
        tag = "Tag::Numbers",
        operation_id = "eraseNumber"
    )]
    async fn erase(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// In any usual spelling; without a country code it belongs to the server's default country.
        /// `user:` and an id is that user's number.
        #[oai(example = "example_number")]
        phone_number: Path<String>,
        body: StrictJson<Because>,
    ) -> Result<Json<Erased>, Failure<ChangeFailures>> {
        let number = find(&state, &key, &phone_number).await?;
        let reason = body.0.reason()?;
        note(&state, &key, AdminActionKind::NumberErased, &number, reason).await?;
        let had = numbers(&state).erase(number.e164()).await?;
        Ok(Json(Erased { codes: had.codes, known_addresses: had.known_addresses }))
    }
}

/// The number that the holder of the key names: by itself, which is a look-up, or as a user's.
pub(super) async fn find(
    state: &AdminState,
    key: &AdminKeyHolder,
    text: &str,
) -> Result<PhoneNumber, ApiError> {
    let Some(id) = text.strip_prefix("user:") else {
        let number = PhoneNumber::parse(text, state.app.default_country)?;
        key.looks_up(state, &number).await?;
        return Ok(number);
    };
    let id = id.parse().map_err(|_| ErrorKind::UserNotFound)?;
    Ok(PhoneNumber::from_account(&users::find(state, id).await?.phone_number))
}

pub(super) fn numbers(state: &AdminState) -> Numbers {
    Numbers::new(state.redis.clone(), state.ledger.clone(), state.app.clock.clone())
}

async fn note(
    state: &AdminState,
    key: &AdminKeyHolder,
    kind: AdminActionKind,
    number: &PhoneNumber,
    reason: Option<String>,
) -> Result<(), ApiError> {
    key.notes(state, kind, |action| action.about(number).because(reason)).await
}

impl Number {
    pub(super) fn of(
        state: &AdminState,
        number: &PhoneNumber,
        record: NumberRecord,
        user_id: Option<i64>,
    ) -> Self {
        let masked = record.number.clone();
        let of_number = |sms| NumberedDelivery { number: masked.clone(), sms };
        let deliveries = record.deliveries.into_iter().map(of_number);
        Self {
            phone_number: record.number,
            user_id,
            country: number.country().map(|country| country.to_string()),
            is_served: state.app.otp.serves(number),
            blocked: record
                .blocked
                .map(|block| Block { ends_at: block.until.map(|until| until.time()) }),
            cooldown_seconds: record.cooldown_seconds,
            sends: record.sends.into(),
            wrong_guesses: record.wrong_guesses.into(),
            known_addresses: record.known_addresses,
            codes: record.challenges.into_iter().map(Code::from).collect(),
            buckets: record.buckets.into_iter().map(BucketLevel::from).collect(),
            deliveries: deliveries.filter_map(Delivery::of).collect(),
            history: record.history.into_iter().map(Happened::from).collect(),
        }
    }
}

impl From<Counts> for Frequency {
    fn from(Counts { hour, day }: Counts) -> Self {
        Self { hour, day }
    }
}

impl From<ChallengeRecord> for Code {
    fn from(code: ChallengeRecord) -> Self {
        Self {
            purpose: code.purpose,
            state: code.state.to_owned(),
            expires_at: code.expires_at.time(),
            wrong_guesses: code.wrong_guesses,
            wrong_guesses_from_known_addresses: code.wrong_guesses_from_known_addresses,
        }
    }
}

fn example_number() -> String {
    "+919876543210".to_owned()
}

impl Example for OneNumber {
    fn example() -> Self {
        Self { data: Number::example() }
    }
}

impl Example for Number {
    fn example() -> Self {
        Self {
            phone_number: "+91********10".to_owned(),
            user_id: Some(1),
            country: Some("IN".to_owned()),
            is_served: true,
            blocked: None,
            cooldown_seconds: 74,
            sends: Frequency { hour: 2, day: 3 },
            wrong_guesses: Frequency { hour: 1, day: 1 },
            known_addresses: 1,
            codes: vec![Code {
                purpose: "sign_in".to_owned(),
                state: "live".to_owned(),
                expires_at: datetime!(2026-11-23 07:09:59 UTC),
                wrong_guesses: 1,
                wrong_guesses_from_known_addresses: 0,
            }],
            buckets: vec![BucketLevel::example()],
            deliveries: vec![Delivery::example()],
            history: vec![Happened {
                happened_at: datetime!(2026-11-23 07:04:59 UTC),
                what: "refused".to_owned(),
                delivery_id: None,
                provider: None,
                reason: Some("send_cooldown".to_owned()),
                ends_at: Some(datetime!(2026-11-23 07:06:13 UTC)),
            }],
        }
    }
}

impl Example for Block {
    fn example() -> Self {
        Self { ends_at: Some(datetime!(2026-11-23 08:04:59 UTC)) }
    }
}

impl Example for NewBlock {
    fn example() -> Self {
        Self { minutes: Some(60), reason: Some("Ticket 4711".to_owned()) }
    }
}

impl Example for Unlocked {
    fn example() -> Self {
        Self { cooldown: true, sends: 2, wrong_guesses: 5, burned_codes: 1 }
    }
}

impl Example for Unblocked {
    fn example() -> Self {
        Self { changed: true }
    }
}

impl Example for Erased {
    fn example() -> Self {
        Self { codes: 1, known_addresses: 2 }
    }
}
