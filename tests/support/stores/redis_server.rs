//! A Redis server of the test's own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{Commands, Connection};
use tempfile::TempDir;

use crate::support::{free_port, signal};

/// A redis-server on a free port of 127.0.0.1, with a folder of its own. It ends when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Redis {
    port: u16,
    append_only: bool,
    cluster: bool,
    cluster_port: u16,
    child: Option<Child>,
    folder: TempDir,
}

impl Redis {
    /// Starts a server that keeps nothing on disk.
    pub(crate) fn start() -> Self {
        Self::start_with(false, false)
    }

    /// Starts a server that writes every change to an append-only file, and so survives
    /// [`Redis::restart`].
    pub(crate) fn start_append_only() -> Self {
        Self::start_with(true, false)
    }

    /// Starts a cluster of so many shards.
    pub(crate) fn start_cluster(shards: u16) -> Vec<Self> {
        const SLOTS: u16 = 16_384;
        let nodes: Vec<_> = (0..shards).map(|_| Self::start_with(false, true)).collect();
        let mut connection = nodes[0].connection();
        for (index, node) in (0..).zip(&nodes) {
            let (first, end) = (SLOTS / shards * index, SLOTS / shards * (index + 1));
            let mut add = redis::cmd("CLUSTER");
            add.arg("ADDSLOTSRANGE").arg(first).arg(end - 1).exec(&mut node.connection()).unwrap();
            let mut meet = redis::cmd("CLUSTER");
            meet.arg("MEET").arg("127.0.0.1").arg(node.port).arg(node.cluster_port);
            meet.exec(&mut connection).unwrap();
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut connection).unwrap();
            let size = format!("cluster_size:{shards}\r\n");
            if info.contains("cluster_state:ok") && info.contains(&size) {
                return nodes;
            }
            assert!(Instant::now() < deadline, "the cluster does not begin: {info}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn start_with(append_only: bool, cluster: bool) -> Self {
        let mut redis = Self {
            port: free_port(),
            append_only,
            cluster,
            cluster_port: free_port(),
            child: None,
            folder: tempfile::tempdir().unwrap(),
        };
        // Somebody else may take a port between the moment it was found free and the server's
        // start.
        for _ in 0..5 {
            if redis.try_run() {
                return redis;
            }
            redis.stop();
            redis.port = free_port();
            redis.cluster_port = free_port();
        }
        panic!("{} does not start", server().display());
    }

    /// Starts a server that copies `primary`, and waits until it has all that is there.
    pub(crate) fn start_replica_of(primary: &Redis) -> Self {
        let replica = Self::start();
        replica.replicate(primary);
        primary.wait_for_replica();
        replica
    }

    /// Makes it a replica of `primary`. Its connections stay open.
    pub(crate) fn replicate(&self, primary: &Redis) {
        self.replicate_port(primary.port);
    }

    /// Makes it a replica of what listens there.
    pub(crate) fn replicate_port(&self, port: u16) {
        let _: () = redis::cmd("REPLICAOF")
            .arg("127.0.0.1")
            .arg(port)
            .query(&mut self.connection())
            .unwrap();
    }

    /// Whether it is a primary.
    pub(crate) fn takes_writes(&self) -> bool {
        redis::cmd("SET")
            .arg("a mark of the test")
            .arg("")
            .arg("EX")
            .arg(60)
            .exec(&mut self.connection())
            .is_ok()
    }

    /// Waits until a replica has all that was written until now.
    pub(crate) fn wait_for_replica(&self) {
        let mut connection = self.connection();
        // WAIT is about this connection's own writes.
        let _: () = connection.set_ex("a mark for the replica", "", 60).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while redis::cmd("WAIT").arg(1).arg(100).query(&mut connection) != Ok(1) {
            assert!(Instant::now() < deadline, "no replica follows");
        }
    }

    /// Makes a replica a primary.
    pub(crate) fn promote(&self) {
        let _: () =
            redis::cmd("REPLICAOF").arg("NO").arg("ONE").query(&mut self.connection()).unwrap();
    }

    /// The ports of those who listen to a channel.
    pub(crate) fn listeners(&self) -> Vec<u16> {
        let clients: String = redis::cmd("CLIENT")
            .arg(&["LIST", "TYPE", "PUBSUB"])
            .query(&mut self.connection())
            .unwrap();
        let port = |client: &str| {
            let address = client.split(' ').find_map(|field| field.strip_prefix("addr="))?;
            address.rsplit_once(':')?.1.parse().ok()
        };
        clients.lines().filter_map(port).collect()
    }

    /// Its port of 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server as a crash does: nothing more is written.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// `redis://…`, as `REDIS_URL` takes it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A connection for the test itself.
    pub(crate) fn connection(&self) -> Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Ends the server as an operator does, its file written.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            if child.try_wait().unwrap().is_none() {
                signal(child.id(), "TERM");
            }
            child.wait().unwrap();
        }
    }

    /// Starts the stopped server again, at its old address, with what its append-only file holds.
    pub(crate) fn start_again(&mut self) {
        assert!(self.try_run(), "redis-server does not start again on port {}", self.port);
    }

    /// Stops the server and starts it again.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    /// Freezes the server: connections stay open and nothing is answered.
    pub(crate) fn pause(&self) {
        signal(self.pid(), "STOP");
    }

    /// Lets a paused server go on.
    pub(crate) fn resume(&self) {
        signal(self.pid(), "CONT");
    }

    /// Every key, with all that it holds, as bytes that can be searched; and the append-only file.
    pub(crate) fn everything(&self) -> Vec<u8> {
        let mut connection = self.connection();
        let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
        let mut all = Vec::new();
        for key in keys {
            let kind: String = redis::cmd("TYPE").arg(&key).query(&mut connection).unwrap();
            all.extend_from_slice(&key);
            all.push(b'\n');
            for value in values(&mut connection, &key, &kind) {
                all.extend_from_slice(&value);
                all.push(b'\n');
            }
        }
        if self.append_only {
            for file in std::fs::read_dir(self.folder.path().join("appendonlydir")).unwrap() {
                all.extend(std::fs::read(file.unwrap().path()).unwrap());
            }
        }
        all
    }

    /// Every key that never expires. When all jobs have ended only the list of workers is left of
    /// them.
    pub(crate) fn lasting_keys(&self) -> Vec<String> {
        let script = redis::Script::new(
            "local lasting = {}
             for _, key in ipairs(redis.call('KEYS', '*')) do
               if redis.call('TTL', key) == -1 then lasting[#lasting + 1] = key end
             end
             return lasting",
        );
        script.invoke(&mut self.connection()).unwrap()
    }

    /// Every key, and in how many ms it expires; none for those that never do.
    pub(crate) fn lives(&self) -> BTreeMap<String, Option<u64>> {
        let script = redis::Script::new(
            "local lives = {}
             for _, key in ipairs(redis.call('KEYS', '*')) do
               lives[#lives + 1] = {key, redis.call('PTTL', key)}
             end
             return lives",
        );
        let lives: Vec<(String, i64)> = script.invoke(&mut self.connection()).unwrap();
        lives.into_iter().map(|(key, left)| (key, u64::try_from(left).ok())).collect()
    }

    /// The commands that clients send while something happens. What a script calls is none of them.
    pub(crate) async fn commands_during<T>(
        &self,
        something: impl Future<Output = T>,
    ) -> (T, Vec<String>) {
        const END: &str = "that was all";
        let (mut watcher, mut marker) = (self.connection(), self.connection());
        redis::cmd("MONITOR").exec(&mut watcher).unwrap();
        let outcome = something.await;
        redis::cmd("ECHO").arg(END).exec(&mut marker).unwrap();
        let lines = std::iter::from_fn(|| {
            let line: String = redis::from_redis_value(watcher.recv_response().unwrap()).unwrap();
            (!line.contains(END)).then_some(line)
        });
        (outcome, lines.filter(|line| !line.contains(" lua] ")).collect())
    }

    /// Runs the server; false if it ended at once or somebody else answers on the port.
    fn try_run(&mut self) -> bool {
        let child = Command::new(server())
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--dir", self.folder.path().to_str().unwrap()])
            .args(["--appendonly", if self.append_only { "yes" } else { "no" }])
            .args(["--cluster-enabled", if self.cluster { "yes" } else { "no" }])
            .args(["--cluster-port", &self.cluster_port.to_string()])
            .args(["--save", "", "--loglevel", "warning", "--daemonize", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id();
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if self.answers_as(pid) {
                return true;
            }
            if self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_some()) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Does the server on our port run as process `pid`, its data loaded?
    fn answers_as(&self, pid: u32) -> bool {
        let ask = || -> redis::RedisResult<String> {
            let mut connection = redis::Client::open(self.url())?.get_connection()?;
            if !self.cluster {
                let _: Option<String> = connection.get("any key: fails while data are loaded")?;
            }
            redis::cmd("INFO").arg("server").query(&mut connection)
        };
        ask().is_ok_and(|info| info.contains(&format!("process_id:{pid}\r\n")))
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running redis-server").id()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn values(connection: &mut Connection, key: &[u8], kind: &str) -> Vec<Vec<u8>> {
    let mut command = match kind {
        "string" => redis::cmd("GET"),
        "hash" => redis::cmd("HGETALL"),
        "list" => redis::cmd("LRANGE"),
        "set" => redis::cmd("SMEMBERS"),
        "zset" => redis::cmd("ZRANGE"),
        // The key is gone since it was listed.
        "none" => return Vec::new(),
        other => panic!("a scan does not know how to read a key of type {other}"),
    };
    command.arg(key);
    match kind {
        "string" => {
            let value: Option<Vec<u8>> = command.query(connection).unwrap();
            value.into_iter().collect()
        }
        "list" | "zset" => command.arg(0).arg(-1).query(connection).unwrap(),
        _ => command.query(connection).unwrap(),
    }
}

/// `TEST_REDIS_SERVER`, else redis-server or valkey-server from the PATH.
pub(super) fn server() -> PathBuf {
    if let Some(path) = std::env::var_os("TEST_REDIS_SERVER") {
        return path.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    ["redis-server", "valkey-server"]
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
        .expect("there is no redis-server on the PATH, nor in TEST_REDIS_SERVER: run bin/test")
}
