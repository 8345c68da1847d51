//! What logs and traces tell of a request: nothing that a client chose but the request's id.

use common::runtime::telemetry::traces::{self, TARGET};
use poem::Request;
use poem::http::StatusCode;
use tracing::{Instrument, Span, field};

use super::request_id::RequestId;
use super::route_lookup::MatchedRoute;
use crate::metrics::{method_label, route_label};

/// W3C Trace Context.
const HEADER: &str = "traceparent";

/// Asked every few seconds, by whoever asks nothing else.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// The spans of a request: one carries its id into every log line, the other is for its trace.
#[derive(Debug)]
pub(crate) struct RequestTrace {
    logs: Span,
    traced: Span,
}

impl RequestTrace {
    pub(crate) fn begin(request: &Request, id: &RequestId, route: Option<&MatchedRoute>) -> Self {
        let logs = tracing::info_span!("request", request_id = id.as_str());
        Self { logs, traced: traced(request, id, route) }
    }

    /// Runs what answers the request within both spans.
    pub(crate) fn instrument<F: Future>(
        &self,
        answer: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        answer.instrument(self.traced.clone()).instrument(self.logs.clone())
    }

    pub(crate) fn end(&self, status: StatusCode) {
        self.traced.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            self.traced.record("otel.status_code", "ERROR");
        }
    }
}

/// In the client's trace where it names one; probes have none. Named and described as
/// OpenTelemetry's semantic conventions for HTTP servers say. Where nothing is exported nothing of
/// it is computed.
fn traced(request: &Request, id: &RequestId, route: Option<&MatchedRoute>) -> Span {
    if PROBES.contains(&request.uri().path()) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = format!("{} {}", method_label(request.method()), route_label(route)),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method_label(request.method()),
        http.route = &*route_label(route),
        http.response.status_code = field::Empty,
        request_id = id.as_str(),
    );
    if let Some(traceparent) = request.header(HEADER) {
        traces::join(&span, traceparent);
    }
    span
}
