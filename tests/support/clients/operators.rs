//! What operators see of a process: its metrics, and what it says on its own address.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::app::SOON;
use crate::support::client::Client;
use crate::support::process::Process;

/// What a program tells: families by name, and samples.
#[derive(Debug, Default)]
pub(crate) struct Scraped {
    pub(crate) types: BTreeMap<String, String>,
    pub(crate) help: BTreeMap<String, String>,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Scraped {
    /// Of the text format 0.0.4.
    fn parse(text: &str) -> Self {
        let mut scraped = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(
                    scraped.help.insert(name.to_owned(), help.to_owned()).is_none(),
                    "twice: {line}"
                );
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(
                    scraped.types.insert(name.to_owned(), kind.to_owned()).is_none(),
                    "twice: {line}"
                );
            } else {
                scraped.samples.push(Sample::parse(line));
            }
        }
        scraped
    }

    /// The metric that a sample belongs to.
    pub(crate) fn family_of(&self, name: &str) -> &str {
        let is_histogram =
            |family: &str| self.types.get(family).is_some_and(|kind| kind == "histogram");
        let family =
            ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let family = family.filter(|family| is_histogram(family)).unwrap_or(name);
        let (family, _) =
            self.types.get_key_value(family).unwrap_or_else(|| panic!("{name} has no TYPE"));
        family
    }

    /// The sum of the samples of that name that have these labels.
    #[track_caller]
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).is_some_and(|l| l == value))
        };
        let found: Vec<f64> = self.samples.iter().filter(fits).map(|sample| sample.value).collect();
        assert!(!found.is_empty(), "no {name} with {labels:?}");
        found.iter().sum()
    }

    /// The names of all families.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.types.keys().map(String::as_str).collect()
    }
}

impl Sample {
    fn parse(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("no end of labels: {line}"));
        let labels = labels.split("\",").filter(|label| !label.is_empty()).map(|label| {
            let (key, value) =
                label.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            (key.to_owned(), value.trim_end_matches('"').to_owned())
        });
        Self { name: name.to_owned(), labels: labels.collect(), value }
    }
}

/// A client of what a process shows on its own address.
pub(crate) async fn operators_client(process: &mut Process) -> Client {
    let listening = process.wait_for_event("metrics_listening", SOON).await;
    Client::new(listening["address"].as_str().unwrap())
}

/// What a process tells now.
pub(crate) async fn scrape(process: &mut Process) -> Scraped {
    let answer = operators_client(process).await.get("/metrics", None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    Scraped::parse(&answer.text)
}
