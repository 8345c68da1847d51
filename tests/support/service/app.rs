//! The whole service: API and worker processes over one Redis, one database and one fake of Twilio.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::client::{Answer, Client};
use crate::support::database::Database;
use crate::support::eventually;
use crate::support::fake_twilio::{self, FakeTwilio};
use crate::support::process::Process;
use crate::support::redis_server::Redis;
use crate::support::settings::{OTP_SECRET, Settings, limits};
use crate::support::tcp_proxy::TcpProxy;

/// How long a program may take to start, or an SMS to be sent, on a busy machine. Nothing is
/// measured by this.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The service, running. Everything ends when this is dropped: first the processes, then what they
/// stand on.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) apis: Vec<Process>,
    pub(crate) workers: Vec<Process>,
    pub(crate) twilio: FakeTwilio,
    pub(crate) redis: Redis,
    pub(crate) database: Database,
    pub(crate) settings: Settings,
    /// No file that an API process writes, from its start on, grows over so many blocks of 512
    /// bytes.
    pub(crate) file_limit: Option<u32>,
    clients: Vec<Client>,
    folder: TempDir,
}

/// What an [`App`] is made of.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    apis: usize,
    workers: usize,
    append_only: bool,
    cluster: bool,
    postgres: Option<String>,
    settings: Settings,
    missing: Vec<String>,
}

impl Plan {
    /// One API and one worker, all limits off.
    pub(crate) fn new() -> Self {
        Self {
            apis: 1,
            workers: 1,
            append_only: false,
            cluster: false,
            postgres: None,
            settings: limits(0),
            missing: Vec::new(),
        }
    }

    pub(crate) fn apis(mut self, count: usize) -> Self {
        self.apis = count;
        self
    }

    pub(crate) fn workers(mut self, count: usize) -> Self {
        self.workers = count;
        self
    }

    /// Redis writes an append-only file.
    pub(crate) fn append_only(mut self) -> Self {
        self.append_only = true;
        self
    }

    /// Redis is a cluster of one shard.
    pub(crate) fn cluster(mut self) -> Self {
        self.cluster = true;
        self
    }

    /// The database is in that Postgres, whatever `TEST_DATABASE` says.
    pub(crate) fn in_postgres(mut self, server: &str) -> Self {
        self.postgres = Some(server.to_owned());
        self
    }

    /// One setting of all programs.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// All limits at that value; 0 is off.
    pub(crate) fn limits(mut self, value: u32) -> Self {
        self.settings.extend(limits(value));
        self
    }

    /// Takes one setting away from all programs.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.missing.push(name.to_owned());
        self
    }

    /// Starts all of it and waits until it is ready.
    pub(crate) async fn start(self) -> App {
        let redis = match (self.append_only, self.cluster) {
            (_, true) => Redis::start_cluster(1).remove(0),
            (true, false) => Redis::start_append_only(),
            (false, false) => Redis::start(),
        };
        let twilio = FakeTwilio::start().await;
        let database = match &self.postgres {
            Some(server) => Database::create_in(server).await,
            None => Database::create().await,
        };
        let mut settings = settings_of(&redis, &database, &twilio);
        settings.extend(self.settings);
        settings.retain(|name, _| !self.missing.contains(name));
        let mut app = App {
            apis: Vec::new(),
            workers: Vec::new(),
            twilio,
            redis,
            database,
            settings,
            clients: Vec::new(),
            file_limit: None,
            folder: tempfile::tempdir().unwrap(),
        };
        app.migrate().await;
        for _ in 0..self.apis {
            app.start_api().await;
        }
        for _ in 0..self.workers {
            app.start_worker().await;
        }
        app
    }
}

impl App {
    /// One API and one worker, all limits off.
    pub(crate) async fn start() -> Self {
        Plan::new().start().await
    }

    /// A folder for the processes' output and working directory.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts one more API process and waits until it listens.
    pub(crate) async fn start_api(&mut self) {
        let name = format!("api-{}", self.apis.len() + 1);
        let mut api =
            Process::spawn_limited(&name, "api", self.file_limit, &self.settings, self.folder());
        let listening = api.wait_for_event("listening", SOON).await;
        let address = listening["address"].as_str().expect("an address");
        self.clients.push(Client::new(address));
        self.apis.push(api);
    }

    /// Starts one more worker process and waits until it works.
    pub(crate) async fn start_worker(&mut self) {
        let mut worker = self.spawn_worker();
        worker.wait_for_event("worker_started", SOON).await;
        self.workers.push(worker);
    }

    /// Starts what `start` starts with a Redis that it reaches only by `proxy`.
    pub(crate) async fn behind(&mut self, proxy: &TcpProxy, start: impl AsyncFnOnce(&mut Self)) {
        let direct = self.settings.clone();
        self.settings.insert("REDIS_URL".to_owned(), proxy.redis_url());
        start(self).await;
        self.settings = direct;
    }

    /// Starts a worker process that is not yet one of the app's, and does not wait for it.
    pub(crate) fn spawn_worker(&self) -> Process {
        let name = format!("worker-{}", self.workers.len() + 1);
        Process::spawn(&name, "worker", &[], &self.settings, self.folder())
    }

    /// A client of that API process, that keeps its connections.
    pub(crate) fn keep_alive(&self, api: usize) -> Client {
        Client::keep_alive(self.clients[api].address())
    }

    /// A client of that API process.
    pub(crate) fn client_of(&self, api: usize) -> &Client {
        &self.clients[api]
    }

    /// A client of the first API process.
    pub(crate) fn client(&self) -> &Client {
        &self.clients[0]
    }

    /// Clients of the API processes, in turn.
    pub(crate) fn clients_in_turn(&self) -> impl Iterator<Item = Client> {
        self.clients.iter().cycle().cloned()
    }

    /// Asks for an OTP and waits for the SMS; returns the OTP.
    pub(crate) async fn code_for(&self, name: &str, number: &str) -> String {
        let before = self.twilio.accepted(number).len();
        self.client().ask(name, number).await.expect(200);
        let sms = self.twilio.wait_for_sms(number, before + 1, SOON).await;
        sms[before].code()
    }

    /// Asks for an OTP; returns the delivery's id.
    pub(crate) async fn ask(&self, number: &str) -> String {
        let asked = self.client().ask("Asha", number).await.expect(200);
        asked.body["delivery_id"].as_str().expect("a delivery").to_owned()
    }

    /// What the API says of a delivery that it knows.
    pub(crate) async fn delivery(&self, id: &str) -> Value {
        self.client().get(&format!("/deliveries/{id}"), None).await.expect(200).body
    }

    /// Waits until a delivery has a status; returns what the API says of it then.
    pub(crate) async fn delivery_is(&self, id: &str, status: &str, within: Duration) -> Value {
        let mut last = Value::Null;
        let deadline = Instant::now() + within;
        while last["status"] != status {
            assert!(
                Instant::now() < deadline,
                "waited {within:?} in vain for a delivery that is {status}: {last}"
            );
            last = self.delivery(id).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        last
    }

    /// What `worker dead-letters --json` prints.
    pub(crate) async fn dead_letters(&self) -> Vec<Value> {
        let arguments = ["dead-letters", "--json"];
        let mut program =
            Process::spawn("dead-letters", "worker", &arguments, &self.settings, self.folder());
        let status = program.ended(SOON).await;
        assert!(status.success(), "{status}: {}", program.stderr());
        serde_json::from_str(&program.stdout()).unwrap()
    }

    /// The fields of every log line of all workers so far whose event is `name`.
    pub(crate) fn worker_events(&self, name: &str) -> Vec<Value> {
        self.workers.iter().flat_map(|worker| worker.events(name)).collect()
    }

    /// Signs in from beginning to end; returns what the last step was answered.
    pub(crate) async fn sign_in(&self, name: &str, number: &str) -> Answer {
        let code = self.code_for(name, number).await;
        self.client().verify(number, &code).await.expect(200)
    }

    /// All that the processes wrote so far.
    pub(crate) fn logs(&self) -> String {
        let processes = self.apis.iter().chain(&self.workers);
        processes.map(Process::log).collect()
    }

    /// Waits until every job has ended and Redis holds nothing of any of them.
    pub(crate) async fn no_job_is_left(&self, within: Duration) {
        let what = "an end of all jobs and their records";
        eventually(within, what, async || self.job_records().is_empty().then_some(())).await;
    }

    /// The keys in Redis that belong to jobs: all that never expire, but for the lists of workers
    /// and queues.
    pub(crate) fn job_records(&self) -> Vec<String> {
        let mut keys = self.redis.lasting_keys();
        // Files are swept now and then, whatever a test does.
        let is_other = |key: &str| key.contains(":workers") || key.contains("}:files:");
        keys.retain(|key| !is_other(key) && key != "core:apalis:queues:list");
        keys
    }

    /// Waits until the API gives an OTP again after an outage, and the SMS comes; returns the OTP.
    pub(crate) async fn code_after_outage(&self, name: &str, number: &str) -> String {
        let before = self.twilio.accepted(number).len();
        eventually(SOON, "an API that works again", async || {
            let asked = self.client().ask(name, number).await;
            assert!(asked.status == 200 || asked.status == 503, "{asked:?}");
            (asked.status == 200).then_some(())
        })
        .await;
        let sms = self.twilio.wait_for_sms(number, before + 1, SOON).await;
        sms[before].code()
    }

    async fn migrate(&self) {
        self.run_migration(&["up"]).await;
    }

    pub(crate) async fn run_migration(&self, arguments: &[&str]) {
        let mut migration =
            Process::spawn("migration", "migration", arguments, &self.settings, self.folder());
        let status = migration.ended(SOON).await;
        assert!(status.success(), "migration {arguments:?}: {status}: {}", migration.stderr());
    }
}

fn settings_of(redis: &Redis, database: &Database, twilio: &FakeTwilio) -> Settings {
    [
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("METRICS_ADDR", "127.0.0.1:0"),
        ("ADMIN_ADDR", "127.0.0.1:0"),
        ("DATABASE_URL", &database.url()),
        ("REDIS_URL", &redis.url()),
        ("OTP_SECRET", OTP_SECRET),
        ("TWILIO_SID", fake_twilio::ACCOUNT_SID),
        ("TWILIO_API_KEY", fake_twilio::API_KEY),
        ("TWILIO_PHONE_NUMBER", fake_twilio::SENDER),
        ("TWILIO_BASE_URL", &twilio.url()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}
