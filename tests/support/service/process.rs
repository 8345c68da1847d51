//! One program of the project as a process, with its output kept.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::settings::Settings;
use crate::support::{eventually, signal};

/// A running program. It is killed when this is dropped; if the test fails, the end of its output
/// is printed.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    output: PathBuf,
    errors: PathBuf,
}

impl Process {
    /// Starts `program` in `folder`, where its output is kept as `<name>.out` and `<name>.err`.
    pub(crate) fn spawn(
        name: &str,
        program: &str,
        arguments: &[&str],
        settings: &Settings,
        folder: &Path,
    ) -> Self {
        let mut command = Command::new(path_of(program));
        command.args(arguments);
        Self::run(name, command, settings, folder)
    }

    /// The same, with no file growing over `blocks` of 512 bytes: the write that would fails, as on
    /// a full disk.
    pub(crate) fn spawn_limited(
        name: &str,
        program: &str,
        blocks: Option<u32>,
        settings: &Settings,
        folder: &Path,
    ) -> Self {
        let Some(blocks) = blocks else { return Self::spawn(name, program, &[], settings, folder) };
        let mut command = Command::new("sh");
        // Unless it is ignored, the signal that comes with such a write ends the process.
        command.args([
            "-c",
            "trap '' XFSZ; ulimit -f \"$1\"; exec \"$2\"",
            "sh",
            &blocks.to_string(),
        ]);
        command.arg(path_of(program));
        Self::run(name, command, settings, folder)
    }

    fn run(name: &str, mut command: Command, settings: &Settings, folder: &Path) -> Self {
        let output = folder.join(format!("{name}.out"));
        let errors = folder.join(format!("{name}.err"));
        let child = command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(settings)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(File::create(&output).unwrap())
            .stderr(File::create(&errors).unwrap())
            .spawn()
            .unwrap();
        Self { name: name.to_owned(), child, output, errors }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to its standard output so far.
    pub(crate) fn stdout(&self) -> String {
        read(&self.output)
    }

    /// What it wrote to its standard error so far.
    pub(crate) fn stderr(&self) -> String {
        read(&self.errors)
    }

    /// All that it wrote so far.
    pub(crate) fn log(&self) -> String {
        self.stdout() + &self.stderr()
    }

    /// The fields of every log line so far whose event is `name`.
    pub(crate) fn events(&self, name: &str) -> Vec<Value> {
        self.log()
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .map(|line| line["fields"].clone())
            .filter(|fields| fields["event"] == name)
            .collect()
    }

    /// The fields of every log line so far of that level: `ERROR`, `WARN`, …
    pub(crate) fn lines_of_level(&self, level: &str) -> Vec<Value> {
        self.log()
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["level"] == level)
            .map(|line| line["fields"].clone())
            .collect()
    }

    /// Waits for a log line whose event is `name`; returns its fields.
    pub(crate) async fn wait_for_event(&mut self, name: &str, within: Duration) -> Value {
        let what = format!("the event {name} of {}", self.name);
        eventually(within, &what, async || {
            let event = self.events(name).into_iter().next();
            assert!(
                event.is_some() || self.is_running(),
                "{} ended before its event {name}",
                self.name
            );
            event
        })
        .await
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends it a signal: `TERM`, `INT`, `KILL`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    pub(crate) async fn ended(&mut self, within: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        eventually(within, &what, async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("---- the end of what {} wrote", self.name);
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(40)..] {
                println!("{line}");
            }
        }
    }
}

/// Where the program of that name was built: beside the folder of this test.
pub(crate) fn path_of(program: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let path = this.parent().unwrap().parent().unwrap().join(program);
    assert!(path.is_file(), "{} is not built: run bin/test", path.display());
    path
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// In kilobytes, of a process of Linux.
pub(crate) fn resident_kilobytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
