//! The wire contract, row by row.

mod asking;
mod bearer;
mod body;
mod routes;
mod verifying;
