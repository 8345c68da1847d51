//! Whether the process may open as many files as it may have connections.

use super::MAX_REJECTED_CONNECTIONS;

/// Files beside the clients' connections: rejected connections, those to Redis and the database,
/// logs, the runtime's own.
const OTHER_FILES: usize = MAX_REJECTED_CONNECTIONS + 100;

/// Why [`allow_connections`] failed.
#[derive(Debug, thiserror::Error)]
pub enum OpenFilesError {
    /// The hard limit is too low.
    #[error(
        "the process may open {allowed} files, but {max_connections} connections need {needed}: \
         raise the hard limit (ulimit -Hn, LimitNOFILE=) or lower the number of connections"
    )]
    TooFew {
        /// The limit in force now.
        allowed: u64,
        /// The limit that would do.
        needed: u64,
        /// The number of connections asked for.
        max_connections: usize,
    },
    /// The system refused to say or to change the limit.
    #[error("the limit of open files cannot be read or raised: {0}")]
    Unknown(#[from] std::io::Error),
}

/// Raises the process's soft limit of open files (`RLIMIT_NOFILE`), up to the hard one, to what
/// `max_connections` need.
///
/// # Errors
/// When the hard limit is lower. The soft limit is then as high as it may be, and connections that
/// find no file wait to be accepted.
pub fn allow_connections(max_connections: usize) -> Result<(), OpenFilesError> {
    let needed = max_connections.saturating_add(OTHER_FILES) as u64;
    let allowed = rlimit::increase_nofile_limit(needed)?;
    if allowed < needed {
        return Err(OpenFilesError::TooFew { allowed, needed, max_connections });
    }
    Ok(())
}
