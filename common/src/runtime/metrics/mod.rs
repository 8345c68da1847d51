//! Metrics in Prometheus' text format: their tables and the exporter.

mod stores;

use std::time::Duration;

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

pub use metrics_exporter_prometheus::BuildError;
pub use stores::{STORE_METRICS, observe_stores};

/// What [`Exporter::text`] is, as HTTP says it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Until then, or until a scrape, the exporter keeps each value of a histogram.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// A row of a table of metrics.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Ends in `_total` for a counter, and in `_seconds` for a time.
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// A table of metrics, and a constant for the name of each.
#[macro_export]
macro_rules! metrics {
    ($table:ident: $($constant:ident: $kind:ident $(($bounds:expr))? = $name:literal, $help:literal;)+) => {
        $(const $constant: &str = $name;)+

        pub const $table: &[$crate::runtime::metrics::Metric] = &[
            $($crate::runtime::metrics::Metric {
                name: $name,
                kind: $crate::runtime::metrics::Kind::$kind $(($bounds))?,
                help: $help,
            }),+
        ];
    };
}

#[derive(Clone, Debug)]
pub struct Exporter(PrometheusHandle);

impl Exporter {
    /// Records the metrics of this process from now on. Called once, inside a runtime.
    ///
    /// # Errors
    /// There is an exporter already, or a histogram has no bounds.
    pub fn start(
        metrics: impl Iterator<Item = &'static Metric> + Clone,
    ) -> Result<Self, BuildError> {
        let mut builder = PrometheusBuilder::new();
        for Metric { name, kind, .. } in metrics.clone() {
            if let Kind::Histogram(bounds) = kind {
                builder =
                    builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), bounds)?;
            }
        }
        let handle = builder.install_recorder()?;
        for Metric { name, kind, help } in metrics {
            match kind {
                Kind::Counter => describe_counter!(*name, *help),
                Kind::Gauge => describe_gauge!(*name, *help),
                Kind::Histogram(_) => describe_histogram!(*name, *help),
            }
        }
        let kept = handle.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP_EVERY).await;
                kept.run_upkeep();
            }
        });
        Ok(Self(handle))
    }

    /// All metrics in Prometheus' text format 0.0.4.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.render()
    }
}
