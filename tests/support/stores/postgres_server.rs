//! A Postgres server of the test's own, which it may stop.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use super::database::{column, connect};
use crate::support::{eventually, free_port, signal};

/// Starts a cluster as `bin/test` does, as another user where this is root.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/support/stores/postgres.sh");

/// A server on a free port of 127.0.0.1, with its data in a folder of its own. It ends when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct PostgresServer {
    port: u16,
    connections: u16,
    child: Option<Child>,
    folder: TempDir,
}

impl PostgresServer {
    /// Makes a cluster and starts its server, which takes that many connections.
    pub(crate) fn start(connections: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made =
            Command::new("bash").arg(SCRIPT).arg("init").arg(folder.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = Self { port: free_port(), connections, child: None, folder };
        server.start_again();
        server
    }

    /// A server that follows `primary`, which is stopped for a moment to be copied.
    pub(crate) fn start_standby_of(primary: &mut Self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        primary.stop();
        let copied = Command::new("bash")
            .arg(SCRIPT)
            .arg("copy")
            .args([primary.folder.path(), folder.path()])
            .arg(primary.port.to_string())
            .output()
            .unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        primary.start_again();
        let connections = primary.connections;
        let mut standby = Self { port: free_port(), connections, child: None, folder };
        standby.start_again();
        standby
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database that is always there.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Waits until a standby has all that its primary wrote.
    pub(crate) async fn has_all_of(&self, primary: &Self) {
        let written = "SELECT pg_current_wal_lsn()::text";
        let written: String = column(&primary.url(), written).await.remove(0);
        eventually(Duration::from_secs(20), "a standby that has everything", async || {
            let has = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
            column::<bool>(&self.url(), &has).await.remove(0).then_some(())
        })
        .await;
    }

    pub(crate) async fn promote(&self) {
        assert_eq!(column::<bool>(&self.url(), "SELECT pg_promote()").await, [true]);
    }

    /// Takes no writes any more, and keeps its connections.
    pub(crate) async fn becomes_read_only(&self) {
        let connection = connect(&self.url()).await;
        let sql = "ALTER SYSTEM SET default_transaction_read_only = on";
        connection.execute_unprepared(sql).await.unwrap();
        connection.execute_unprepared("SELECT pg_reload_conf()").await.unwrap();
        connection.close().await.unwrap();
    }

    /// Ends the server, and with it all its connections.
    pub(crate) fn stop(&mut self) {
        self.end("INT");
    }

    /// Starts the stopped server, at its old address.
    pub(crate) fn start_again(&mut self) {
        let arguments = [self.port.to_string(), self.connections.to_string()];
        let mut command = Command::new("bash");
        command.arg(SCRIPT).arg("run").arg(self.folder.path()).args(arguments);
        self.child = Some(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.lock_file().is_none_or(|file| {
            !file.lines().any(|line| ["ready", "standby"].contains(&line.trim()))
        }) {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "Postgres does not start: {ended:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the server writes about itself while it runs.
    fn lock_file(&self) -> Option<String> {
        std::fs::read_to_string(self.folder.path().join("data/postmaster.pid")).ok()
    }

    fn end(&mut self, how: &str) {
        if let Some(mut child) = self.child.take() {
            if let Some(pid) = self.lock_file().and_then(|file| file.lines().next()?.parse().ok()) {
                signal(pid, how);
            }
            child.wait().unwrap();
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.end("QUIT");
        // What `initdb` said is beside the folder.
        let _ = std::fs::remove_file(self.folder.path().with_extension("log"));
    }
}
