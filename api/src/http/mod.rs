//! What stands around every route; [`middleware`] has the order.

pub mod bearer;
pub(crate) mod bounded_body;
pub mod client_address;
pub(crate) mod client_credentials;
pub mod cors;
pub mod error;
pub(crate) mod form;
pub(crate) mod host;
pub mod idempotent_requests;
pub mod middleware;
pub mod oauth_error;
mod panic_guard;
pub mod request_id;
mod request_trace;
pub mod route_lookup;
pub mod security_headers;
pub(crate) mod static_content;
pub mod strict_json;
