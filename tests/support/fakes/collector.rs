//! An OpenTelemetry collector: takes traces by OTLP over HTTP, and keeps what they say, read as
//! plain JSON.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::http_server::{Closed, serve};
use crate::support::free_port;

/// The collector. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Collector {
    address: SocketAddr,
    exports: Arc<Mutex<Vec<Export>>>,
    server: JoinHandle<()>,
}

/// One request of an exporter.
#[derive(Clone, Debug)]
pub(crate) struct Export {
    pub(crate) path: String,
    pub(crate) content_type: String,
    pub(crate) api_key: String,
    pub(crate) body: Bytes,
}

/// A span as its exporter told it.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) version: String,
    pub(crate) name: String,
    pub(crate) kind: u64,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) parent_span_id: String,
    /// Each attribute's value as text.
    pub(crate) attributes: BTreeMap<String, String>,
    /// 2 is an error.
    pub(crate) status: u64,
    /// All that was told of it.
    pub(crate) json: Value,
}

impl Collector {
    /// Starts a collector that takes everything.
    pub(crate) async fn start() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listener = TcpListener::bind(address).await.unwrap();
        let exports = Arc::new(Mutex::default());
        let kept = Arc::clone(&exports);
        let server = tokio::spawn(serve(listener, move |request| take(request, Arc::clone(&kept))));
        Self { address, exports, server }
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` takes.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn exports(&self) -> Vec<Export> {
        self.exports.lock().unwrap().clone()
    }

    /// Every span so far of those that came as JSON.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let exports = self.exports();
        let bodies =
            exports.iter().filter_map(|export| serde_json::from_slice::<Value>(&export.body).ok());
        bodies
            .flat_map(|body| {
                body["resourceSpans"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .flat_map(spans_of)
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(
    request: Request<Incoming>,
    exports: Arc<Mutex<Vec<Export>>>,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let header =
        |name| head.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let (content_type, api_key) = (header("content-type"), header("x-api-key"));
    exports.lock().unwrap().push(Export {
        path: head.uri.path().to_owned(),
        content_type,
        api_key,
        body,
    });
    Ok(Response::new(Full::default()))
}

fn spans_of(resource_spans: &Value) -> Vec<Span> {
    let resource = attributes(&resource_spans["resource"]["attributes"]);
    let said = |name: &str| resource.get(name).cloned().unwrap_or_default();
    let scopes = resource_spans["scopeSpans"].as_array().unwrap().iter();
    let spans = scopes.flat_map(|scope| scope["spans"].as_array().unwrap());
    spans
        .map(|span| {
            let text = |name: &str| span[name].as_str().unwrap_or_default().to_owned();
            Span {
                service: said("service.name"),
                version: said("service.version"),
                name: text("name"),
                kind: span["kind"].as_u64().unwrap(),
                trace_id: text("traceId"),
                span_id: text("spanId"),
                parent_span_id: text("parentSpanId"),
                attributes: attributes(&span["attributes"]),
                status: span["status"]["code"].as_u64().unwrap_or_default(),
                json: span.clone(),
            }
        })
        .collect()
}

fn attributes(list: &Value) -> BTreeMap<String, String> {
    let pairs = list.as_array().into_iter().flatten().map(|pair| {
        let (_, value) = pair["value"].as_object().unwrap().iter().next().unwrap();
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (pair["key"].as_str().unwrap().to_owned(), value)
    });
    pairs.collect()
}
