//! The use cases: functions over what [`AppState`](crate::state::AppState) holds. They know the
//! stores, and nothing of HTTP.

pub(crate) mod background;
pub mod challenge;
pub mod deletion;
pub mod files;
pub mod introspection;
pub mod jwts;
pub mod number_change;
pub mod openid;
pub mod otp_service;
pub mod registered_clients;
pub mod session_cache;
pub mod sessions;
pub mod sign_up;
pub mod test_numbers;
pub mod turns;
pub mod user_import;
