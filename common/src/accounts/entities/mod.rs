//! SeaORM models of the tables.

pub mod event;
pub mod token;
pub mod user;
