//! What the API and the workers share. What is here and used by one program alone is here because
//! its Lua, keys or tables are shared. Nothing here knows HTTP.

pub mod accounts;
pub mod admin;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod files;
pub mod ledger;
pub mod outbox;
pub mod queue;
pub mod runtime;
