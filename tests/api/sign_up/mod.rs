//! `POST /signup`, both halves.

mod challenges;
mod expiry;
mod limits_over_http;
mod refunds;
mod sending;
mod verifying;
