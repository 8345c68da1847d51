//! The tables of accounts, through the store that the programs use.

mod number_store;
mod session_store;
mod user_store;
