//! What stands around every route; [`middleware`] has the order.

pub mod bearer;
pub(crate) mod bounded_body;
pub mod browser_cookie;
pub mod client_address;
pub(crate) mod client_credentials;
pub mod cors;
pub mod error;
pub(crate) mod file_answer;
pub(crate) mod form;
pub(crate) mod host;
pub mod idempotent_requests;
pub mod middleware;
pub mod oauth_error;
pub mod origin;
mod panic_guard;
pub(crate) mod percent_encoded;
pub mod request_id;
mod request_trace;
pub mod route_lookup;
pub(crate) mod same_origin;
pub mod security_headers;
pub mod session_cookie;
pub mod sign_in_redirect;
pub(crate) mod static_content;
pub mod strict_json;
