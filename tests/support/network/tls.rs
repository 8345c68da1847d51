//! Certificate authorities and certificates of the test's own, and servers that show them.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use common::runtime::clock::Clock;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use redis::RedisResult;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement, TryGetable,
};
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::support::app::SOON;
use crate::support::redis_server::Redis;
use crate::support::{eventually, free_port};

/// A certificate authority, with its certificates as files in a folder of its own.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    /// Makes one of that name, which nobody else believes.
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// Its own certificate: what clients are told to believe.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for `host`, good from yesterday to tomorrow.
    pub(crate) fn certificate_for(&self, host: &str) -> Certificate {
        self.certificate(host, "good", Clock::default().now() + time::Duration::DAY)
    }

    /// A certificate for `host` that ended yesterday.
    pub(crate) fn expired_certificate_for(&self, host: &str) -> Certificate {
        self.certificate(host, "expired", Clock::default().now() - time::Duration::DAY)
    }

    fn certificate(&self, host: &str, name: &str, end: OffsetDateTime) -> Certificate {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, host);
        params.not_before = end - 2 * time::Duration::DAY;
        params.not_after = end;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |kind: &str| self.folder.path().join(format!("{name}-{host}.{kind}.pem"));
        let made = Certificate { chain: file("chain"), key: file("key") };
        std::fs::write(&made.chain, certificate.pem()).unwrap();
        std::fs::write(&made.key, key.serialize_pem()).unwrap();
        made
    }
}

/// Makes a Redis answer by TLS too, on a port of its own, and show this certificate to new
/// connections; returns the port.
///
/// # Panics
/// This Redis was compiled without TLS, so nothing can be said about TLS on this machine.
pub(crate) fn redis_shows(redis: &Redis, certificate: &Certificate) -> u16 {
    let (chain, key) = (certificate.chain.to_str().unwrap(), certificate.key.to_str().unwrap());
    let files = [("tls-cert-file", chain), ("tls-key-file", key), ("tls-ca-cert-file", chain)];
    let shown = set(redis, &files).and_then(|()| match tls_port(redis)? {
        0 => {
            let port = free_port();
            set(redis, &[("tls-auth-clients", "no"), ("tls-port", &port.to_string())])?;
            Ok(port)
        }
        // It has read the new ones already.
        port => Ok(port),
    });
    // One that was compiled without TLS does not know the settings, or ends itself over them.
    shown.unwrap_or_else(|error| {
        panic!(
            "this redis-server cannot speak TLS ({error}), which this test is about: install one that can, such as \
             Debian's, and name it in TEST_REDIS_SERVER"
        )
    })
}

fn tls_port(redis: &Redis) -> RedisResult<u16> {
    let (_, port): (String, u16) =
        redis::cmd("CONFIG").arg("GET").arg("tls-port").query(&mut redis.connection())?;
    Ok(port)
}

fn set(redis: &Redis, settings: &[(&str, &str)]) -> RedisResult<()> {
    let mut command = redis::cmd("CONFIG");
    command.arg("SET");
    for (name, value) in settings {
        command.arg(name).arg(value);
    }
    command.exec(&mut redis.connection())
}

/// Makes the Postgres server behind `url`, which is the test's own, show this certificate to new
/// connections.
pub(crate) async fn postgres_shows(url: &str, certificate: &Certificate) {
    let data: String = ask_postgres(url, "SHOW data_directory").await;
    for (file, name) in [(&certificate.chain, "server.crt"), (&certificate.key, "server.key")] {
        give(file, Path::new(&data), name);
    }
    let loaded: f64 = ask_postgres(url, LOADED_AT).await;
    for statement in ["ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"] {
        let connection = connect(url).await;
        connection.execute_unprepared(statement).await.unwrap();
        connection.close().await.unwrap();
    }
    eventually(SOON, "a Postgres with its new certificate", async || {
        (ask_postgres::<f64>(url, LOADED_AT).await > loaded).then_some(())
    })
    .await;
}

const LOADED_AT: &str = "SELECT extract(epoch FROM pg_conf_load_time())::float8";

/// Postgres reads only what belongs to the user that it runs as.
fn give(file: &Path, data: &Path, name: &str) {
    let copy = data.join(name);
    std::fs::copy(file, &copy).unwrap();
    std::fs::set_permissions(&copy, Permissions::from_mode(0o600)).unwrap();
    let owner = std::fs::metadata(data).unwrap();
    chown(&copy, Some(owner.uid()), Some(owner.gid())).unwrap();
}

/// The first column of the first row, over a connection of its own.
pub(crate) async fn ask_postgres<T: TryGetable>(url: &str, sql: &str) -> T {
    let connection = connect(url).await;
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.unwrap().unwrap();
    connection.close().await.unwrap();
    row.try_get_by_index(0).unwrap()
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false).idle_timeout(None).max_lifetime(None);
    Database::connect(options).await.unwrap()
}
