//! Where everything is measured: one Redis, one PostgreSQL with a database for each program, one
//! fake provider, and the builds of the product that are measured.

use std::env;
use std::path::{Path, PathBuf};
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

pub(crate) const OTP_SECRET: &str = "a-secret-of-the-benchmark-3f9a41c07be25d68";

/// Checked with every request, and never reached.
const LIMITS: [&str; 13] = [
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
    "WRONG_GUESSES_PER_NETWORK_HOUR",
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
    /// What all is measured of.
    pub(crate) build: Build,
    /// An older one, in the folder that `BENCH_BEFORE` names.
    before: Option<Build>,
    floor_database: String,
}

/// The programs of one build, with a database of their own.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    pub(crate) name: &'static str,
    folder: PathBuf,
    pub(crate) database: String,
}

impl Build {
    fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
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
        for name in ["after", "before", "floor"] {
            maintenance.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
        }
        let build = |name, folder| Build { name, folder, database: format!("{server}/{name}") };
        let stores = Stores::find(redis.clone(), &format!("{server}/postgres")).await?;
        let stage = Self {
            folder: setting("BENCH_FOLDER")?.into(),
            redis,
            stores,
            provider: FakeProvider::start().await?,
            redis_url,
            build: build("after", own_folder()?),
            before: env::var_os("BENCH_BEFORE").map(|folder| build("before", folder.into())),
            floor_database: format!("{server}/floor"),
        };
        for build in stage.builds() {
            stage.migrate(build).await?;
        }
        Ok(stage)
    }

    /// The older build, if there is any, and this one.
    pub(crate) fn builds(&self) -> impl Iterator<Item = &Build> {
        self.before.iter().chain([&self.build])
    }

    async fn migrate(&self, build: &Build) -> anyhow::Result<()> {
        let migrated = tokio::process::Command::new(build.program("migration"))
            .arg("up")
            .env("DATABASE_URL", &build.database)
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

    /// Changes one of its settings.
    pub(crate) async fn configure_redis(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let mut redis = self.redis.clone();
        redis::cmd("CONFIG").arg("SET").arg(name).arg(value).exec_async(&mut redis).await?;
        Ok(())
    }

    /// What both programs are told: production's settings, and limits that are far away.
    fn settings(&self, build: &Build) -> Settings {
        let mut settings = Settings::from(LIMITS.map(|name| (name, "1000000000".to_owned())));
        settings.extend([
            ("APP_ENV", "production".to_owned()),
            ("OTP_SECRET", OTP_SECRET.to_owned()),
            ("REDIS_URL", self.redis_url.clone()),
            ("DATABASE_URL", build.database.clone()),
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

    /// Runs a program to its end; returns what it prints.
    pub(crate) async fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let ended = tokio::process::Command::new(self.build.program(program))
            .args(arguments)
            .env_clear()
            .envs(self.settings(&self.build))
            .current_dir(&self.folder)
            .output()
            .await?;
        ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        Ok(String::from_utf8(ended.stdout)?)
    }

    /// Starts the API, with `more` settings.
    pub(crate) async fn api(&self, more: Settings) -> anyhow::Result<Server> {
        self.api_of(&self.build, more).await
    }

    pub(crate) async fn api_of(&self, build: &Build, more: Settings) -> anyhow::Result<Server> {
        let mut settings = self.settings(build);
        settings.extend(more);
        self.listening(&build.program("api"), &[], settings).await
    }

    pub(crate) async fn floor(&self) -> anyhow::Result<Server> {
        let settings = Settings::from([
            ("REDIS_URL", self.redis_url.clone()),
            ("DATABASE_URL", self.floor_database.clone()),
        ]);
        self.listening(&own_folder()?.join("floor"), &["serve"], settings).await
    }

    async fn listening(
        &self,
        program: &Path,
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
        self.worker_of(&self.build, concurrency).await
    }

    pub(crate) async fn worker_of(
        &self,
        build: &Build,
        concurrency: u32,
    ) -> anyhow::Result<Server> {
        let port = free_port()?;
        let mut settings = self.settings(build);
        settings.insert("METRICS_ADDR", format!("127.0.0.1:{port}"));
        settings.insert("WORKER_CONCURRENCY", concurrency.to_string());
        let process = Process::start(&build.program("worker"), &[], &settings, &self.folder)?;
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
        let mut settings = self.settings(&self.build);
        let address =
            if port_setting == "PORT" { port.to_string() } else { format!("127.0.0.1:{port}") };
        settings.insert(port_setting, address);
        let start = Instant::now();
        let path = self.build.program(program);
        let process = Process::start(&path, &[], &settings, &self.folder)?;
        until_it_answers(&format!("http://127.0.0.1:{port}/readyz")).await?;
        let time = start.elapsed();
        process.stop()?;
        Ok(time)
    }

    /// The version of the database server.
    pub(crate) async fn postgres_version(&self) -> anyhow::Result<String> {
        let database = Database::connect(&self.build.database).await?;
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

fn own_folder() -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?;
    Ok(program.parent().context("no folder")?.to_owned())
}

/// The length of each load.
pub(crate) const LOAD_TIME: Duration = Duration::from_secs(5);

/// The secret that opens the codes.
pub(crate) fn otp_keys() -> anyhow::Result<common::crypto::otp_keys::OtpKeys> {
    Ok(common::crypto::otp_keys::OtpKeys::derive(OTP_SECRET)?)
}
