//! PgBouncer, a pooler in front of PostgreSQL.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{eventually, free_port, signal};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/support/stores/postgres.sh");

/// One on a free port of 127.0.0.1, with the settings that it comes with. It ends when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct PgBouncer {
    port: u16,
    child: Child,
    folder: TempDir,
}

impl PgBouncer {
    /// In front of a server's database `postgres`, in `session` or `transaction` mode.
    pub(crate) async fn start(server: u16, pool_mode: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let prepared = match has_prepared_statements() {
            true => "max_prepared_statements = 100",
            false => "",
        };
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={server} user=postgres\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npidfile = {0}/pid\npool_mode = {pool_mode}\n{prepared}\n",
            folder.path().display()
        );
        std::fs::write(folder.path().join("pgbouncer.ini"), settings).unwrap();
        let child = Command::new("bash")
            .arg(SCRIPT)
            .arg("pgbouncer")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let bouncer = Self { port, child, folder };
        eventually(Duration::from_secs(20), "PgBouncer", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(|_| ())
        })
        .await;
        bouncer
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// Whether this machine's PgBouncer keeps prepared statements in transaction mode: from 1.21 on.
pub(crate) fn has_prepared_statements() -> bool {
    let told = Command::new("bash").arg(SCRIPT).arg("pgbouncer-version").output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let version = told.split([' ', '.', '\n']).filter_map(|part| part.parse::<u32>().ok());
    version.take(2).collect::<Vec<_>>() >= vec![1, 21]
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        if let Some(pid) = std::fs::read_to_string(self.folder.path().join("pid"))
            .ok()
            .and_then(|pid| pid.trim().parse().ok())
        {
            signal(pid, "KILL");
        }
        let _ = self.child.wait();
    }
}
