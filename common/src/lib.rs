//! What the API and the workers share: settings, domain types, stores and the queue. Nothing here knows HTTP.

pub mod address;
pub mod client;
pub mod clock;
pub mod code;
pub mod config;
pub mod delivery;
pub mod dev_inbox;
pub mod entity;
pub mod event;
pub mod id;
pub mod idempotency;
pub mod jobs;
pub mod message;
pub mod metrics;
pub mod name;
pub mod page;
pub mod phone;
pub mod queue;
pub mod readiness;
pub mod secret;
pub mod shutdown;
pub mod startup;
pub mod store;
pub mod telemetry;
pub mod token;
mod words;
