//! The tables of accounts, through the store that the programs use.

mod file_store;
mod grants;
mod number_store;
mod outgoing_events;
mod session_store;
mod user_store;

use crate::support::accounts::AccountStores;

/// sqlx asks each connection for a sign of life before it is used, unless it is told not to. Those
/// that were idle are asked all the same.
#[async_test]
async fn a_statement_costs_no_second_round_trip() {
    let accounts = AccountStores::new().await;
    let database = accounts.stores[0].database();
    let asks_first = if accounts.database.is_postgres() {
        database.get_postgres_connection_pool().options().get_test_before_acquire()
    } else {
        database.get_sqlite_connection_pool().options().get_test_before_acquire()
    };
    assert!(!asks_first);
}
