//! A small load balancer: connections go in turn to the API processes that say that they are ready.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::support::{eventually, free_port};

const PROBE_EVERY: Duration = Duration::from_millis(200);
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// A port of 127.0.0.1 before several API processes. It knows TCP only: what a client has sent is
/// sent to nobody else, so a connection that a process refuses or ends is one that the client
/// loses. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct LoadBalancer {
    address: SocketAddr,
    backends: Arc<Mutex<Vec<Backend>>>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Clone, Copy, Debug)]
struct Backend {
    address: SocketAddr,
    ready: bool,
    connections: usize,
}

impl LoadBalancer {
    /// With nobody behind it yet.
    pub(crate) async fn start() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listener = TcpListener::bind(address).await.unwrap();
        let backends = Arc::default();
        let tasks = [
            tokio::spawn(lead(listener, Arc::clone(&backends))),
            tokio::spawn(probe(Arc::clone(&backends))),
        ];
        Self { address, backends, tasks }
    }

    /// `host:port` for clients.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Takes a process in, and waits until it is ready.
    pub(crate) async fn add(&self, address: &str) {
        let address = address.parse().unwrap();
        self.backends.lock().unwrap().push(Backend { address, ready: false, connections: 0 });
        eventually(Duration::from_secs(20), "a process that is ready", async || {
            let backends = self.backends.lock().unwrap();
            backends.iter().any(|backend| backend.address == address && backend.ready).then_some(())
        })
        .await;
    }

    /// Forgets a process that has ended; returns how many connections it was given.
    pub(crate) fn remove(&self, address: &str) -> usize {
        let mut backends = self.backends.lock().unwrap();
        let index =
            backends.iter().position(|backend| backend.address.to_string() == address).unwrap();
        backends.remove(index).connections
    }
}

impl Drop for LoadBalancer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn lead(listener: TcpListener, backends: Arc<Mutex<Vec<Backend>>>) {
    let mut connections = JoinSet::new();
    for turn in 0.. {
        let (mut client, _) = listener.accept().await.unwrap();
        while connections.try_join_next().is_some() {}
        let target = {
            let mut backends = backends.lock().unwrap();
            let mut ready: Vec<_> = backends.iter_mut().filter(|backend| backend.ready).collect();
            let count = ready.len();
            ready.get_mut(turn % count.max(1)).map(|backend| {
                backend.connections += 1;
                backend.address
            })
        };
        connections.spawn(async move {
            let Some(target) = target else { return };
            let Ok(mut server) = TcpStream::connect(target).await else { return };
            client.set_nodelay(true).unwrap();
            server.set_nodelay(true).unwrap();
            // An error is how either side ends it.
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}

async fn probe(backends: Arc<Mutex<Vec<Backend>>>) {
    loop {
        let addresses: Vec<_> =
            backends.lock().unwrap().iter().map(|backend| backend.address).collect();
        let mut probes = JoinSet::new();
        for address in addresses {
            probes.spawn(async move {
                (address, timeout(PROBE_LIMIT, is_ready(address)).await.unwrap_or(false))
            });
        }
        for (address, is_ready) in probes.join_all().await {
            let mut backends = backends.lock().unwrap();
            backends
                .iter_mut()
                .filter(|backend| backend.address == address)
                .for_each(|backend| backend.ready = is_ready);
        }
        tokio::time::sleep(PROBE_EVERY).await;
    }
}

async fn is_ready(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer.starts_with("HTTP/1.1 200 "))
    };
    ask.await.unwrap_or(false)
}
