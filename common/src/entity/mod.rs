//! SeaORM models of the two tables.

pub mod token;
pub mod user;
