//! Redis and a database of the test's own, and the product's stores over them without its programs.

pub(crate) mod accounts;
pub(crate) mod database;
pub(crate) mod ledger;
pub(crate) mod pgbouncer;
pub(crate) mod postgres_server;
pub(crate) mod queue;
pub(crate) mod records;
pub(crate) mod redis_server;
pub(crate) mod sentinel;
