//! The HTTP API.

pub mod app;
pub mod auth;
pub mod client_address;
pub mod commands;
pub mod config;
pub mod cors;
pub mod dev_inbox;
pub mod document;
pub mod error;
pub mod idempotency;
pub mod metrics;
pub mod nullable;
pub mod pages;
mod protective_headers;
pub mod refusals;
pub mod request_id;
pub mod routes;
pub mod server;
pub mod service;
pub mod startup;
pub mod strict_json;
mod trace;
