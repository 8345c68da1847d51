//! Compares what the clients were told with what the provider got.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};

use crate::support::app::App;

/// An SMS that the API has promised.
#[derive(Clone, Debug)]
pub(crate) struct Promise {
    pub(crate) number: String,
    /// The delivery's id.
    pub(crate) id: String,
    /// Just before the API was asked.
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
}

/// How all of them ended.
#[derive(Debug)]
pub(crate) struct Reconciliation {
    /// How many have each status, with its reason.
    pub(crate) ends: BTreeMap<String, usize>,
    /// SMS beyond the first of a delivery.
    pub(crate) duplicates: usize,
    /// Deliveries of which a worker said that an SMS may be repeated.
    pub(crate) announced: usize,
    /// The ids of events of those that will not arrive.
    pub(crate) undelivered: BTreeSet<String>,
    /// From the question to the first try that was accepted, sorted.
    pub(crate) latencies: Vec<Duration>,
}

impl Reconciliation {
    /// Draws them up when every delivery has ended, and fails unless
    ///
    /// - what was sent is told as sent, or as something that nobody knows;
    /// - what is told as sent was sent;
    /// - everything else ended with a reason;
    /// - nothing reached the provider after its code's end, `ttl` after it was asked for;
    /// - what was sent twice was announced as such.
    pub(crate) async fn draw(app: &App, promises: &[Promise], ttl: Duration) -> Self {
        let client = app.keep_alive(0);
        let announced: HashSet<String> = app
            .worker_events("sms_may_repeat")
            .iter()
            .map(|event| event["delivery_id"].as_str().unwrap().to_owned())
            .collect();
        let paths: Vec<String> =
            promises.iter().map(|promise| format!("/deliveries/{}", promise.id)).collect();
        let told: Vec<_> =
            stream::iter(&paths).map(|path| client.get(path, None)).buffered(16).collect().await;

        let mut accounts = Self {
            ends: BTreeMap::new(),
            duplicates: 0,
            announced: announced.len(),
            undelivered: BTreeSet::new(),
            latencies: Vec::new(),
        };
        for (promise, told) in promises.iter().zip(told) {
            let told = told.expect(200).body;
            let (status, reason) =
                (told["status"].as_str().unwrap(), told["reason"].as_str().unwrap_or_default());
            *accounts.ends.entry(format!("{status} {reason}").trim().to_owned()).or_default() += 1;
            if status == "failed" || reason == "expired" {
                accounts.undelivered.insert(format!("sms_{}", promise.id));
            }
            let tries = app.twilio.tries(&promise.number);
            let accepted: Vec<_> = tries.iter().filter(|sms| sms.accepted).collect();
            match status {
                "sent" => {
                    assert!(!accepted.is_empty(), "told as sent, and never accepted: {promise:?}")
                }
                "failed" if reason == "no_answer" => {}
                "failed" | "dropped" => {
                    assert!(
                        !reason.is_empty() && accepted.is_empty(),
                        "{told}, but accepted: {promise:?}"
                    );
                }
                _ => panic!("not an end: {told}"),
            }
            assert!(
                tries.iter().all(|sms| sms.at < promise.answered + ttl),
                "tried after its end: {promise:?}"
            );
            if accepted.len() > 1 {
                assert!(
                    announced.contains(&promise.id),
                    "sent {} times, unannounced: {promise:?}",
                    accepted.len()
                );
                accounts.duplicates += accepted.len() - 1;
            }
            accounts.latencies.extend(accepted.first().map(|sms| sms.at - promise.asked));
        }
        accounts.latencies.sort_unstable();
        accounts
    }

    /// How many were told so.
    pub(crate) fn told(&self, end: &str) -> usize {
        self.ends.get(end).copied().unwrap_or_default()
    }

    /// The time within which that part of those that were sent reached the provider.
    pub(crate) fn quantile(&self, part: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let index = ((self.latencies.len() - 1) as f64 * part) as usize;
        self.latencies[index]
    }
}

/// Numbers that were accepted without having been promised, with how often.
pub(crate) fn unpromised(app: &App, promises: &[Promise]) -> HashMap<String, usize> {
    let promised: HashSet<&str> = promises.iter().map(|promise| promise.number.as_str()).collect();
    let counts = app.twilio.counts().into_iter().map(|(number, (_, accepted))| (number, accepted));
    counts
        .filter(|(number, accepted)| *accepted > 0 && !promised.contains(number.as_str()))
        .collect()
}
