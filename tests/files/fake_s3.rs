//! An object store as far as small files need one: objects of one bucket, in memory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::support::app::Plan;
use crate::support::free_port;
use crate::support::http_server::{Closed, serve};
use crate::support::tcp_proxy::TcpProxy;

type Objects = Arc<Mutex<BTreeMap<String, Bytes>>>;

pub(super) struct FakeS3 {
    objects: Objects,
    /// The only way to it.
    pub(super) way: TcpProxy,
    _server: AbortOnDropHandle<()>,
}

impl FakeS3 {
    pub(super) async fn start() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listener = TcpListener::bind(address).await.unwrap();
        let objects = Objects::default();
        let shared = Arc::clone(&objects);
        let server = serve(listener, move |request| answer(request, Arc::clone(&shared)));
        Self {
            objects,
            way: TcpProxy::start(address.port()).await,
            _server: AbortOnDropHandle::new(tokio::spawn(server)),
        }
    }

    /// The same plan, with files that are kept here.
    pub(super) fn hold(&self, plan: Plan) -> Plan {
        plan.set("FILES_URL", "s3://bucket/folder")
            .set("AWS_ENDPOINT", &format!("http://127.0.0.1:{}", self.way.port()))
            .set("AWS_ALLOW_HTTP", "true")
            .set("AWS_REGION", "us-east-1")
            .set("AWS_ACCESS_KEY_ID", "test")
            .set("AWS_SECRET_ACCESS_KEY", "test")
    }

    /// What is in the folder.
    pub(super) fn keys(&self) -> Vec<String> {
        let keys = self.objects.lock().unwrap().keys().cloned().collect::<Vec<_>>();
        keys.iter().map(|key| key.trim_start_matches("folder/").to_owned()).collect()
    }

    pub(super) fn put(&self, key: &str, bytes: &'static [u8]) {
        let bytes = Bytes::from_static(bytes);
        self.objects.lock().unwrap().insert(format!("folder/{key}"), bytes);
    }
}

async fn answer(
    request: Request<Incoming>,
    objects: Objects,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let key = head.uri.path().trim_start_matches("/bucket").trim_start_matches('/').to_owned();
    let query: BTreeMap<_, _> =
        form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let mut objects = objects.lock().unwrap();
    Ok(match head.method {
        Method::PUT => {
            objects.insert(key, body);
            told(200, Bytes::new())
        }
        Method::POST if query.contains_key("delete") => {
            let text = String::from_utf8(body.to_vec()).unwrap();
            for key in text.split("<Key>").skip(1) {
                objects.remove(key.split('<').next().unwrap());
            }
            told(200, "<DeleteResult></DeleteResult>".into())
        }
        Method::DELETE => {
            objects.remove(&key);
            told(204, Bytes::new())
        }
        Method::GET if query.contains_key("list-type") => {
            let prefix = query.get("prefix").map_or("", String::as_str);
            let mut list = "<ListBucketResult>".to_owned();
            for (key, bytes) in objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
                let size = bytes.len();
                write!(
                    list,
                    "<Contents><Key>{key}</Key><LastModified>2026-11-30T12:00:00Z</LastModified>\
                     <ETag>x</ETag><Size>{size}</Size></Contents>"
                )
                .unwrap();
            }
            told(200, (list + "</ListBucketResult>").into())
        }
        Method::GET | Method::HEAD => {
            let Some(bytes) = objects.get(&key).cloned() else {
                return Ok(told(404, Bytes::new()));
            };
            let Some(range) = head.headers.get("range") else { return Ok(told(200, bytes)) };
            let (first, last) = range.to_str().unwrap()[6..].split_once('-').unwrap();
            let (first, end) = (first.parse().unwrap(), last.parse::<usize>().unwrap() + 1);
            let end = end.min(bytes.len());
            let range = format!("bytes {first}-{}/{}", end - 1, bytes.len());
            let mut part = told(206, bytes.slice(first..end));
            part.headers_mut().insert("content-range", range.parse().unwrap());
            part
        }
        _ => told(405, Bytes::new()),
    })
}

fn told(status: u16, bytes: Bytes) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("etag", "\"an object\"")
        .header("last-modified", "Mon, 30 Nov 2026 12:00:00 GMT")
        .body(bytes.into())
        .unwrap()
}
