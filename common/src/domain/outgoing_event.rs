//! What the operator's webhook is told.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use ulid::Ulid;

use crate::domain::ids::SessionId;
use crate::domain::phone::E164;

/// One event, as the outbox keeps it. `Debug` shows no data: they may hold a whole number.
#[derive(Clone, Deserialize, Serialize)]
pub struct OutgoingEvent {
    /// The same in each request that tells of it.
    pub id: String,
    pub r#type: String,
    data: Map<String, Value>,
}

impl std::fmt::Debug for OutgoingEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutgoingEvent")
            .field("id", &self.id)
            .field("type", &self.r#type)
            .finish_non_exhaustive()
    }
}

impl OutgoingEvent {
    fn new(r#type: &str, data: Value) -> Self {
        Self::with_id(format!("evt_{}", Ulid::generate()), r#type, data)
    }

    fn with_id(id: String, r#type: &str, data: Value) -> Self {
        let data = if let Value::Object(data) = data { data } else { Map::new() };
        Self { id, r#type: r#type.to_owned(), data }
    }

    /// Without the user's fields, which the statement of a sign-in puts in.
    pub(crate) fn user_created_of_nobody() -> Self {
        Self::new("user.created", json!({}))
    }

    pub(crate) fn user_created(user_id: i64, name: &str, number: &E164) -> Self {
        let data = json!({"user_id": user_id, "name": name, "phone_number": number.as_str()});
        Self::new("user.created", data)
    }

    pub(crate) fn user_updated(user_id: i64, name: &str, version: i32) -> Self {
        Self::new("user.updated", json!({"user_id": user_id, "name": name, "version": version}))
    }

    pub(crate) fn number_changed(user_id: i64, old: &E164, new: &E164) -> Self {
        let data = json!({
            "user_id": user_id, "old_phone_number": old.as_str(), "phone_number": new.as_str(),
        });
        Self::new("user.number_changed", data)
    }

    pub(crate) fn user_deleted(user_id: i64, number: &E164) -> Self {
        Self::new("user.deleted", json!({"user_id": user_id, "phone_number": number.as_str()}))
    }

    /// `user_id` is none where the statement of a sign-in puts it in.
    pub(crate) fn session_started(
        user_id: Option<i64>,
        session: &SessionId,
        device: Option<&str>,
        expires_at: OffsetDateTime,
    ) -> Self {
        let data = json!({
            "user_id": user_id, "session_id": session, "device": device,
            "expires_at": rfc3339(expires_at),
        });
        Self::new("session.started", data)
    }

    pub(crate) fn session_ended(user_id: i64, session: &SessionId, reason: &str) -> Self {
        let data = json!({"user_id": user_id, "session_id": session, "reason": reason});
        Self::new("session.ended", data)
    }

    /// Told once or more for a delivery, each time under its id.
    pub(crate) fn sms_undelivered(sms: &UndeliveredSms) -> Self {
        let data = json!({
            "delivery_id": sms.delivery_id, "phone_number": sms.phone_number,
            "status": sms.status, "reason": sms.reason,
        });
        Self::with_id(format!("sms_{}", sms.delivery_id), "sms.undelivered", data)
    }

    /// As the outbox keeps it.
    pub(crate) fn to_json(&self) -> String {
        json!(self).to_string()
    }

    /// The body of the request. `sequence` grows from each event of a thing to the next one: a name,
    /// a number, a session.
    #[must_use]
    pub fn body(mut self, sequence: i64, happened_at: OffsetDateTime) -> String {
        self.data.insert("sequence".to_owned(), sequence.into());
        json!({"type": self.r#type, "timestamp": rfc3339(happened_at), "data": self.data})
            .to_string()
    }
}

/// An SMS that will not arrive, as the scripts tell of it.
#[derive(Deserialize)]
pub(crate) struct UndeliveredSms {
    delivery_id: String,
    phone_number: String,
    status: String,
    reason: Option<String>,
}

fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}
