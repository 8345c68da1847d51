//! What a connection does now, as its socket and its requests tell.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

use crate::http::error::ErrorKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// It waits for the head of a request: the first one, or one that has begun to arrive.
    Head,
    /// The app waits for more of a body.
    Body,
    Handling,
    Writing,
    /// It has sent an answer, and nothing has come since.
    Idle,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionState {
    pub(super) activity: Activity,
    pub(super) since: Instant,
}

impl ConnectionState {
    fn begin(activity: Activity) -> Self {
        Self { activity, since: Instant::now() }
    }
}

/// The state of one connection, for all that change or watch it.
#[derive(Debug, Clone)]
pub(super) struct SharedState(Arc<Mutex<ConnectionState>>);

impl SharedState {
    /// The state of a connection that was just accepted.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(ConnectionState::begin(Activity::Head))))
    }

    pub(super) fn get(&self) -> ConnectionState {
        *self.lock()
    }

    pub(super) fn set(&self, activity: Activity) {
        *self.lock() = ConnectionState::begin(activity);
    }

    fn change(&self, from: Activity, to: Activity) {
        let mut state = self.lock();
        if state.activity == from {
            *state = ConnectionState::begin(to);
        }
    }

    /// Sets [`Activity::Body`] until the returned guard is dropped.
    pub(super) fn wait_for_body(&self) -> WaitForBody<'_> {
        self.set(Activity::Body);
        WaitForBody(self)
    }

    fn lock(&self) -> MutexGuard<'_, ConnectionState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets [`Activity::Handling`] when it is dropped.
pub(super) struct WaitForBody<'a>(&'a SharedState);

impl Drop for WaitForBody<'_> {
    fn drop(&mut self) {
        self.0.set(Activity::Handling);
    }
}

/// A socket that changes the state when a head begins to arrive and when an answer has left.
pub(super) struct WatchedStream {
    pub(super) tcp: TcpStream,
    pub(super) state: SharedState,
    /// What is wrong with a head that hyper could not read.
    pub(super) head_error: Option<ErrorKind>,
}

impl WatchedStream {
    /// hyper answers a head that it cannot read without a body. That answer, of which `bytes` is
    /// the beginning, is not sent: `head_error` says what to send in its place.
    fn is_head_error(&mut self, bytes: &[u8]) -> bool {
        if bytes.starts_with(b"HTTP/1.1 4") && self.state.get().activity == Activity::Head {
            let is_too_large = bytes.starts_with(b"HTTP/1.1 431");
            self.head_error = Some(if is_too_large {
                ErrorKind::RequestHeadTooLarge
            } else {
                ErrorKind::BadRequest
            });
        }
        self.head_error.is_some()
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.tcp).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.state.change(Activity::Idle, Activity::Head);
        }
        read
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_head_error(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        self.state.change(Activity::Idle, Activity::Writing);
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_head_error(bufs.first().map_or(&[], |buf| buf)) {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        self.state.change(Activity::Idle, Activity::Writing);
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    /// hyper flushes the socket only once it has written all that it had.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.tcp).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.state.change(Activity::Writing, Activity::Idle);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
