//! The job: posts one event, and decides when it is tried again.

use std::time::Duration;

use common::accounts::{AccountsError, EventToPost};
use common::domain::outgoing_event::OutgoingEvent;
use common::queue::job::PostEvent;
use common::runtime::clock::millis;
use rand::RngExt;
use reqwest::StatusCode;

use super::EventPoster;
use crate::metrics;

const SECOND: u64 = 1;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// Seconds after each failed attempt but the last; three days in all, but for a quarter of an hour.
const PAUSES: [u64; 16] = [
    5 * SECOND,
    30 * SECOND,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    8 * HOUR,
    8 * HOUR,
    8 * HOUR,
    8 * HOUR,
    8 * HOUR,
    8 * HOUR,
    8 * HOUR,
    8 * HOUR,
];

/// What the webhook said.
enum Answer {
    Accepted,
    /// It wants no more events (410).
    Gone,
    /// Why it has not taken this one.
    Failed(String),
}

impl EventPoster {
    pub(super) async fn post(&self, job: PostEvent) {
        let outcome = self.try_to_post(job).await.unwrap_or_else(|error| {
            // Its lease ends, and it gets another job.
            tracing::warn!(event = "event_not_recorded", sequence = job.id, %error);
            "unrecorded"
        });
        metrics::event_job_ran(outcome);
    }

    async fn try_to_post(&self, job: PostEvent) -> Result<&'static str, AccountsError> {
        let PostEvent { id, lease } = job;
        let Some(row) = self.accounts.event_to_post(id, lease).await? else {
            return Ok("ended_before");
        };
        let attempts = row.attempts;
        let event = match serde_json::from_str::<OutgoingEvent>(&row.payload) {
            Ok(event) => event,
            Err(error) => {
                tracing::error!(event = "event_unreadable", sequence = id, %error);
                self.accounts.event_failed(id, lease, "unreadable", None).await?;
                return Ok("dead");
            }
        };
        let (event_id, kind) = (event.id.clone(), event.r#type.clone());
        match self.call(event, id, &row).await {
            Answer::Accepted => {
                self.accounts.remove_from_outbox(id).await?;
                Ok("accepted")
            }
            Answer::Gone => {
                if self.queue.turn_off(self.clock.unix_ms()).await.unwrap_or(true) {
                    tracing::error!(
                        event = "events_turned_off",
                        reason = "the webhook answered 410"
                    );
                }
                Ok("gone")
            }
            Answer::Failed(failure) => {
                let pause = pause_after(attempts);
                let at = pause.map(|pause| self.clock.unix_ms() + millis(pause));
                self.accounts.event_failed(id, lease, &failure, at).await?;
                if at.is_some() {
                    tracing::warn!(event = "event_not_posted", event_id, kind, failure, ?pause);
                    return Ok("failed");
                }
                tracing::error!(event = "event_given_up", event_id, kind, failure);
                Ok("dead")
            }
        }
    }

    async fn call(&self, event: OutgoingEvent, sequence: i64, row: &EventToPost) -> Answer {
        let webhook = &self.webhook;
        let event_id = event.id.clone();
        let timestamp = self.clock.unix_ms().div_euclid(1000);
        let body = event.body(sequence, row.created_at);
        let request = webhook.http.post(webhook.url.clone());
        match webhook.secret.signed(request, &event_id, timestamp, body).send().await {
            Ok(answer) if answer.status().is_success() => Answer::Accepted,
            Ok(answer) if answer.status() == StatusCode::GONE => Answer::Gone,
            Ok(answer) => Answer::Failed(format!("status {}", answer.status().as_u16())),
            Err(error) if error.is_timeout() => Answer::Failed("no answer in time".to_owned()),
            Err(error) if error.is_connect() => Answer::Failed("not reached".to_owned()),
            Err(_) => Answer::Failed("connection lost".to_owned()),
        }
    }
}

/// How long to wait after one more attempt failed; none after the last one. A tenth more or less,
/// so that what failed together does not come again at once.
fn pause_after(attempts_before: i32) -> Option<Duration> {
    let pause = PAUSES.get(usize::try_from(attempts_before).ok()?)?;
    Some(Duration::from_secs(*pause).mul_f64(rand::rng().random_range(0.9..1.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_tried_for_three_days() {
        let all: u64 = PAUSES.iter().sum();
        let three_days = 72 * HOUR;
        assert!(all.abs_diff(three_days) < 20 * MINUTE, "{all}");
        for (attempt, &pause) in PAUSES.iter().enumerate() {
            let jittered = pause_after(attempt.try_into().unwrap()).unwrap().as_secs_f64();
            assert!((jittered / pause as f64 - 1.0).abs() <= 0.1, "{jittered}");
        }
        assert_eq!(pause_after(16), None);
    }
}
