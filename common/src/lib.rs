//! What the API and the workers share: settings, domain types, stores and the queue. Nothing here knows HTTP.

pub mod clock;
pub mod jobs;
pub mod queue;
pub mod store;
