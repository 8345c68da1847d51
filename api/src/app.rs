//! Builds the app from settings, stores and clock: what `main` serves and in-process tests call.

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use common::config::TWILIO_STATUS_PATH;
use common::domain::client::{Client, Device};
use common::ledger::delivery_status::DeliveryStatuses;
use common::ledger::idempotency::IdempotencyStore;
use common::runtime::readiness::Readiness;
use futures_util::FutureExt;
use poem::endpoint::make_sync;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::web::Html;
use poem::{Endpoint, EndpointExt, IntoEndpoint, IntoResponse, Request, Response, RouteMethod, get, post};
use serde_json::Value;

use crate::document;
use crate::http::bearer::check_authorization;
use crate::http::client_address::AddressRule;
use crate::http::cors::AllowedOrigins;
use crate::http::error::{ApiError, ErrorKind};
use crate::http::request_id::Identified;
use crate::http::security_headers::protect;
use crate::metrics::Measured;
use crate::pages::{Pages, inbox, sign_in};
use crate::routes::twilio_status::TwilioStatus;
use crate::service::deletion::Deletion;
use crate::service::number_change::NumberChange;
use crate::service::sessions::Sessions;
use crate::service::sign_up::SignUp;

/// What the app works with, and what operations find in a request's data, in an `Arc`.
#[derive(Clone, Debug)]
pub struct Services {
    /// Signing up and in.
    pub sign_up: SignUp,
    /// Requests that a client repeats.
    pub repeats: Arc<IdempotencyStore>,
    /// Deleting accounts.
    pub deletion: Deletion,
    /// Moving accounts to other numbers.
    pub number_change: NumberChange,
    /// What comes after.
    pub sessions: Sessions,
    /// SMS, to look up.
    pub deliveries: DeliveryStatuses,
    /// Whether the stores answer.
    pub readiness: Readiness,
    /// How clients' addresses are found.
    pub address_rule: AddressRule,
    /// Twilio's reports, where they are asked for.
    pub twilio_status: Option<TwilioStatus>,
    /// What people see in a browser.
    pub pages: Pages,
    /// Whose scripts may call.
    pub origins: AllowedOrigins,
}

/// The whole app.
pub fn build(services: Services) -> impl Endpoint<Output = Response> + use<> {
    let document = document::document();
    let (methods, origins) = (Methods::of(&document), services.origins.clone());
    let (others, services) = (Arc::new(others(&services, &document)), Arc::new(services));
    let operations = document::service().into_endpoint().around(move |next, mut request| {
        let (others, services) = (Arc::clone(&others), Arc::clone(&services));
        async move {
            if let Some(other) = others.get(request.uri().path()) {
                return other.call(request).await;
            }
            let address = services.address_rule.client_of_connection(request.remote_addr(), request.headers());
            let user_agent = request.headers().get(header::USER_AGENT).map_or(&[][..], HeaderValue::as_bytes);
            let client = Client { address, device: Device::of(user_agent) };
            let data = request.extensions_mut();
            data.insert(client);
            data.insert(Arc::clone(&services.repeats));
            data.insert(Arc::clone(&services));
            check_authorization(&next, request, &services.sign_up.accounts, &services.sign_up.clock).await
        }
    });
    guarded(operations, methods, origins)
}

/// What is no operation of the document, by path.
fn others(services: &Services, document: &Value) -> HashMap<&'static str, RouteMethod> {
    let pages = &services.pages;
    let (swagger_ui, policy) = document::swagger_ui(document, &pages.example_number);
    let document_text = document::served_text(document, &pages.example_number);
    let swagger_ui =
        make_sync(move |_| Html(swagger_ui.clone()).with_header(header::CONTENT_SECURITY_POLICY, policy.as_str()));
    let document = make_sync(move |_| document_text.clone().with_content_type("application/json; charset=utf-8"));
    let mut others = HashMap::from([("/docs", get(swagger_ui)), ("/openapi.json", get(document))]);
    others.extend(pages.routes());
    others.extend(services.twilio_status.clone().map(|status| (TWILIO_STATUS_PATH, post(status))));
    others
}

/// What surrounds every route: the count, the request's id and trace, the headers of all answers, the panic guard, and errors in one
/// shape.
pub fn guarded(
    routes: impl IntoEndpoint<Endpoint: 'static>,
    methods: Methods,
    origins: AllowedOrigins,
) -> impl Endpoint<Output = Response> {
    let shared = Arc::new((methods, origins));
    routes.into_endpoint().around(move |next, request| {
        let shared = Arc::clone(&shared);
        async move {
            let (methods, origins) = &*shared;
            let measured = Measured::begin(&request, methods);
            let response = surrounded(&next, request, methods, origins).await;
            measured.end(response.status());
            Ok(response)
        }
    })
}

async fn surrounded(
    next: &impl Endpoint,
    mut request: Request,
    methods: &Methods,
    origins: &AllowedOrigins,
) -> Response {
    let identified = Identified::begin(&mut request, methods);
    let sharing = origins.sharing(&request);
    let with_token = request.headers().contains_key(header::AUTHORIZATION);
    let mut response = match sharing.preflight(&request, methods) {
        Some(response) => response,
        None => {
            let answer = AssertUnwindSafe(answer(next, request, methods)).catch_unwind();
            identified.instrument(answer.map(|answer| answer.unwrap_or_else(failed_to_recover))).await
        }
    };
    let headers = response.headers_mut();
    sharing.mark(headers);
    protect(headers, with_token);
    identified.end(&mut response);
    response
}

async fn answer(next: &impl Endpoint, request: Request, methods: &Methods) -> Response {
    let uri = request.uri().clone();
    match next.call(request).await {
        Ok(response) => response.into_response(),
        Err(error) => {
            let mut response = ApiError::from(error).into_response();
            if response.status() == StatusCode::METHOD_NOT_ALLOWED
                && let Some(allow) = methods.allowed_at(uri.path())
            {
                response.headers_mut().insert(header::ALLOW, allow);
            }
            response
        }
    }
}

/// Whatever the handler was doing, this connection is not to be trusted with another request.
fn failed_to_recover(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!(event = "panic", "a handler panicked");
    ApiError::from(ErrorKind::FailedToRecover).with_header(header::CONNECTION, "close").into_response()
}

/// Which methods each path knows, for the `Allow` of a 405 (RFC 9110), and its pattern, for metrics.
#[derive(Clone, Debug, Default)]
pub struct Methods(Vec<KnownPath>);

#[derive(Clone, Debug)]
struct KnownPath {
    pattern: Arc<str>,
    segments: Vec<String>,
    allow: String,
}

impl KnownPath {
    fn new(pattern: &str, methods: impl IntoIterator<Item = String>) -> Self {
        Self { pattern: pattern.into(), segments: segments(pattern), allow: allow(methods) }
    }
}

impl Methods {
    /// Reads them off the OpenAPI document.
    #[must_use]
    pub fn of(document: &Value) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let documented = paths.map(|(path, operations)| {
            let methods = operations.as_object().into_iter().flat_map(|operations| operations.keys());
            KnownPath::new(path, methods.map(|method| method.to_ascii_uppercase()))
        });
        let others = [
            (sign_in::PATH, Method::GET),
            (inbox::PATH, Method::GET),
            (inbox::EVENTS_PATH, Method::GET),
            ("/docs", Method::GET),
            ("/openapi.json", Method::GET),
            (TWILIO_STATUS_PATH, Method::POST),
        ]
        .map(|(path, method)| KnownPath::new(path, [method.to_string()]));
        Self(documented.chain(others).collect())
    }

    /// The pattern that a path fits, like `/deliveries/{delivery_id}`.
    pub(crate) fn pattern_of(&self, path: &str) -> Option<&Arc<str>> {
        self.known(path).map(|known| &known.pattern)
    }

    /// The methods of a path, for `Allow`.
    pub(crate) fn allowed_at(&self, path: &str) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.known(path)?.allow).ok()
    }

    fn known(&self, path: &str) -> Option<&KnownPath> {
        self.0.iter().find(|known| {
            let mut parts = path.split('/');
            let fits = |pattern: &String| parts.next().is_some_and(|part| pattern.starts_with('{') || pattern == part);
            known.segments.iter().all(fits) && parts.next().is_none()
        })
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split('/').map(str::to_owned).collect()
}

/// Whoever answers GET answers HEAD.
fn allow(methods: impl IntoIterator<Item = String>) -> String {
    let mut methods: Vec<_> = methods.into_iter().collect();
    if methods.iter().any(|method| method == "GET") {
        methods.push(Method::HEAD.to_string());
    }
    methods.sort();
    methods.join(", ")
}
