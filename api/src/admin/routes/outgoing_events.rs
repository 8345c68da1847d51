//! `/admin/outgoing-events`: what the operator's webhook did not take.

use std::sync::Arc;

use common::admin::ask_redis;
use common::admin::outgoing_events::GivenUpEvent;
use common::domain::admin_action::{AdminActionKind, NewAdminAction};
use common::ledger::outgoing_events::EventQueue;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;
use time::OffsetDateTime;
use time::macros::datetime;

use super::Tag;
use super::failures::failures;
use super::payloads::{Because, next_cursor, read_reason};
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::{ErrorKind, Failure};
use crate::http::strict_json::StrictJson;
use crate::routes::paging;
use crate::routes::payloads::NullableText;

#[derive(Debug)]
pub(super) struct OutgoingEventsApi;

/// A part of the list, newest first.
#[derive(Debug, Object)]
#[oai(example)]
struct OutgoingEventList {
    /// The events.
    data: Vec<OutgoingEvent>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: NullableText,
}

/// An event that was given up.
#[derive(Debug, Object)]
#[oai(example, skip_serializing_if_is_none)]
struct OutgoingEvent {
    /// Its place among all.
    sequence: i64,
    /// When it happened (RFC 3339, UTC).
    happened_at: OffsetDateTime,
    /// The same in each request that tells of it.
    id: String,
    /// What it tells, such as `user.created`.
    #[oai(rename = "type")]
    kind: String,
    /// How often it was posted.
    attempts: i32,
    /// What went wrong last.
    failure: Option<String>,
}

/// Which events, and why.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(example)]
struct Replay {
    /// The one of that sequence; all where none is given.
    sequence: Option<i64>,
    /// Why: 1 to 500 characters. The action tells it.
    reason: Option<String>,
}

/// Events are posted again.
#[derive(Debug, Object)]
#[oai(example)]
struct Replayed {
    /// How many.
    replayed: u64,
}

/// Events are posted.
#[derive(Debug, Object)]
#[oai(example)]
struct Resumed {
    /// Whether they were not before, because the webhook had answered 410.
    were_off: bool,
    /// How many are due at once.
    hastened: u64,
}

failures! {
    ListFailures { InvalidParameter }
    ReplayFailures {
        InvalidPayload, InvalidReason, EventNotFound, RequestTimeout, PayloadTooLarge,
        UnsupportedMediaType,
    }
    ResumeFailures {
        InvalidPayload, InvalidReason, RequestTimeout, PayloadTooLarge, UnsupportedMediaType,
        RedisUnavailable,
    }
}

#[OpenApi]
impl OutgoingEventsApi {
    /// See events that were given up
    #[oai(
        path = "/admin/outgoing-events",
        method = "get",
        tag = "Tag::OutgoingEvents",
        operation_id = "listOutgoingEvents"
    )]
    async fn list(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
        /// The most that the answer lists.
        #[oai(
            default = "paging::default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
        /// Where to go on: the `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<OutgoingEventList>, Failure<ListFailures>> {
        let page = paging::request(*limit, cursor.as_deref())?;
        let page = state.app.accounts.dead_events(page).await?;
        let next_cursor = next_cursor(page.next);
        let events = page.rows.into_iter().map(GivenUpEvent::from);
        Ok(Json(OutgoingEventList { data: events.map(OutgoingEvent::from).collect(), next_cursor }))
    }

    /// Post events again that were given up
    #[oai(
        path = "/admin/outgoing-events/replay",
        method = "post",
        tag = "Tag::OutgoingEvents",
        operation_id = "replayOutgoingEvents"
    )]
    async fn replay(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        body: StrictJson<Replay>,
    ) -> Result<Json<Replayed>, Failure<ReplayFailures>> {
        let Replay { sequence, reason } = body.0;
        let reason = reason.map(|text| read_reason(&text)).transpose()?;
        let which = sequence.map_or_else(|| "all".to_owned(), |sequence| sequence.to_string());
        // No event has the sequence 0, which stands for all.
        if sequence == Some(0) {
            return Err(ErrorKind::EventNotFound.into());
        }
        let (actor, now) = (key.0.actor(), state.app.clock.now());
        let action = NewAdminAction::new(&actor, AdminActionKind::EventsReplayed)
            .about(which)
            .because(reason);
        let accounts = &state.app.accounts;
        let replayed = accounts.replay_events_by_operator(sequence, &action, now).await?;
        if sequence.is_some() && replayed == 0 {
            return Err(ErrorKind::EventNotFound.into());
        }
        Ok(Json(Replayed { replayed }))
    }

    /// Post events again after the webhook answered 410
    ///
    /// Those that wait for their next attempt are due at once.
    #[oai(
        path = "/admin/outgoing-events/resume",
        method = "post",
        tag = "Tag::OutgoingEvents",
        operation_id = "resumeOutgoingEvents"
    )]
    async fn resume(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        body: StrictJson<Because>,
    ) -> Result<Json<Resumed>, Failure<ResumeFailures>> {
        let reason = body.0.reason()?;
        let (actor, now) = (key.0.actor(), state.app.clock.now());
        let action = NewAdminAction::new(&actor, AdminActionKind::EventsResumed).because(reason);
        let hastened = state.app.accounts.hasten_events_by_operator(&action, now).await?;
        let queue = EventQueue::new(state.redis.clone());
        let were_off = ask_redis(queue.turn_on()).await?;
        Ok(Json(Resumed { were_off, hastened }))
    }
}

impl From<GivenUpEvent> for OutgoingEvent {
    fn from(event: GivenUpEvent) -> Self {
        Self {
            sequence: event.sequence,
            happened_at: event.at.time(),
            id: event.id,
            kind: event.r#type,
            attempts: event.attempts,
            failure: event.failure,
        }
    }
}

impl Example for OutgoingEventList {
    fn example() -> Self {
        Self { data: vec![OutgoingEvent::example()], next_cursor: NullableText(None) }
    }
}

impl Example for OutgoingEvent {
    fn example() -> Self {
        Self {
            sequence: 1,
            happened_at: datetime!(2026-11-23 07:04:59 UTC),
            id: "evt_01KAR2V0Q3ZJ9H6Y8W1T4M5N7B".to_owned(),
            kind: "user.created".to_owned(),
            attempts: 12,
            failure: Some("503".to_owned()),
        }
    }
}

impl Example for Replay {
    fn example() -> Self {
        Self { sequence: Some(1), reason: Some("The receiver is mended".to_owned()) }
    }
}

impl Example for Replayed {
    fn example() -> Self {
        Self { replayed: 1 }
    }
}

impl Example for Resumed {
    fn example() -> Self {
        Self { were_off: true, hastened: 3 }
    }
}
