//! The api.
pub mod server;
pub mod strict_json;
