//! The HTTP API.

pub mod app;
pub mod auth;
pub mod client_address;
pub mod config;
pub mod document;
pub mod error;
pub mod idempotency;
pub mod metrics;
pub mod refusals;
pub mod request_id;
pub mod routes;
pub mod server;
pub mod service;
pub mod startup;
pub mod strict_json;
mod trace;
