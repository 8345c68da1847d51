//! The span of a job.

use common::queue::job::SendOtp;
use common::runtime::telemetry::traces::{self, TARGET};
use tracing::{Span, field};

/// The span of one run of a job, in the trace of the request that it comes from. `outcome` is
/// recorded at its end.
pub(crate) fn job(job: &SendOtp) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "job",
        otel.name = "send_otp",
        otel.kind = "consumer",
        request_id = job.request_id,
        delivery_id = job.delivery_id,
        outcome = field::Empty,
    );
    if let Some(traceparent) = &job.traceparent {
        traces::join(&span, traceparent);
    }
    span
}
