//! The wire contract, row by row.

mod asking;
mod bearer;
mod body;
mod cors;
mod document;
mod headers;
mod routes;
mod verifying;
