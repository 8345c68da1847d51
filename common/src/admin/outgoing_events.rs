//! Events for the operator's webhook that were given up, as operators see them.

use serde::Serialize;

use crate::accounts::DeadEvent;
use crate::domain::outgoing_event::OutgoingEvent;
use crate::runtime::clock::Timestamp;

/// Without its data, which may hold a whole number.
#[derive(Clone, Debug, Serialize)]
pub struct GivenUpEvent {
    pub sequence: i64,
    pub at: Timestamp,
    pub id: String,
    pub r#type: String,
    pub attempts: i32,
    /// What went wrong last.
    pub failure: Option<String>,
}

impl From<DeadEvent> for GivenUpEvent {
    fn from(event: DeadEvent) -> Self {
        let DeadEvent { id: sequence, created_at, payload, attempts, failure } = event;
        let (id, r#type) = serde_json::from_str(&payload)
            .map_or_else(|_| Default::default(), |told: OutgoingEvent| (told.id, told.r#type));
        Self { sequence, at: created_at.into(), id, r#type, attempts, failure }
    }
}
