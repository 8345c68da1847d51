//! A provider of challenges that checks what solves them, over real HTTP.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::http_server::{Closed, serve};
use crate::support::free_port;

type Form = Vec<(String, String)>;

/// A `siteverify` as Cloudflare and hCaptcha document theirs: a form with `secret` and `response`.
pub(crate) struct FakeSiteVerify {
    pub(crate) url: String,
    /// The fields of each request.
    pub(crate) asked: Arc<Mutex<Vec<Form>>>,
    _server: AbortOnDropHandle<()>,
}

impl FakeSiteVerify {
    pub(crate) async fn start() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listener = TcpListener::bind(address).await.unwrap();
        let asked = Arc::default();
        let shared = Arc::clone(&asked);
        let server = serve(listener, move |request| answer(request, Arc::clone(&shared)));
        Self {
            url: format!("http://{address}/siteverify"),
            asked,
            _server: AbortOnDropHandle::new(tokio::spawn(server)),
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    asked: Arc<Mutex<Vec<Form>>>,
) -> Result<Response<Full<Bytes>>, Closed> {
    let body = request.into_body().collect().await.map_err(|_| Closed)?.to_bytes();
    let form: Vec<_> = form_urlencoded::parse(&body).into_owned().collect();
    let of = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let (status, answer) = match (of("secret").as_deref(), of("response").as_deref()) {
        (Some("a secret"), Some("good")) => (200, json!({"success": true})),
        (Some("a secret"), Some("broken")) => (500, json!({})),
        (Some("a secret"), Some("cut")) => return Err(Closed),
        (Some("a secret"), _) => {
            (200, json!({"success": false, "error-codes": ["invalid-input-response"]}))
        }
        _ => (200, json!({"success": false, "error-codes": ["invalid-input-secret"]})),
    };
    asked.lock().unwrap().push(form);
    Ok(Response::builder().status(status).body(Full::from(answer.to_string())).unwrap())
}
