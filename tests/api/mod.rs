//! What clients meet: the API over HTTP.

mod browser_session;
mod deliveries;
mod document;
mod http;
pub(crate) mod idempotency;
mod jwts;
pub(crate) mod oauth;
mod outages;
mod own_account;
mod pages;
mod server_deadlines;
pub(crate) mod sessions;
mod sign_up;
mod simultaneous;
mod twilio_status;
mod verify;
