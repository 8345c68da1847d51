//! Metrics in Prometheus' text format: how a program names, keeps and shows them. Each program has its own list.

mod stores;

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

pub use metrics_exporter_prometheus::BuildError;
pub use stores::{STORE_METRICS, observe_stores};

/// What [`Exporter::text`] is, as HTTP says it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often histograms are summed up where nobody asks for them.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// A metric: its name, what it is, and what it says.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Ends in `_total` for a counter, and in `_seconds` for a time.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// For people.
    pub help: &'static str,
}

/// What a metric is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often values were at most as large as each of these bounds.
    Histogram(&'static [f64]),
}

/// All metrics of this process.
#[derive(Clone, Debug)]
pub struct Exporter(PrometheusHandle);

impl Exporter {
    /// Keeps what the process counts from now on. Called once, inside a runtime.
    ///
    /// # Errors
    /// Somebody else keeps it already, or a histogram has no bounds.
    pub fn start(metrics: impl Iterator<Item = &'static Metric> + Clone) -> Result<Self, BuildError> {
        let mut builder = PrometheusBuilder::new();
        for Metric { name, kind, .. } in metrics.clone() {
            if let Kind::Histogram(bounds) = kind {
                builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), bounds)?;
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

    /// All of it, in Prometheus' text format 0.0.4.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.render()
    }
}

/// Where metrics are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetricsAddress {
    /// Nowhere.
    Off,
    /// At this address and port; port 0 takes any that is free.
    At(SocketAddr),
}

impl FromStr for MetricsAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            _ => text.parse().map(Self::At).map_err(|_| "has to be like 127.0.0.1:9464, or off"),
        }
    }
}

impl MetricsAddress {
    /// Listens there. A program is worth running without its metrics, so an address that is taken is a warning.
    pub async fn listen(self) -> Option<TcpListener> {
        let Self::At(address) = self else { return None };
        let bound = TcpListener::bind(address).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
        match bound {
            Ok((address, listener)) => {
                tracing::info!(event = "metrics_listening", %address);
                Some(listener)
            }
            Err(error) => {
                tracing::warn!(event = "metrics_not_listening", setting = "METRICS_ADDR", %address, %error);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_or_off() {
        assert_eq!("off".parse(), Ok(MetricsAddress::Off));
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        assert_eq!("127.0.0.1:0".parse(), Ok(MetricsAddress::At(address)));
        for wrong in ["", "no", "9464", "127.0.0.1", ":9464", "localhost:9464"] {
            assert!(wrong.parse::<MetricsAddress>().is_err(), "{wrong}");
        }
    }
}
