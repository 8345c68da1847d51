//! A program that is measured: started, asked what it costs, ended.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

/// Its environment; it gets nothing else but `PATH`.
pub(crate) type Settings = BTreeMap<&'static str, String>;

/// `USER_HZ` of Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// What Linux says of a process (`proc(5)`, `/proc/<pid>/stat`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    pub(crate) parent: u32,
    /// Processor time of all its threads.
    pub(crate) own_time: Duration,
    /// Of its children that have ended.
    pub(crate) childrens_time: Duration,
}

impl Stat {
    /// None where there is no such process.
    pub(crate) fn of(process: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name, in brackets, may hold anything; the fields after it are numbered from the third
        // on.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
        let time = |field| {
            Some(Duration::from_secs_f64((ticks(field)? + ticks(field + 1)?) / TICKS_A_SECOND))
        };
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own_time: time(11)?,
            childrens_time: time(13)?,
        })
    }
}

/// A running program, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Starts `program`. What it prints goes into a file of `folder`.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        settings: &Settings,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let output =
            File::options().create(true).append(true).open(folder.join(format!("{name}.log")))?;
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(settings)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(Self(child))
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status()?;
        ensure!(asked.success(), "the program has ended by itself");
        self.0.wait()?;
        Ok(())
    }

    /// Processor time that it has used, in all its threads.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        Ok(Stat::of(self.0.id()).context("the program has ended")?.own_time)
    }

    /// Memory that it holds, in bytes.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        self.status("VmRSS:")
    }

    /// The most memory that it ever held, in bytes.
    pub(crate) fn peak_memory(&self) -> anyhow::Result<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, field: &str) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))
            .context("the program has ended")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .with_context(|| field.to_owned())?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
