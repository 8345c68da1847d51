//! The HTTP/1.1 server under the app: every connection has a deadline for what it does now, and
//! their number is bounded.
//!
//! poem's own server never cuts a client that sends its request drop by drop, so hyper is driven
//! directly here; the app stays a plain poem endpoint. HTTP/2 is refused: one of its connections
//! carries many requests, for which these deadlines would not hold.

mod body_pace;
mod close;
mod connection;
mod connection_limit;
mod connection_state;
mod deadlines;
pub mod open_files_limit;
mod received;

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use poem::{Endpoint, EndpointExt, IntoEndpoint, Response};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub use self::body_pace::BodyPace;
use self::connection_limit::ConnectionLimit;
pub use self::deadlines::{ConnectionLimits, PacedAnswer};
use crate::http::error::ErrorKind;

/// How long nothing is accepted after an accept error such as "too many open files", which would
/// repeat at once.
const PAUSE_AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(100);

/// How many connections the kernel may hold until they are accepted; it may hold fewer
/// (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;

/// How much of an answer the kernel takes before it is on its way. Else it takes megabytes at once,
/// and nothing tells for minutes that a slow client goes on reading.
#[cfg(target_os = "linux")]
const MAX_UNSENT_BYTES: u32 = 256 * 1024;

/// How many connections that were answered with 503 may wait for their clients to close them.
const MAX_REJECTED_CONNECTIONS: usize = 100;

#[derive(Debug, Clone, Copy, Default)]
pub struct Drain {
    /// How long new connections are still taken, so that load balancers notice and send clients
    /// elsewhere. Answers say `Connection: close` from the beginning.
    pub delay: Duration,
    /// How long what runs may go on after that.
    pub grace: Duration,
}

/// Listens on `address`. tokio's own listeners have a backlog of 1,024; when it is full, the kernel
/// makes a client wait a second before it lets it try again.
///
/// # Errors
/// When the port is taken or not allowed.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As tokio's own listeners do: a restarted server must not wait until the kernel has forgotten
    // the connections of the last one.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What all connections of a server share.
struct Server<E> {
    app: E,
    local_addr: SocketAddr,
    limits: ConnectionLimits,
    connection_limit: ConnectionLimit,
    rejected_connections: Arc<Semaphore>,
    /// The server is to stop: every answer is the last one of its connection.
    draining: CancellationToken,
    stop: CancellationToken,
}

/// Serves `app` on `listener` until `shutdown` ends.
///
/// It then closes each connection after its next answer. After [`Drain::delay`] it accepts nothing
/// more, gives silent connections and half-sent heads one more second, closes the others after the
/// answer that they wait for, and after [`Drain::grace`] ends what is left. A handler always runs
/// to its end otherwise, even if its client is gone.
///
/// # Errors
/// When the listener does not know its own address.
pub async fn serve<A>(
    listener: TcpListener,
    app: A,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()> + Send,
    drain: Drain,
) -> io::Result<()>
where
    A: IntoEndpoint,
    A::Endpoint: 'static,
{
    let server = Arc::new(Server {
        app: app.into_endpoint().map_to_response(),
        local_addr: listener.local_addr()?,
        connection_limit: ConnectionLimit::new(limits.max_connections),
        rejected_connections: Arc::new(Semaphore::new(MAX_REJECTED_CONNECTIONS)),
        limits,
        draining: CancellationToken::new(),
        stop: CancellationToken::new(),
    });
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(async {
        shutdown.await;
        server.draining.cancel();
        sleep(drain.delay).await;
    });
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = connections.join_next() => report_panic(ended),
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => server.spawn_connection(tcp, peer, &mut connections),
                Err(error) => server.recover(&error).await,
            },
        }
    }
    drop(listener);
    server.stop.cancel();
    finish(connections, drain.grace).await;
    Ok(())
}

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    fn spawn_connection(
        self: &Arc<Self>,
        tcp: TcpStream,
        peer: SocketAddr,
        connections: &mut JoinSet<()>,
    ) {
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(event = "nodelay_failed", %error);
        }
        #[cfg(target_os = "linux")]
        if let Err(error) = socket2::SockRef::from(&tcp).set_tcp_notsent_lowat(MAX_UNSENT_BYTES) {
            tracing::debug!(event = "unsent_bytes_not_bound", %error);
        }
        match self.connection_limit.try_acquire() {
            Some(permit) => connections.spawn(connection::run(tcp, peer, self.clone(), permit)),
            None => connections.spawn(self.reject(tcp)),
        };
    }

    /// Tells a client that there are too many connections.
    fn reject(&self, mut tcp: TcpStream) -> impl Future<Output = ()> + use<E> {
        crate::metrics::connection_refused();
        let permit = Arc::clone(&self.rejected_connections).try_acquire_owned();
        async move {
            close::send_error(&mut tcp, ErrorKind::Overloaded).await;
            if permit.is_ok() {
                close::close(tcp).await;
            }
        }
    }

    /// A failed accept concerns either one client, who is gone, or the process, which is then out
    /// of files or memory.
    async fn recover(&self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if !matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            tracing::warn!(event = "accept_failed", %error);
            self.connection_limit.evict_slowest();
            sleep(PAUSE_AFTER_ACCEPT_ERROR).await;
        }
    }
}

/// Waits for the connections to end, for `grace` at most.
async fn finish(mut connections: JoinSet<()>, grace: Duration) {
    let ended = async {
        while let Some(ended) = connections.join_next().await {
            report_panic(ended);
        }
    };
    if timeout(grace, ended).await.is_err() {
        tracing::warn!(
            event = "connections_cut",
            count = connections.len(),
            "still open after the grace period"
        );
        connections.shutdown().await;
    }
}

fn report_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(event = "connection_panicked", %error);
    }
}
