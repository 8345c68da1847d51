//! Redis Sentinels of the test's own.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::redis_server::server;
use crate::support::{eventually, free_port};

/// What the Sentinels call the primary.
pub(crate) const PRIMARY: &str = "main";

/// Three Sentinels that watch one primary, which is down for them after a second of silence. They
/// end when this is dropped.
#[derive(Debug)]
pub(crate) struct Sentinels {
    ports: Vec<u16>,
    children: Vec<Child>,
    _folder: TempDir,
}

impl Sentinels {
    /// Starts them, and waits until they know each other and a replica.
    pub(crate) async fn watch(primary: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut sentinels = Self { ports: Vec::new(), children: Vec::new(), _folder: folder };
        for _ in 0..3 {
            let port = free_port();
            let file = sentinels._folder.path().join(format!("{port}.conf"));
            let settings = format!(
                "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {PRIMARY} 127.0.0.1 {primary} 2\n\
                 sentinel down-after-milliseconds {PRIMARY} 1000\nsentinel failover-timeout {PRIMARY} 4000\n",
                sentinels._folder.path().display()
            );
            std::fs::write(&file, settings).unwrap();
            let child = Command::new(server())
                .arg(&file)
                .arg("--sentinel")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            sentinels.ports.push(port);
            sentinels.children.push(child);
        }
        for port in sentinels.ports.clone() {
            eventually(Duration::from_secs(20), "Sentinels that know each other", async || {
                let primary = sentinels.ask(port, "MASTER")?;
                let number = |name: &str| {
                    primary.iter().position(|word| word == name).map(|at| primary[at + 1].clone())
                };
                (number("num-other-sentinels")? == "2" && number("num-slaves")? != "0")
                    .then_some(())
            })
            .await;
        }
        sentinels
    }

    /// As `REDIS_URL` takes it.
    pub(crate) fn url(&self) -> String {
        let hosts: Vec<String> =
            self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("redis+sentinel://{}/{PRIMARY}", hosts.join(","))
    }

    /// The port of the server that most Sentinels take for the primary.
    pub(crate) fn primary(&self) -> Option<u16> {
        let mut ports: Vec<u16> = self
            .ports
            .iter()
            .filter_map(|port| self.ask(*port, "GET-MASTER-ADDR-BY-NAME")?[1].parse().ok())
            .collect();
        ports.sort_unstable();
        ports.get(ports.len() / 2).copied()
    }

    /// How many connections listen for another primary.
    pub(crate) fn listeners(&self) -> usize {
        let count = |port: &u16| {
            let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
            let mut connection = client.get_connection().unwrap();
            let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut connection).unwrap();
            clients.lines().filter(|client| client.contains(" sub=1 ")).count()
        };
        self.ports.iter().map(count).sum()
    }

    fn ask(&self, port: u16, question: &str) -> Option<Vec<String>> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
        let mut connection = client.get_connection_with_timeout(Duration::from_millis(500)).ok()?;
        redis::cmd("SENTINEL").arg(question).arg(PRIMARY).query(&mut connection).ok()
    }
}

impl Drop for Sentinels {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
