//! Pictures of users: what is made of a file that a user has put.

pub mod apart;
pub mod make;
pub mod maker;
