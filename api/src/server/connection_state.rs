//! What a connection does now, as its socket and its requests tell.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

use super::received::{BodyLength, Received};
use crate::http::error::ErrorKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// It waits for the head of a request: the first one, or one that has begun to arrive, perhaps
    /// together with the request before it.
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
pub(super) struct SharedState(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    now: ConnectionState,
    received: Received,
    /// Of a paced answer whose body has not ended.
    pace: Option<Pace>,
}

/// How an answer has moved since [`ConnectionState::since`].
#[derive(Debug)]
struct Pace {
    /// Bytes that it has to move by before the time for an answer is over.
    least: u64,
    moved: u64,
}

/// How often the time for a paced answer begins anew at most.
const PACE_NOTED_EVERY: Duration = Duration::from_secs(1);

impl SharedState {
    /// The state of a connection that was just accepted.
    pub(super) fn new() -> Self {
        let now = ConnectionState::begin(Activity::Head);
        let inner = Inner { now, received: Received::new(), pace: None };
        Self(Arc::new(Mutex::new(inner)))
    }

    pub(super) fn get(&self) -> ConnectionState {
        self.lock().now
    }

    pub(super) fn set(&self, activity: Activity) {
        self.lock().now = ConnectionState::begin(activity);
    }

    /// hyper has found a request. Returns when its first byte came, as far as that is known.
    pub(super) fn begin_request(&self, body: BodyLength) -> Instant {
        let mut inner = self.lock();
        inner.received.begin_request(body);
        let before = std::mem::replace(&mut inner.now, ConnectionState::begin(Activity::Handling));
        match before.activity {
            Activity::Head => before.since,
            // A pipelined request came together with an earlier one: its clock starts here.
            _ => inner.now.since,
        }
    }

    fn receive(&self, bytes: &[u8]) {
        let mut inner = self.lock();
        inner.received.add(bytes);
        if inner.now.activity == Activity::Idle {
            inner.now = ConnectionState::begin(Activity::Head);
        }
    }

    /// An answer begins whose time begins anew whenever `least` bytes of it have left, until the
    /// returned guard is dropped.
    pub(super) fn begin_paced_answer(&self, least: u64) -> PacedBody {
        let mut inner = self.lock();
        inner.pace = Some(Pace { least, moved: 0 });
        inner.now = ConnectionState::begin(Activity::Writing);
        PacedBody(self.clone())
    }

    fn end_pace(&self) {
        let mut inner = self.lock();
        inner.pace = None;
        if inner.now.activity == Activity::Handling {
            inner.now = ConnectionState::begin(Activity::Writing);
        }
    }

    fn begin_write(&self) {
        let mut inner = self.lock();
        let goes_on = inner.pace.is_some() && inner.now.activity == Activity::Handling;
        if goes_on || inner.now.activity == Activity::Idle {
            inner.now = ConnectionState::begin(Activity::Writing);
        }
    }

    fn wrote(&self, count: usize) {
        let mut inner = self.lock();
        let Inner { now, pace: Some(pace), .. } = &mut *inner else { return };
        pace.moved = pace.moved.saturating_add(count as u64);
        if pace.moved >= pace.least
            && now.activity == Activity::Writing
            && now.since.elapsed() >= PACE_NOTED_EVERY
        {
            pace.moved = 0;
            *now = ConnectionState::begin(Activity::Writing);
        }
    }

    /// All of an answer that there is so far has left.
    fn end_answer(&self) {
        let mut inner = self.lock();
        if inner.now.activity == Activity::Writing && inner.pace.is_some() {
            // It waits for what is to be sent, not for the client.
            inner.now = ConnectionState::begin(Activity::Handling);
        } else if inner.now.activity == Activity::Writing {
            let used_up = inner.received.forget_if_used_up();
            inner.now =
                ConnectionState::begin(if used_up { Activity::Idle } else { Activity::Head });
        }
    }

    /// Sets [`Activity::Body`] until the returned guard is dropped.
    pub(super) fn wait_for_body(&self) -> WaitForBody<'_> {
        self.set(Activity::Body);
        WaitForBody(self)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
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

/// Ends a paced answer when it is dropped.
pub(super) struct PacedBody(SharedState);

impl Drop for PacedBody {
    fn drop(&mut self) {
        self.0.end_pace();
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

    fn note(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = written {
            self.state.wrote(*count);
        }
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
        match buf.filled().get(before..) {
            Some(bytes) if !bytes.is_empty() => self.state.receive(bytes),
            _ => {}
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
        self.state.begin_write();
        let written = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_head_error(bufs.first().map_or(&[], |buf| buf)) {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        self.state.begin_write();
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    /// hyper flushes the socket only once it has written all that it had.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.tcp).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.state.end_answer();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
