//! What the fake can be told to do about a request.

use std::time::Duration;

/// How one request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// 201: the SMS is accepted.
    Accept,
    /// An error: HTTP status, Twilio's code, and seconds of `Retry-After`.
    Error(u16, u32, Option<u64>),
    /// An error: HTTP status, Twilio's code, and `Retry-After` as the date in so many seconds.
    ErrorUntil(u16, u32, u64),
    /// 201, but the message has failed already, for the reason of that code.
    Failed(u32),
    /// 201 with a body that says nothing.
    Unreadable,
    /// 307, to somewhere else.
    Redirect,
    /// No answer, for as long as the client cares to wait.
    Never,
    /// The connection is closed after the request was read.
    Close,
    /// The SMS is accepted, and the connection closed before the answer.
    Lost,
    /// The other reply, after that time.
    Late(Duration, Box<Reply>),
}

impl Reply {
    /// 201, after that time.
    pub(crate) fn accept_after(delay: Duration) -> Self {
        Self::Late(delay, Box::new(Self::Accept))
    }

    /// An error without `Retry-After`.
    pub(crate) fn error(status: u16, code: u32) -> Self {
        Self::Error(status, code, None)
    }
}
