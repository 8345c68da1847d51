//! How long a client may take for a head, a body and an answer, and how many clients there may be.

use std::time::Duration;

/// What a client may take its time for, and how many clients there may be.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// How long a connection may stay silent after an answer. Default 60 s.
    pub idle: Duration,
    /// How long a whole request, head and body, may take from its first byte; the first one of a
    /// connection is counted from the moment it is accepted, so a silent newcomer is cut after this
    /// time too. A late body is answered with 408, as the body's reader gets an
    /// [`std::io::ErrorKind::TimedOut`]; a late head is cut without an answer. Default 10 s.
    pub request: Duration,
    /// How long a client may take to accept an answer once it is ready, or as much of a
    /// [`PacedAnswer`] as it has to accept in this time. Default 30 s.
    pub answer: Duration,
    /// How many connections may be open. With fewer than a tenth of them free, each new connection
    /// ends the one that has kept the server waiting longest (an idle one, or a slow client's), so
    /// that slow clients cannot lock others out; with none free, a new connection is answered with
    /// 503 at once. Default 10,000.
    pub max_connections: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            request: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            max_connections: 10_000,
        }
    }
}

/// Among the data of a long answer: its client may take as long as it likes, as long as the answer
/// moves.
#[derive(Clone, Copy, Debug)]
pub struct PacedAnswer {
    /// Bytes a second that the client accepts at least, on average over the time for an answer. The
    /// kernels of both sides hold some more than what it has read.
    pub least_rate: u64,
}
