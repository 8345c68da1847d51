//! Everything that the API counts, by name and with what it says; and where it is shown.

use std::sync::Arc;
use std::time::Instant;

use common::runtime::metrics::{
    BuildError, CONTENT_TYPE, Exporter, Kind, Metric, STORE_METRICS, observe_stores,
};
use common::runtime::readiness::Readiness;
use metrics::{SharedString, counter, gauge, histogram};
use poem::http::{Method, StatusCode};
use poem::{EndpointExt, IntoEndpoint};
use poem::{IntoResponse, Request, Response, Route, get, handler, web::Data};

use crate::http::route_lookup::MatchedRoute;
use crate::rejections::Rejections;

const REQUESTS: &str = "cheershare_http_requests_total";
const REQUEST_SECONDS: &str = "cheershare_http_request_duration_seconds";
const IN_FLIGHT: &str = "cheershare_http_requests_in_flight";
const CONNECTIONS_REFUSED: &str = "cheershare_http_connections_refused_total";
const OTPS_QUEUED: &str = "cheershare_otps_queued_total";
const SENDS_REFUSED: &str = "cheershare_sends_refused_total";
const VERIFICATIONS: &str = "cheershare_verifications_total";
const SIGN_UPS: &str = "cheershare_sign_ups_total";
const TOKENS_ISSUED: &str = "cheershare_tokens_issued_total";
const UPLOADS: &str = "cheershare_uploads_total";
const UPLOAD_BYTES: &str = "cheershare_upload_bytes_total";
const FILE_STORE_ERRORS: &str = "cheershare_file_store_errors_total";

pub const API_METRICS: &[Metric] = &[
    Metric {
        name: REQUESTS,
        kind: Kind::Counter,
        help: "Requests that were answered, by route pattern, method and status. Unknown paths are one route, `other`.",
    },
    Metric {
        name: REQUEST_SECONDS,
        kind: Kind::Histogram(&[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]),
        help: "From a request's head to its answer, by route pattern and method.",
    },
    Metric { name: IN_FLIGHT, kind: Kind::Gauge, help: "Requests that are being answered." },
    Metric {
        name: CONNECTIONS_REFUSED,
        kind: Kind::Counter,
        help: "Connections that were answered with 503 at once, because MAX_CONNECTIONS were open.",
    },
    Metric {
        name: OTPS_QUEUED,
        kind: Kind::Counter,
        help: "OTPs that were asked for and allowed: sms, or test for a test number, to which nothing is sent.",
    },
    Metric {
        name: SENDS_REFUSED,
        kind: Kind::Counter,
        help: "OTPs that were asked for and refused, by kind of limit. `service` is the spend guard.",
    },
    Metric {
        name: VERIFICATIONS,
        kind: Kind::Counter,
        help: "Guesses at an OTP: right, wrong, expired, burned (five wrong ones before), none (no OTP, or a used one), \
            closed (too many wrong ones in an hour or a day) or blocked (the number is, by an operator).",
    },
    Metric {
        name: SIGN_UPS,
        kind: Kind::Counter,
        help: "Users that were made: first sign-ins of a number.",
    },
    Metric {
        name: TOKENS_ISSUED,
        kind: Kind::Counter,
        help: "Bearer tokens that were issued: sign-ins.",
    },
    Metric {
        name: UPLOADS,
        kind: Kind::Counter,
        help: "Requests that uploaded, by how they ended: announced, kept (there is more to come), complete, or \
            the code of the error.",
    },
    Metric {
        name: UPLOAD_BYTES,
        kind: Kind::Counter,
        help: "Bytes that uploads of files brought.",
    },
    Metric {
        name: FILE_STORE_ERRORS,
        kind: Kind::Counter,
        help: "Requests that failed by the file store: unavailable, full, not_found (a file without bytes) or busy \
            (too many uploads wait for it).",
    },
];

/// The values of the label `error`.
const FILE_STORE_FAILURES: [&str; 4] = ["unavailable", "full", "not_found", "busy"];

pub(crate) fn otp_queued(is_test: bool) {
    counter!(OTPS_QUEUED, "kind" => if is_test { "test" } else { "sms" }).increment(1);
}

pub(crate) fn otp_verified() {
    counter!(VERIFICATIONS, "result" => "right").increment(1);
}

pub(crate) fn signed_in(is_new: bool) {
    counter!(SIGN_UPS).increment(u64::from(is_new));
    counter!(TOKENS_ISSUED).increment(1);
}

pub(crate) fn upload_ended(result: Result<&'static str, &'static str>) {
    let (Ok(result) | Err(result)) = result;
    counter!(UPLOADS, "result" => result).increment(1);
}

pub(crate) fn upload_brought(bytes: usize) {
    counter!(UPLOAD_BYTES).increment(bytes as u64);
}

pub(crate) fn file_store_failed(error: &'static str) {
    counter!(FILE_STORE_ERRORS, "error" => error).increment(1);
}

pub(crate) fn connection_refused() {
    counter!(CONNECTIONS_REFUSED).increment(1);
}

/// Counts and times a request, from [`RequestMetrics::begin`] to [`RequestMetrics::end`].
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    route: SharedString,
    method: &'static str,
    start: Instant,
    _in_flight: InFlight,
}

impl RequestMetrics {
    pub(crate) fn begin(request: &Request, route: Option<&MatchedRoute>) -> Self {
        Self {
            route: route_label(route),
            method: method_label(request.method()),
            start: Instant::now(),
            _in_flight: InFlight::begin(),
        }
    }

    pub(crate) fn end(self, status: StatusCode) {
        histogram!(REQUEST_SECONDS, "route" => self.route.clone(), "method" => self.method)
            .record(self.start.elapsed());
        let status = status.as_u16().to_string();
        counter!(REQUESTS, "route" => self.route, "method" => self.method, "status" => status)
            .increment(1);
    }
}

/// A client may ask for any path.
pub(crate) fn route_label(route: Option<&MatchedRoute>) -> SharedString {
    route.map_or(SharedString::const_str("other"), |route| Arc::clone(&route.pattern).into())
}

/// A client may call its method anything.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[derive(Debug)]
struct InFlight;

impl InFlight {
    fn begin() -> Self {
        gauge!(IN_FLIGHT).increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!(IN_FLIGHT).decrement(1.0);
    }
}

#[derive(Clone, Debug)]
pub struct Scrape {
    exporter: Exporter,
    readiness: Readiness,
    rejections: Rejections,
}

impl Scrape {
    /// # Errors
    /// The process counts already.
    pub fn start(readiness: Readiness, rejections: Rejections) -> Result<Self, BuildError> {
        let exporter = Exporter::start(STORE_METRICS.iter().chain(API_METRICS))?;
        for name in [CONNECTIONS_REFUSED, SIGN_UPS, TOKENS_ISSUED, UPLOAD_BYTES] {
            counter!(name).absolute(0);
        }
        for kind in ["sms", "test"] {
            counter!(OTPS_QUEUED, "kind" => kind).absolute(0);
        }
        counter!(VERIFICATIONS, "result" => "right").absolute(0);
        for result in ["announced", "kept", "complete"] {
            counter!(UPLOADS, "result" => result).absolute(0);
        }
        for error in FILE_STORE_FAILURES {
            counter!(FILE_STORE_ERRORS, "error" => error).absolute(0);
        }
        gauge!(IN_FLIGHT).set(0.0);
        Ok(Self { exporter, readiness, rejections })
    }

    /// `GET /metrics`, and nothing else.
    #[must_use]
    pub fn app(self) -> impl IntoEndpoint<Endpoint: 'static> {
        Route::new().at("/metrics", get(show).data(self))
    }

    async fn text(&self) -> String {
        observe_stores(&self.readiness).await;
        for (kind, count) in self.rejections.sends() {
            counter!(SENDS_REFUSED, "limit" => kind.into_str()).absolute(count);
        }
        counter!(SENDS_REFUSED, "limit" => "destination").absolute(self.rejections.destinations());
        for (why, count) in self.rejections.guesses() {
            counter!(VERIFICATIONS, "result" => why.into_str()).absolute(count);
        }
        self.exporter.text()
    }
}

#[handler]
async fn show(scrape: Data<&Scrape>) -> Response {
    scrape.text().await.with_content_type(CONTENT_TYPE).into_response()
}
