//! The way between a program and a server, which a test can stall, cut, and lead to another server.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::free_port;

/// A port of 127.0.0.1 that leads to another one. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct TcpProxy {
    port: u16,
    way: Arc<Way>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Way {
    target: Mutex<u16>,
    valves: Mutex<Valves>,
    /// Of connections that lead nowhere any more.
    silenced: Mutex<Vec<Valves>>,
    /// What holds back the bytes of one connection, by the port that the server sees.
    own_valves: Mutex<HashMap<u16, watch::Sender<bool>>>,
    closed: watch::Sender<bool>,
    connections: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Valves {
    requests_held: watch::Sender<bool>,
    answers_held: watch::Sender<bool>,
}

impl Valves {
    fn open() -> Self {
        Self { requests_held: watch::Sender::new(false), answers_held: watch::Sender::new(false) }
    }
}

impl TcpProxy {
    /// Leads to that port of 127.0.0.1.
    pub(crate) async fn start(target: u16) -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let way = Arc::new(Way {
            target: Mutex::new(target),
            valves: Mutex::new(Valves::open()),
            silenced: Mutex::default(),
            own_valves: Mutex::default(),
            closed: watch::Sender::new(false),
            connections: Mutex::default(),
        });
        let server = tokio::spawn(lead(listener, Arc::clone(&way)));
        Self { port, way, server }
    }

    /// The port that programs connect to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `REDIS_URL` for a program that is to reach its Redis only by this way.
    pub(crate) fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Holds every byte back from now on: connections stay open, new ones are made, and nobody
    /// hears anything.
    pub(crate) fn stall(&self) {
        self.way.valves.lock().unwrap().requests_held.send_replace(true);
        self.hold_answers();
    }

    /// Holds back only what the server says.
    pub(crate) fn hold_answers(&self) {
        self.way.valves.lock().unwrap().answers_held.send_replace(true);
    }

    /// Lets all bytes through, those that were held back first.
    pub(crate) fn go_on(&self) {
        self.way.valves.lock().unwrap().requests_held.send_replace(false);
        self.way.valves.lock().unwrap().answers_held.send_replace(false);
    }

    /// Swallows every byte of the connections that are open, for ever, as a lost route does. New
    /// ones are not concerned.
    pub(crate) fn silence(&self) {
        self.stall();
        let silenced = std::mem::replace(&mut *self.way.valves.lock().unwrap(), Valves::open());
        self.way.silenced.lock().unwrap().push(silenced);
    }

    /// As [`TcpProxy::silence`], of those connections alone whose ports the server sees.
    pub(crate) fn silence_only(&self, ports: &[u16]) {
        let own_valves = self.way.own_valves.lock().unwrap();
        for port in ports {
            own_valves[port].send_replace(true);
        }
    }

    /// Leads new connections to another port. Those that are open stay where they are.
    pub(crate) fn lead_new_ones_to(&self, target: u16) {
        *self.way.target.lock().unwrap() = target;
    }

    /// Ends all connections, and every new one at once.
    pub(crate) fn close(&self) {
        self.way.closed.send_replace(true);
        self.cut();
    }

    pub(crate) fn open(&self) {
        self.way.closed.send_replace(false);
    }

    /// Leads to another port from now on, and ends the connections to the old one.
    pub(crate) fn redirect(&self, target: u16) {
        self.lead_new_ones_to(target);
        self.cut();
    }

    fn cut(&self) {
        self.way.connections.lock().unwrap().abort_all();
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.server.abort();
        self.cut();
    }
}

async fn lead(listener: TcpListener, way: Arc<Way>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let target = SocketAddr::from(([127, 0, 0, 1], *way.target.lock().unwrap()));
        let mut connections = way.connections.lock().unwrap();
        while connections.try_join_next().is_some() {}
        if !*way.closed.borrow() {
            let valves = way.valves.lock().unwrap();
            let (requests, answers) =
                (valves.requests_held.subscribe(), valves.answers_held.subscribe());
            connections.spawn(connect(client, target, requests, answers, Arc::clone(&way)));
        }
    }
}

async fn connect(
    client: TcpStream,
    target: SocketAddr,
    requests_held: watch::Receiver<bool>,
    answers_held: watch::Receiver<bool>,
    way: Arc<Way>,
) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    let (own_valve, held) = watch::channel(false);
    let port = to_server.local_addr().unwrap().port();
    way.own_valves.lock().unwrap().insert(port, own_valve);
    tokio::join!(
        pump(from_client, to_server, [requests_held, held.clone()]),
        pump(from_server, to_client, [answers_held, held])
    );
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut valves: [watch::Receiver<bool>; 2],
) {
    let mut bytes = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        for held in &mut valves {
            if held.wait_for(|held| !held).await.is_err() {
                return;
            }
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
