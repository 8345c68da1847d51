//! The worker: from the job to the SMS.

mod events;
mod outbox;
mod pictures;
mod provider;
mod queue_under_failure;
mod retention;
mod send;
mod sms_text;
