//! What a connection is doing now, and since when: told by its socket and by its requests, read by
//! its deadline.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

use super::raw_response::HeadRefusal;

/// The part of a request's life that a connection is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A head is awaited for which the clock runs: the connection's first, or one that has begun to
    /// arrive.
    Head,
    /// The app waits for a part of the body.
    Body,
    Handling,
    /// An answer is being sent.
    Writing,
    /// The last answer is sent and nothing has come since.
    Idle,
}

/// A phase and its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) phase: Phase,
    pub(super) since: Instant,
}

/// The current step of one connection, shared by all who drive it.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<Mutex<Step>>);

impl Progress {
    /// A connection that was just accepted.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Step { phase: Phase::Head, since: Instant::now() })))
    }

    pub(super) fn now(&self) -> Step {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Step { phase, since: Instant::now() };
    }

    /// Enters [`Phase::Body`] until the returned guard is dropped.
    pub(super) fn wait_for_body(&self) -> WaitingForBody<'_> {
        self.enter(Phase::Body);
        WaitingForBody(self)
    }

    fn advance(&self, from: Phase, to: Phase) {
        if self.now().phase == from {
            self.enter(to);
        }
    }
}

/// Goes back to [`Phase::Handling`] when dropped.
pub(super) struct WaitingForBody<'a>(&'a Progress);

impl Drop for WaitingForBody<'_> {
    fn drop(&mut self) {
        self.0.enter(Phase::Handling);
    }
}

/// A socket that tells when a head begins to arrive and when an answer has left.
pub(super) struct WatchedStream {
    pub(super) stream: TcpStream,
    pub(super) progress: Progress,
    pub(super) refusal: Option<HeadRefusal>,
}

impl WatchedStream {
    /// hyper's refusal of a head that it cannot read, of which `first` is the beginning, is sent as
    /// ours.
    fn poll_refuse(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        length: usize,
    ) -> Option<Poll<io::Result<usize>>> {
        let begins = self.progress.now().phase == Phase::Head && first.starts_with(b"HTTP/1.1 4");
        if self.refusal.is_none() && begins {
            self.refusal = Some(HeadRefusal::in_place_of(first));
        }
        let refusal = self.refusal.as_mut()?;
        Some(refusal.poll_send(&mut self.stream, cx).map_ok(|()| length))
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.progress.advance(Phase::Idle, Phase::Head);
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
        if let Some(refused) = self.poll_refuse(cx, buf, buf.len()) {
            return refused;
        }
        self.progress.advance(Phase::Idle, Phase::Writing);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).sum();
        if let Some(refused) = self.poll_refuse(cx, bufs.first().map_or(&[], |buf| buf), length) {
            return refused;
        }
        self.progress.advance(Phase::Idle, Phase::Writing);
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes the socket only once it has written all that it had.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.progress.advance(Phase::Writing, Phase::Idle);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
