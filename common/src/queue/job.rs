//! Job payloads. A job names things by id: a code or a phone number is never in one.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// A payload of a queue.
pub trait Job: DeserializeOwned + Send + 'static {
    /// What it is about, for the logs.
    fn subject(&self) -> String;
}

/// Post one event to the operator's webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostEvent {
    /// The outbox' row.
    pub id: i64,
    /// Until when the row is left to this job (Unix ms). A row that says otherwise has another.
    pub lease: i64,
}

impl Job for PostEvent {
    fn subject(&self) -> String {
        self.id.to_string()
    }
}

/// Do something with files of users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum FileJob {
    /// Tidy up after uploads that were given up, files that were removed and crashes.
    Sweep {
        /// The only sweep that may run now has this name.
        sweep: String,
    },
    /// Make the picture of what a user has put.
    MakePicture {
        /// The picture.
        id: String,
        /// Until when it is left to this job (Unix ms). A row that says otherwise has another.
        lease: i64,
    },
}

impl Job for FileJob {
    fn subject(&self) -> String {
        match self {
            Self::Sweep { sweep } => sweep.clone(),
            // Whoever knows a picture's id sees it.
            Self::MakePicture { .. } => "a picture".to_owned(),
        }
    }
}

/// Send the SMS of one delivery: a one-time password, or a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendOtp {
    /// The delivery in the OTP ledger.
    pub delivery_id: String,
    /// The HTTP request that asked for it, for the logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// That request's place in its trace (W3C Trace Context), where traces are exported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The job's own id; none of a delivery's first. Of all its jobs only the latest counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
}

impl Job for SendOtp {
    fn subject(&self) -> String {
        self.delivery_id.clone()
    }
}

impl SendOtp {
    /// The job that comes after this one.
    #[must_use]
    pub fn next(&self, job_id: Ulid) -> Self {
        Self { job_id: Some(job_id.to_string()), ..self.clone() }
    }

    /// The job as the queue keeps it.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}
