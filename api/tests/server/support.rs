//! A server with a small app, and a client that speaks bytes.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use api::{
    http::strict_json::StrictJson,
    server::{self, ConnectionLimits, Drain, PacedAnswer},
};
use poem::{Body, EndpointExt, IntoEndpoint, Response, Route, get, handler, post, web::Data};
use poem_openapi::{Object, OpenApi, OpenApiService, payload::PlainText};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Semaphore, oneshot},
    task::JoinHandle,
};

/// Nothing here may take longer; a test that gets here fails.
const PATIENCE: Duration = Duration::from_secs(10);

const NO_DELAY: Drain = Drain { delay: Duration::ZERO, grace: PATIENCE };

/// Bytes of the answer to `GET /large`: far more than two kernels hold for a client that does not
/// read.
pub(crate) const LARGE: usize = 64 * 1024 * 1024;

pub(crate) const PIECE: usize = 256 * 1024;
/// Longer than what a test of it allows for anything.
pub(crate) const HALT: Duration = Duration::from_millis(600);

pub(crate) const QUICK: &str = "GET /quick HTTP/1.1\r\nHost: test\r\n\r\n";
pub(crate) const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n";

pub(crate) const WAIT_WITH_BODY: &str =
    "POST /wait_with_body HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n";

pub(crate) const GREET_HEAD: &str =
    "POST /api/greet HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n";

/// Ends a test that hangs.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("{what}: still not after {PATIENCE:?}"))
}

pub(crate) fn limits() -> ConnectionLimits {
    let generous = Duration::from_secs(60);
    ConnectionLimits { idle: generous, request: generous, answer: generous, max_connections: 100 }
}

#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
struct Greeting {
    name: String,
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/greet", method = "post")]
    async fn greet(&self, body: StrictJson<Greeting>) -> PlainText<String> {
        PlainText(format!("Hello {}", body.0.name))
    }
}

/// The stations of `GET /wait`: it counts itself in, waits for a permit, and counts itself out.
pub(crate) struct Gate {
    pub(crate) entered: Semaphore,
    pub(crate) open: Semaphore,
    pub(crate) left: Semaphore,
}

pub(crate) async fn pass(gate: &Semaphore) {
    soon("gate", gate.acquire()).await.unwrap().forget();
}

#[handler]
fn quick() -> &'static str {
    "quick"
}

#[handler]
fn large() -> Body {
    Body::from_vec(vec![0; LARGE])
}

/// As long as the other one, in pieces, at a kilobyte a second at least.
#[handler]
fn paced() -> Response {
    let pieces = (0..LARGE / PIECE).map(|_| Ok::<_, io::Error>(vec![0; PIECE]));
    let mut response = Response::builder()
        .header("content-length", LARGE)
        .body(Body::from_bytes_stream(futures_util::stream::iter(pieces)));
    response.set_data(PacedAnswer { least_rate: 1_000 });
    response
}

/// Ten pieces, each of which is there a while after the one before.
#[handler]
fn halting() -> Response {
    let pieces = futures_util::stream::unfold(10, |left: usize| async move {
        tokio::time::sleep(HALT).await;
        (left > 0).then(|| (Ok::<_, io::Error>(vec![0; PIECE]), left - 1))
    });
    let mut response = Response::builder()
        .header("content-length", 10 * PIECE)
        .body(Body::from_bytes_stream(pieces));
    response.set_data(PacedAnswer { least_rate: 1_000 });
    response
}

#[handler]
async fn wait(Data(gate): Data<&Arc<Gate>>) -> &'static str {
    gate.entered.add_permits(1);
    gate.open.acquire().await.unwrap().forget();
    gate.left.add_permits(1);
    "waited"
}

/// Counts itself in twice: before the body and after it.
#[handler]
async fn wait_with_body(Data(gate): Data<&Arc<Gate>>, body: Body) -> &'static str {
    gate.entered.add_permits(1);
    body.into_bytes().await.unwrap();
    gate.entered.add_permits(1);
    gate.open.acquire().await.unwrap().forget();
    "waited"
}

#[handler]
fn panics() -> &'static str {
    panic!("a handler that panics, for a test");
}

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) gate: Arc<Gate>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<io::Result<()>>,
}

impl Server {
    pub(crate) async fn start(limits: ConnectionLimits) -> Self {
        Self::start_with(limits, NO_DELAY).await
    }

    pub(crate) async fn start_with(limits: ConnectionLimits, drain: Drain) -> Self {
        let new = || Semaphore::new(0);
        let gate = Arc::new(Gate { entered: new(), open: new(), left: new() });
        let app = Route::new()
            .at("/quick", get(quick))
            .at("/large", get(large))
            .at("/paced", get(paced))
            .at("/halting", get(halting))
            .at("/wait", get(wait))
            .at("/wait_with_body", post(wait_with_body))
            .at("/panics", get(panics))
            .nest("/api", OpenApiService::new(Api, "test", "1"))
            .data(gate.clone());
        Self::serve(app, gate, limits, drain).await
    }

    pub(crate) async fn start_app<A: IntoEndpoint<Endpoint: 'static> + Send + 'static>(
        app: A,
    ) -> Self {
        let new = || Semaphore::new(0);
        let gate = Arc::new(Gate { entered: new(), open: new(), left: new() });
        Self::serve(app, gate, limits(), NO_DELAY).await
    }

    async fn serve<A: IntoEndpoint<Endpoint: 'static> + Send + 'static>(
        app: A,
        gate: Arc<Gate>,
        limits: ConnectionLimits,
        drain: Drain,
    ) -> Self {
        let listener = server::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let running = tokio::spawn(server::serve(listener, app, limits, shutdown, drain));
        Self { addr, gate, stop: Some(stop), running }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(soon("connect", TcpStream::connect(self.addr)).await.unwrap())
    }

    /// Asks for `/quick` on a new connection.
    pub(crate) async fn quick(&self) -> Answer {
        let mut client = self.connect().await;
        client.send(QUICK).await;
        client.answer().await
    }

    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until the server has ended.
    pub(crate) async fn ended(self) {
        soon("server", self.running).await.unwrap().unwrap();
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon("send", self.0.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Reads one answer and no byte more.
    pub(crate) async fn answer(&mut self) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon("answer", self.0.read_u8()).await.expect("an answer"));
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let status = head["http/1.1 ".len()..][..3].parse().unwrap();
        let length = head
            .split("\r\ncontent-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split_once("\r\n").unwrap().0.parse().unwrap());
        let mut body = vec![0; length];
        soon("body", self.0.read_exact(&mut body)).await.unwrap();
        Answer { status, head, body: String::from_utf8(body).unwrap() }
    }

    /// Sends a byte every `pause` until the server ends the connection; how long that took and what
    /// had been received by then.
    pub(crate) async fn drip(self, pause: Duration) -> (Duration, String) {
        let began = Instant::now();
        let (mut reader, mut writer) = self.0.into_split();
        let dripping = tokio::spawn(async move {
            while writer.write_all(b"a").await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        });
        let received = read_to_end(&mut reader).await;
        dripping.abort();
        (began.elapsed(), String::from_utf8(received).unwrap())
    }

    /// Waits until the server ends the connection; how long that took and what had been received by
    /// then.
    pub(crate) async fn closed(mut self) -> (Duration, Vec<u8>) {
        let began = Instant::now();
        let received = read_to_end(&mut self.0).await;
        (began.elapsed(), received)
    }
}

/// A reset is an end too.
async fn read_to_end(reader: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut received = Vec::new();
    let _ = soon("the end of the connection", reader.read_to_end(&mut received)).await;
    received
}
