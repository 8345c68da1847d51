//! What the operations of the admin API work with.

use std::sync::Arc;

use common::ledger::connection::RedisConnection;
use common::ledger::settings::LedgerSettings;

use tokio_util::sync::CancellationToken;

use super::config::AdminHosts;
use super::live::Watchers;
use super::overview;
use super::wrong_keys::WrongKeys;
use crate::state::AppState;

/// One for the whole process.
#[derive(Clone, Debug)]
pub struct AdminState {
    /// What the public API works with: the same stores, by connections of its own, and the same
    /// memory of sessions. However much operators ask, no user waits for it.
    pub app: Arc<AppState>,
    pub redis: RedisConnection,
    /// The limits, as the ledger's scripts are told them.
    pub ledger: LedgerSettings,
    pub hosts: AdminHosts,
    pub wrong_keys: WrongKeys,
    /// Cancelled when the process is asked to stop.
    pub stop: CancellationToken,
    pub overview: overview::Shared,
    pub watchers: Watchers,
}
