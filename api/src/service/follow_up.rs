//! What has to follow a change in the database, and cannot undo it any more.

use std::future::Future;
use std::time::Duration;

use common::store::ledger::OtpStoreError;
use tokio::time::{Instant, sleep};
use tracing::Instrument;

/// How long, and how far apart, it is tried.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

/// Does it now or, where the ledger is not reached, in the background for half a minute. Where that does not help either, `failure`
/// is the event that an operator gets. It may be done more than once.
pub(crate) async fn follow_up<F>(failure: &'static str, step: impl Fn() -> F + Send + 'static)
where
    F: Future<Output = Result<(), OtpStoreError>> + Send,
{
    if step().await.is_ok() {
        return;
    }
    let until = Instant::now() + PATIENCE;
    let in_background = async move {
        loop {
            sleep(PAUSE).await;
            match step().await {
                Ok(()) => return,
                Err(error) if Instant::now() > until => return tracing::error!(event = failure, %error),
                Err(_) => {}
            }
        }
    };
    tokio::spawn(in_background.in_current_span());
}
