//! Pictures of users.

mod apart;
mod make;
