//! What operators change while the process runs: files that are read at the start, and again on
//! SIGHUP.

use std::fmt;
use std::sync::Arc;

use common::config::SettingError;
use tokio::sync::watch;

/// What a file says now. Clones share it.
pub struct Reloadable<T>(Arc<watch::Sender<Arc<T>>>);

impl<T> Reloadable<T> {
    pub fn new(value: T) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(value))))
    }

    #[must_use]
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.borrow())
    }

    /// Puts what was read anew in its place; where that is faulty it stays, and the log says why.
    pub fn replace(&self, setting: &'static str, read: Result<T, Vec<SettingError>>) {
        match read {
            Ok(value) => {
                self.0.send_replace(Arc::new(value));
                tracing::info!(event = "setting_reloaded", setting);
            }
            Err(faults) => {
                for error in faults {
                    tracing::error!(event = "setting_not_reloaded", setting, %error);
                }
            }
        }
    }
}

impl<T> Clone for Reloadable<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: fmt::Debug> fmt::Debug for Reloadable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
