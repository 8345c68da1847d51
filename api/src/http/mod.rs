//! What stands around every route.

pub mod bearer;
pub mod client_address;
pub mod cors;
pub mod error;
pub mod idempotency;
pub mod request_id;
pub mod security_headers;
pub mod strict_json;
pub(crate) mod trace;
