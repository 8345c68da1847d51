//! The address of the admin API.

use std::sync::Arc;
use std::time::Duration;

use common::runtime::listen_address::ListenerNames;
use tokio_util::task::AbortOnDropHandle;

use super::config::AdminConfig;
use super::state::AdminState;
use crate::server::{self, ConnectionLimits, Drain};

const NAMES: ListenerNames = ListenerNames {
    setting: "ADMIN_ADDR",
    listens: "admin_listening",
    fails: "admin_not_listening",
};

/// Operators are few, and may bring or fetch much.
const LIMITS: ConnectionLimits = ConnectionLimits {
    idle: Duration::from_secs(60),
    request: Duration::from_secs(600),
    answer: Duration::from_secs(600),
    max_connections: 100,
};

/// Serves at the address until this is dropped.
pub async fn serve(config: &AdminConfig, state: Arc<AdminState>) -> Option<AbortOnDropHandle<()>> {
    let listener = config.admin_addr.listen(NAMES).await?;
    if config.is_exposed() {
        tracing::warn!(
            event = "admin_exposed",
            setting = "ADMIN_ADDR",
            "others than this machine may reach the admin API"
        );
    }
    Some(AbortOnDropHandle::new(tokio::spawn(async move {
        let app = super::endpoint(state);
        let stop = std::future::pending();
        let served = server::serve(listener, app, LIMITS, stop, Drain::default()).await;
        if let Err(error) = served {
            tracing::error!(event = "admin_ended", %error);
        }
    })))
}
