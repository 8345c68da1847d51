//! SeaORM models of the tables.

pub mod event;
pub mod file;
pub mod outbox;
pub mod token;
pub mod user;
