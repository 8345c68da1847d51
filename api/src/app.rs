//! Builds the app from settings, stores and clock: what `main` serves and in-process tests call.

use std::any::Any;
use std::sync::Arc;

use common::client::{Client, Device};
use common::config::TWILIO_STATUS_PATH;
use common::readiness::Readiness;
use common::store::delivery_status::DeliveryStatuses;
use poem::endpoint::make_sync;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::middleware::CatchPanic;
use poem::web::Html;
use poem::{Endpoint, EndpointExt, IntoEndpoint, IntoResponse, Request, Response, Route, get, post};
use serde_json::Value;

use crate::auth::{TokenCheck, check_authorization};
use crate::client_address::AddressRule;
use crate::cors::{AllowedOrigins, share};
use crate::document;
use crate::error::{ApiError, ErrorKind};
use crate::metrics::measure;
use crate::pages::{Pages, inbox, sign_in};
use crate::protective_headers::protect;
use crate::request_id::identify;
use crate::routes::twilio_status::TwilioStatus;
use crate::service::deletion::Deletion;
use crate::service::number_change::NumberChange;
use crate::service::sessions::Sessions;
use crate::service::sign_up::SignUp;

/// What the app works with.
#[derive(Clone, Debug)]
pub struct Services {
    /// Signing up and in.
    pub sign_up: SignUp,
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
    let Services {
        sign_up,
        deletion,
        number_change,
        sessions,
        deliveries,
        readiness,
        address_rule,
        twilio_status,
        origins,
        pages,
    } = services;
    let check = TokenCheck { accounts: sign_up.accounts.clone(), clock: sign_up.clock.clone() };
    let document = document::document();
    let (swagger_ui, policy) = document::swagger_ui(&pages.example_number);
    let document_text = document::served_text(&pages.example_number);
    let operations = document::service()
        .data(sign_up.repeats.clone())
        .data(sign_up.accounts.clone())
        .data(sign_up)
        .data(deletion)
        .data(number_change)
        .data(sessions)
        .data(deliveries)
        .data(readiness);
    let operations = operations.around(move |next, mut request| {
        let address = address_rule.client_of_connection(request.remote_addr(), request.headers());
        let user_agent = request.headers().get(header::USER_AGENT).map_or(&[][..], HeaderValue::as_bytes);
        let client = Client { address, device: Device::of(user_agent) };
        request.extensions_mut().insert(address);
        request.extensions_mut().insert(client);
        let check = check.clone();
        async move { check_authorization(&next, request, &check).await }
    });
    let mut routes = Route::new()
        .at(
            "/docs",
            get(make_sync(move |_| {
                Html(swagger_ui.clone()).with_header(header::CONTENT_SECURITY_POLICY, policy.as_str())
            })),
        )
        .at(
            "/openapi.json",
            get(make_sync(move |_| document_text.clone().with_content_type("application/json; charset=utf-8"))),
        )
        .nest("/", pages.before(operations));
    if let Some(twilio_status) = twilio_status {
        routes = routes.at(TWILIO_STATUS_PATH, post(twilio_status));
    }
    guarded(pages.add_to(routes), Methods::of(&document), origins)
}

/// What surrounds every route: the count, the request's id, the headers of all answers, the panic guard, and errors in one
/// shape.
pub fn guarded(
    routes: impl IntoEndpoint<Endpoint: 'static>,
    methods: Methods,
    origins: AllowedOrigins,
) -> impl Endpoint<Output = Response> {
    let methods = Arc::new(methods);
    let (patterns, shared) = (Arc::clone(&methods), Arc::clone(&methods));
    let origins = Arc::new(origins);
    routes
        .into_endpoint()
        .around(move |next, request| {
            let methods = Arc::clone(&methods);
            async move { Ok(answer(&next, request, &methods).await) }
        })
        .with(CatchPanic::new().with_handler(failed_to_recover))
        .around(move |next, request| {
            let (methods, origins) = (Arc::clone(&shared), Arc::clone(&origins));
            async move {
                let with_token = request.headers().contains_key(header::AUTHORIZATION);
                let mut response = share(&next, request, &origins, &methods).await?;
                protect(response.headers_mut(), with_token);
                Ok(response)
            }
        })
        .around(|next, request| async move { identify(&next, request).await })
        .around(move |next, request| {
            let patterns = Arc::clone(&patterns);
            async move { measure(&next, request, &patterns).await }
        })
        // Or the type of what comes out is too deep for the compiler.
        .boxed()
}

async fn answer<E: Endpoint>(next: &E, request: Request, methods: &Methods) -> Response {
    let path = request.uri().path().to_owned();
    match next.call(request).await {
        Ok(response) => response.into_response(),
        Err(error) => {
            let mut response = ApiError::from(error).into_response();
            if response.status() == StatusCode::METHOD_NOT_ALLOWED
                && let Some(allow) = methods.allowed_at(&path)
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
    pattern: String,
    segments: Vec<String>,
    allow: String,
}

impl KnownPath {
    fn new(pattern: &str, methods: impl IntoIterator<Item = String>) -> Self {
        Self { pattern: pattern.to_owned(), segments: segments(pattern), allow: allow(methods) }
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
    pub(crate) fn pattern_of(&self, path: &str) -> Option<&str> {
        self.known(path).map(|known| known.pattern.as_str())
    }

    /// The methods of a path, for `Allow`.
    pub(crate) fn allowed_at(&self, path: &str) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.known(path)?.allow).ok()
    }

    fn known(&self, path: &str) -> Option<&KnownPath> {
        let path = segments(path);
        let same = |pattern: &[String]| {
            pattern.len() == path.len()
                && pattern.iter().zip(&path).all(|(pattern, part)| pattern.starts_with('{') || pattern == part)
        };
        self.0.iter().find(|known| same(&known.segments))
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
