//! Where everything is measured: one Redis, one PostgreSQL with a database for each program, one
//! fake provider.

use std::env;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};

use crate::fake_provider::FakeProvider;
use crate::http::{free_port, until_it_answers};
use crate::process::{Process, Settings};
use crate::stores::Stores;

/// Of all loads but those that look at what more of them do.
pub(crate) const CONNECTIONS: u32 = 32;

const OTP_SECRET: &str = "a-secret-of-the-benchmark-3f9a41c07be25d68";

/// Checked with every request, and never reached.
const LIMITS: [&str; 12] = [
    "SENDS_PER_NUMBER_HOUR",
    "SENDS_PER_NUMBER_DAY",
    "SENDS_PER_ADDRESS_HOUR",
    "SENDS_PER_NETWORK_HOUR",
    "SENDS_PER_RANGE_HOUR",
    "SENDS_PER_COUNTRY_HOUR",
    "SENDS_PER_FOREIGN_COUNTRY_HOUR",
    "SENDS_PER_HOUR",
    "WRONG_GUESSES_PER_HOUR",
    "WRONG_GUESSES_PER_ADDRESS_HOUR",
    "WRONG_GUESSES_PER_NUMBER_HOUR",
    "WRONG_GUESSES_PER_NUMBER_DAY",
];

/// What is there while measurements run.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) folder: PathBuf,
    pub(crate) redis: MultiplexedConnection,
    pub(crate) stores: Stores,
    pub(crate) provider: FakeProvider,
    pub(crate) redis_url: String,
    pub(crate) product_database: String,
    floor_database: String,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) port: u16,
}

impl Stage {
    /// Takes over what `bin/bench` has started: an empty Redis and an empty PostgreSQL server.
    pub(crate) async fn prepare() -> anyhow::Result<Self> {
        let setting = |name: &str| {
            env::var(name).with_context(|| format!("{name} is not set: run bin/bench"))
        };
        let redis_url = setting("BENCH_REDIS_URL")?;
        let server = setting("BENCH_POSTGRES_URL")?;
        // Emptying it may take seconds.
        let patience =
            AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(60)));
        let redis = redis::Client::open(redis_url.as_str())?;
        let redis = redis.get_multiplexed_async_connection_with_config(&patience).await?;
        let maintenance = Database::connect(format!("{server}/postgres")).await?;
        for name in ["product", "floor"] {
            maintenance.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
        }
        let stores = Stores::find(redis.clone(), &format!("{server}/postgres")).await?;
        let stage = Self {
            folder: setting("BENCH_FOLDER")?.into(),
            redis,
            stores,
            provider: FakeProvider::start().await?,
            redis_url,
            product_database: format!("{server}/product"),
            floor_database: format!("{server}/floor"),
        };
        stage.migrate().await?;
        Ok(stage)
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        let program = env::current_exe()?.with_file_name("migration");
        let migrated = tokio::process::Command::new(program)
            .arg("up")
            .env("DATABASE_URL", &self.product_database)
            .current_dir(&self.folder)
            .status()
            .await?;
        ensure!(migrated.success(), "the database cannot be migrated");
        Ok(())
    }

    /// Forgets all that is in Redis.
    pub(crate) async fn empty_redis(&self) -> anyhow::Result<()> {
        redis::cmd("FLUSHALL").exec_async(&mut self.redis.clone()).await?;
        Ok(())
    }

    /// What both programs are told: production's settings, and limits that are far away.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::from(LIMITS.map(|name| (name, "1000000000".to_owned())));
        settings.extend([
            ("APP_ENV", "production".to_owned()),
            ("OTP_SECRET", OTP_SECRET.to_owned()),
            ("REDIS_URL", self.redis_url.clone()),
            ("DATABASE_URL", self.product_database.clone()),
            ("TRUSTED_PROXIES", "none".to_owned()),
            ("SEND_COOLDOWN_SECONDS", "1".to_owned()),
            ("METRICS_ADDR", "127.0.0.1:0".to_owned()),
            ("SMS_PROVIDERS", "twilio".to_owned()),
            ("TWILIO_SID", "AC00000000000000000000000000000000".to_owned()),
            ("TWILIO_API_KEY", "secret".to_owned()),
            ("TWILIO_PHONE_NUMBER", "+15005550006".to_owned()),
            ("TWILIO_BASE_URL", self.provider.url()),
        ]);
        settings
    }

    /// Starts the API, with `more` settings.
    pub(crate) async fn api(&self, more: Settings) -> anyhow::Result<Server> {
        let mut settings = self.settings();
        settings.extend(more);
        self.listening("api", &[], settings).await
    }

    pub(crate) async fn floor(&self) -> anyhow::Result<Server> {
        let settings = Settings::from([
            ("REDIS_URL", self.redis_url.clone()),
            ("DATABASE_URL", self.floor_database.clone()),
        ]);
        self.listening("floor", &["serve"], settings).await
    }

    async fn listening(
        &self,
        program: &str,
        arguments: &[&str],
        mut settings: Settings,
    ) -> anyhow::Result<Server> {
        let port = free_port()?;
        settings.insert("PORT", port.to_string());
        let process = Process::start(program, arguments, &settings, &self.folder)?;
        until_it_answers(&format!("http://127.0.0.1:{port}/healthz")).await?;
        Ok(Server { process, port })
    }

    /// Starts a worker and waits until it works.
    pub(crate) async fn worker(&self, concurrency: u32) -> anyhow::Result<Server> {
        let port = free_port()?;
        let mut settings = self.settings();
        settings.insert("METRICS_ADDR", format!("127.0.0.1:{port}"));
        settings.insert("WORKER_CONCURRENCY", concurrency.to_string());
        let process = Process::start("worker", &[], &settings, &self.folder)?;
        until_it_answers(&format!("http://127.0.0.1:{port}/healthz")).await?;
        Ok(Server { process, port })
    }

    /// Starts a program whose `port_setting` says where it answers `/readyz`; says how long that
    /// took.
    pub(crate) async fn time_to_ready(
        &self,
        program: &str,
        port_setting: &'static str,
    ) -> anyhow::Result<Duration> {
        let port = free_port()?;
        let mut settings = self.settings();
        let address =
            if port_setting == "PORT" { port.to_string() } else { format!("127.0.0.1:{port}") };
        settings.insert(port_setting, address);
        let start = Instant::now();
        let process = Process::start(program, &[], &settings, &self.folder)?;
        until_it_answers(&format!("http://127.0.0.1:{port}/readyz")).await?;
        let time = start.elapsed();
        process.stop()?;
        Ok(time)
    }

    /// The version of the database server.
    pub(crate) async fn postgres_version(&self) -> anyhow::Result<String> {
        let database = Database::connect(&self.product_database).await?;
        let row = database
            .query_one_raw(Statement::from_string(DbBackend::Postgres, "SHOW server_version"))
            .await?;
        Ok(row.context("no version")?.try_get_by_index(0)?)
    }

    /// Says what is measured now.
    #[expect(clippy::print_stderr, reason = "people wait for it")]
    pub(crate) fn say(&self, what: &str) {
        eprintln!("   {what}");
    }
}

/// The length of each load.
pub(crate) const LOAD_TIME: Duration = Duration::from_secs(5);

/// The secret that opens the codes.
pub(crate) fn otp_keys() -> anyhow::Result<common::crypto::otp_keys::OtpKeys> {
    Ok(common::crypto::otp_keys::OtpKeys::derive(OTP_SECRET)?)
}
