//! Jobs about files of users, in a queue of their own: neither a slow object store nor many files are
//! in the way of SMS.

mod sweep;

use std::sync::Arc;
use std::time::Duration;

use common::accounts::Accounts;
use common::files::FileStorage;
use common::ledger::connection::{Redis, RedisConnection};
use common::ledger::file_sweeps::FileSweeps;
use common::queue::job::FileJob;
use common::queue::{NewJob, Queue, enqueue};
use common::runtime::clock::Clock;
use redis::RedisResult;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use ulid::Ulid;

use crate::pictures::maker::PictureMaker;
use crate::queue::runner::{self, RunnerSettings};
use crate::warn_once::WarnOnce;

/// Jobs at once of one worker.
const CONCURRENCY: u16 = 4;
/// Between looks whether it is time to sweep.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A sweep that has said nothing for so long is given up, and another begins.
const SWEEP_LEASE: Duration = Duration::from_secs(5 * 60);

/// What does them.
#[derive(Clone, Debug)]
pub struct FileKeeper {
    pub accounts: Accounts,
    pub storage: FileStorage,
    pub sweeps: FileSweeps,
    pub redis: RedisConnection,
    /// How long an upload may stand still.
    pub expiry: Duration,
    /// Between two sweeps.
    pub sweep_every: Duration,
    pub clock: Clock,
}

impl FileKeeper {
    /// Does jobs until `stop`, then ends what runs.
    pub async fn run(self, redis: &Redis, shutdown_deadline: Duration, stop: CancellationToken) {
        let _feed = AbortOnDropHandle::new(tokio::spawn(self.clone().feed()));
        let settings = RunnerSettings {
            queue: Queue::Files,
            concurrency: CONCURRENCY,
            shutdown_deadline,
            ..RunnerSettings::default()
        };
        let clock = self.clock.clone();
        let maker = PictureMaker {
            accounts: self.accounts.clone(),
            storage: self.storage.clone(),
            redis: self.redis.clone(),
            clock: clock.clone(),
            turn: Arc::new(Semaphore::new(1)),
        };
        let _pictures = AbortOnDropHandle::new(tokio::spawn(maker.clone().feed()));
        let handler = move |job: FileJob| {
            let (keeper, maker) = (self.clone(), maker.clone());
            async move {
                match job {
                    FileJob::Sweep { sweep } => keeper.sweep(&sweep).await,
                    FileJob::MakePicture { id, lease } => maker.make(&id, lease).await,
                }
            }
        };
        runner::run(redis, settings, clock, handler, stop).await;
    }

    /// Adds a sweep to the queue now and then. Never ends.
    async fn feed(self) {
        let mut failing = WarnOnce::default();
        loop {
            let fed = self.begin_sweep().await;
            failing.note(&fed, |error| tracing::warn!(event = "sweep_not_queued", %error));
            sleep(LOOK_EVERY).await;
        }
    }

    async fn begin_sweep(&self) -> RedisResult<()> {
        let sweep = Ulid::generate().to_string();
        if !self.sweeps.begin(&sweep, SWEEP_LEASE).await? {
            return Ok(());
        }
        let job = NewJob::now(&FileJob::Sweep { sweep });
        enqueue(&mut self.redis.clone(), Queue::Files, &[job]).await
    }
}
