//! The api.
pub mod strict_json;
