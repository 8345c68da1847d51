//! What a trace tells of a request: nothing that a client chose but the request's id.

use common::runtime::telemetry::traces::{self, TARGET};
use poem::Request;
use poem::http::StatusCode;
use tracing::{Span, field};

use crate::app::Methods;
use crate::http::request_id::RequestId;
use crate::metrics::{known, route_of};

/// W3C Trace Context.
const HEADER: &str = "traceparent";

/// Asked every few seconds, by whoever asks nothing else.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// The span of a request, in the client's trace where it names one; of a probe there is none. Named and described as OpenTelemetry's
/// semantic conventions for HTTP servers say. Where nothing is exported nothing of it is looked up.
pub(crate) fn begin(request: &Request, id: &RequestId, routes: &Methods) -> Span {
    if PROBES.contains(&request.uri().path()) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = format!("{} {}", known(request.method()), route_of(request, routes)),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = known(request.method()),
        http.route = &*route_of(request, routes),
        http.response.status_code = field::Empty,
        request_id = id.as_str(),
    );
    if let Some(traceparent) = request.header(HEADER) {
        traces::join(&span, traceparent);
    }
    span
}

/// Says how the request was answered.
pub(crate) fn end(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}
