//! A small HTTP server for the fakes.

use std::fmt;

use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Makes the server close the connection without an answer.
#[derive(Debug)]
pub(crate) struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed by the script")
    }
}

impl std::error::Error for Closed {}

/// Answers every request by `answer`, without end. All connections are cut when this is dropped.
pub(crate) async fn serve<A, F>(listener: TcpListener, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<Full<Bytes>>, Closed>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(converse(stream, answer.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn converse<A, F>(stream: TcpStream, answer: A)
where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Result<Response<Full<Bytes>>, Closed>> + Send + 'static,
{
    stream.set_nodelay(true).unwrap();
    // What was asked for is done even if nobody waits for the answer any more.
    let answer =
        |request| tokio::spawn(answer(request)).map(|answered| answered.unwrap_or(Err(Closed)));
    // An error is how hyper closes a connection without an answer, or how a client that has left
    // shows.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}
