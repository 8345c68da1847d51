//! Jobs, workers and what these did with those.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::ledger::connection::RedisConnection;
use common::queue::job::SendOtp;
use common::queue::{Depth, NAMES, NewJob, depth, enqueue};
use common::runtime::clock::Clock;
use redis::Commands;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use ulid::Ulid;
use worker::queue::runner::{RunnerSettings, run};

use crate::support::app::SOON;
use crate::support::eventually;
use crate::support::redis_server::Redis;

/// The queue of a test.
pub(crate) struct Queue {
    pub(crate) server: Redis,
    pub(crate) connection: RedisConnection,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self::on(Redis::start())
    }

    pub(crate) fn on(server: Redis) -> Self {
        let connection = redis(&server).connection(SOON);
        Self { server, connection }
    }

    /// Adds a job for each delivery, in this order, as the OTP ledger does.
    pub(crate) async fn enqueue(&self, deliveries: impl IntoIterator<Item = String>) {
        self.add(deliveries.into_iter().map(|delivery| (delivery, None))).await;
    }

    /// Plans a retry for each delivery, due at that Unix time in ms.
    pub(crate) async fn plan(&self, deliveries: impl IntoIterator<Item = (String, i64)>) {
        self.add(deliveries.into_iter().map(|(delivery, due_at)| (delivery, Some(due_at)))).await;
    }

    async fn add(&self, deliveries: impl Iterator<Item = (String, Option<i64>)>) {
        let jobs: Vec<NewJob> = deliveries
            .map(|(delivery, due_at)| NewJob {
                id: Ulid::generate().to_string(),
                payload: payload(&delivery),
                due_at,
            })
            .collect();
        for jobs in jobs.chunks(1_000) {
            enqueue(&mut self.connection.clone(), common::queue::Queue::Sms, jobs).await.unwrap();
        }
    }

    pub(crate) async fn depth(&self) -> Depth {
        depth(&mut self.connection.clone()).await.unwrap()
    }

    /// The workers that others take for alive, sorted.
    pub(crate) fn workers(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.server.connection().zrange(&NAMES.workers, 0, -1).unwrap();
        names.sort();
        names
    }

    /// Waits until `count` workers are registered; returns their names.
    pub(crate) async fn registered(&self, count: usize) -> Vec<String> {
        eventually(SOON, "the workers to register", async || {
            Some(self.workers()).filter(|names| names.len() == count)
        })
        .await
    }

    /// The keys that tell of jobs.
    pub(crate) fn keys_of_jobs(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.server.connection().keys("*").unwrap();
        keys.retain(|key| !about_workers(key));
        keys
    }

    /// Waits until nothing in Redis tells of any job: all have ended, and all was forgotten.
    pub(crate) async fn nothing_left(&self) {
        eventually(SOON, "every record of ended jobs to go", async || {
            self.keys_of_jobs().is_empty().then_some(())
        })
        .await;
    }
}

fn about_workers(key: &str) -> bool {
    key == NAMES.workers
        || key.starts_with(&NAMES.metadata_of(""))
        || key == "core:apalis:queues:list"
}

fn redis(server: &Redis) -> common::ledger::connection::Redis {
    common::ledger::connection::Redis::new(&server.url()).unwrap()
}

fn payload(delivery_id: &str) -> String {
    serde_json::json!({ "delivery_id": delivery_id }).to_string()
}

/// The deliveries `0`, `1`, `2`, ….
pub(crate) fn deliveries(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| number.to_string())
}

/// The default settings, with `jobs` at once and an orphan window of 3 s.
pub(crate) fn settings(jobs: u16) -> RunnerSettings {
    RunnerSettings {
        concurrency: jobs,
        heartbeat: Duration::from_secs(1),
        missed_heartbeats: 3,
        ..RunnerSettings::default()
    }
}

/// A worker process, as near as one comes to it inside a test: a runtime of its own, that can be
/// killed.
pub(crate) struct Worker {
    runtime: Option<Runtime>,
    stop: CancellationToken,
    run: JoinHandle<()>,
}

impl Worker {
    pub(crate) fn start<H, F>(queue: &Queue, settings: RunnerSettings, handler: H) -> Self
    where
        H: Fn(SendOtp) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::start_at(Clock::default(), queue, settings, handler)
    }

    pub(crate) fn start_at<H, F>(
        clock: Clock,
        queue: &Queue,
        settings: RunnerSettings,
        handler: H,
    ) -> Self
    where
        H: Fn(SendOtp) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let stop = CancellationToken::new();
        let (redis, until) = (redis(&queue.server), stop.clone());
        let run = runtime.spawn(async move {
            // The connection wants the runtime that it is to live on.
            run(&redis, settings, clock, handler, until).await;
        });
        Self { runtime: Some(runtime), stop, run }
    }

    /// Nothing of it runs on, and nothing is told to Redis.
    pub(crate) fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }

    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Stops it and waits for its end; returns how long that took.
    pub(crate) async fn stopped(mut self) -> Duration {
        let start = Instant::now();
        self.stop();
        tokio::time::timeout(SOON, &mut self.run).await.expect("the worker ends in time").unwrap();
        start.elapsed()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.run.is_finished()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Which deliveries were begun and which were ended, how often and when.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    begun: Vec<(String, Instant)>,
    ended: HashMap<String, usize>,
}

impl Log {
    pub(crate) fn begin(&self, job: &SendOtp) {
        self.0.lock().unwrap().begun.push((job.delivery_id.clone(), Instant::now()));
    }

    pub(crate) fn end(&self, job: &SendOtp) {
        *self.0.lock().unwrap().ended.entry(job.delivery_id.clone()).or_default() += 1;
    }

    /// The deliveries in the order in which they were begun.
    pub(crate) fn begun(&self) -> Vec<String> {
        self.0.lock().unwrap().begun.iter().map(|(delivery, _)| delivery.clone()).collect()
    }

    /// When this delivery was begun first.
    pub(crate) fn begun_at(&self, delivery: &str) -> Option<Instant> {
        self.0.lock().unwrap().begun.iter().find(|(begun, _)| begun == delivery).map(|&(_, at)| at)
    }

    /// How many deliveries were ended.
    pub(crate) fn ended(&self) -> usize {
        self.0.lock().unwrap().ended.len()
    }

    pub(crate) async fn wait_for_begun(&self, count: usize) {
        eventually(SOON, &format!("{count} jobs to begin"), async || {
            (self.begun().len() >= count).then_some(())
        })
        .await;
    }

    pub(crate) async fn wait_for_ended(&self, count: usize) {
        eventually(SOON, &format!("{count} jobs to end"), async || {
            (self.ended() >= count).then_some(())
        })
        .await;
    }

    /// Fails unless each of the deliveries `0` to `count - 1` was begun and ended once.
    pub(crate) fn each_ran_once(&self, count: usize) {
        let entries = self.0.lock().unwrap();
        assert_eq!(entries.begun.len(), count, "jobs begun");
        assert_eq!(entries.ended.len(), count, "different jobs ended");
        assert!(entries.ended.values().all(|&times| times == 1), "a job ended more than once");
    }
}

/// A handler that takes `time` for each job and writes both ends into `log`.
pub(crate) fn taking(
    time: Duration,
    log: &Log,
) -> impl Fn(SendOtp) -> BoxedJob + Clone + Send + Sync + 'static {
    let log = log.clone();
    move |job| {
        let log = log.clone();
        Box::pin(async move {
            log.begin(&job);
            if !time.is_zero() {
                tokio::time::sleep(time).await;
            }
            log.end(&job);
        })
    }
}

pub(crate) type BoxedJob = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
