//! Traces by OTLP over HTTP: one span a request and one a run of a job. The W3C Trace Context that
//! a job carries joins them into one trace.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::config::SettingError;

/// The target of spans that are exported; no other span and no event is.
pub const TARGET: &str = "traces";

const SETTING: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADER: &str = "traceparent";
/// For the export of the last spans when the program ends.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two warnings that spans are lost.
const WARNING_EVERY: Duration = Duration::from_secs(60);

/// The export of traces; by default none.
#[derive(Debug, Default)]
#[must_use = "the last spans leave when it is finished"]
pub struct Export(Option<SdkTracerProvider>);

impl Export {
    /// Exports the last spans, for two seconds at most.
    pub async fn finish(self) {
        let Some(provider) = self.0 else { return };
        // It blocks its thread. The exporter has logged its errors.
        let _ =
            tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(SHUTDOWN_TIMEOUT))
                .await;
    }
}

/// The layer that exports to `collector`, and the export itself. The SDK reads the standard's other
/// `OTEL_…` variables.
pub(super) fn export<S>(
    collector: &str,
    service: &'static str,
) -> Result<(impl Layer<S> + Send + Sync + use<S>, Export), SettingError>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let inner =
        exporter(collector).map_err(|error| SettingError::new(SETTING, error.to_string()))?;
    let exporter = WatchedExporter { inner, last_warning: Mutex::default() };
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource(service))
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("cheershare"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET));
    Ok((layer, Export(Some(provider))))
}

fn exporter(collector: &str) -> Result<opentelemetry_otlp::SpanExporter, ExporterBuildError> {
    let url = format!("{}/v1/traces", collector.trim_end_matches('/'));
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().with_endpoint(url);
    let chosen = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    // The standard's default, which is not the library's.
    if chosen { exporter.build() } else { exporter.with_protocol(Protocol::HttpBinary).build() }
}

/// The program as traces describe it. The environment overrides this.
fn resource(service: &'static str) -> Resource {
    let resource = Resource::builder_empty()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.name", service))
        .with_detector(Box::new(EnvResourceDetector::new()));
    match std::env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => resource.with_service_name(name).build(),
        _ => resource.build(),
    }
}

pub(super) fn collector(value: &str) -> Result<String, &'static str> {
    let rest = value.strip_prefix("http://").or_else(|| value.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') => Ok(value.to_owned()),
        _ => Err("has to be like http://127.0.0.1:4318"),
    }
}

/// Puts a span that has not begun into the trace of `traceparent` (W3C Trace Context). A malformed
/// one changes nothing.
pub fn join(span: &Span, traceparent: &str) {
    if !span.is_disabled() {
        let parent = TraceContextPropagator::new()
            .extract_with_context(&Context::new(), &Carrier(Some(traceparent.to_owned())));
        // It fails only where nothing is exported.
        let _ = span.set_parent(parent);
    }
}

/// The `traceparent` (W3C Trace Context) of the current span; none where nothing is exported.
#[must_use]
pub fn traceparent() -> Option<String> {
    let context = Context::current();
    if !context.has_active_span() {
        return None;
    }
    let mut carrier = Carrier(None);
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    carrier.0
}

/// A map of headers with `traceparent` alone.
struct Carrier(Option<String>);

impl Extractor for Carrier {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.as_deref().filter(|_| key == HEADER)
    }

    fn keys(&self) -> Vec<&str> {
        vec![HEADER]
    }
}

impl Injector for Carrier {
    fn set(&mut self, key: &str, value: String) {
        if key == HEADER {
            self.0 = Some(value);
        }
    }
}

/// Logs that spans are lost, at most once a minute.
#[derive(Debug)]
struct WatchedExporter {
    inner: opentelemetry_otlp::SpanExporter,
    last_warning: Mutex<Option<Instant>>,
}

impl WatchedExporter {
    fn is_time_to_warn(&self) -> bool {
        let Ok(mut last) = self.last_warning.lock() else { return false };
        let due = last.is_none_or(|last| last.elapsed() >= WARNING_EVERY);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

impl SpanExporter for WatchedExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let lost = batch.len();
        let exported = self.inner.export(batch).await;
        if let Err(error) = &exported
            && self.is_time_to_warn()
        {
            tracing::warn!(event = "traces_not_exported", setting = SETTING, lost, %error);
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_export_there_is_no_trace_to_join() {
        assert_eq!(traceparent(), None);
        join(&Span::current(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        assert_eq!(traceparent(), None);
    }

    #[test]
    fn a_collector_is_a_url_of_http() {
        for right in ["http://127.0.0.1:4318", "https://collector.example/base/"] {
            assert_eq!(collector(right).as_deref(), Ok(right));
        }
        for wrong in ["", "127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://", "https:///v1"] {
            assert!(collector(wrong).is_err(), "{wrong}");
        }
    }
}
