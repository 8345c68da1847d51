//! Pictures are made in a process of their own. What strangers send can cost a decoder any time and
//! memory, and a task cannot be ended in the middle of it. A process can: SMS go on meanwhile, and
//! its bounds hold whatever the decoder does. It gets none of the worker's environment.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use common::domain::picture::PictureFault;
use rlimit::Resource;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::make;

/// The argument by which the program makes one picture and ends.
const ARGUMENT: &str = "make-picture";
/// Bytes of memory: some 300 MB for the largest picture, with what the program itself takes.
const MAX_MEMORY: u64 = 640 * 1024 * 1024;
/// Seconds of a core.
const MAX_CPU: u64 = 15;
/// In which a process is waited for, also on a machine that has much to do.
const MAX_TIME: Duration = Duration::from_secs(60);
/// Of what is made, in bytes: more than all pixels take uncompressed.
const MAX_ANSWER: u64 = 4 * (make::SIDE as u64) * (make::SIDE as u64) + 4096;

/// [`make::make`] in a process of its own, which this program has to be able to become: see
/// [`child`]. Trying again does not help where there is a fault.
///
/// # Errors
/// The process could not be started or talked to.
pub async fn make_apart(file: &[u8]) -> io::Result<Result<Vec<u8>, PictureFault>> {
    let mut process = Command::new(program()?)
        .arg(ARGUMENT)
        .env_clear()
        // Else the allocator takes a gigabyte at once, of which no bound is heard any more.
        .env("MIMALLOC_ARENA_RESERVE", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
    let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let conversation = async {
        // One that has ended early says why, or nothing: see below.
        let _ = stdin.write_all(file).await;
        drop(stdin);
        let mut answer = Vec::new();
        stdout.take(MAX_ANSWER).read_to_end(&mut answer).await?;
        Ok::<_, io::Error>((process.wait().await?, answer))
    };
    let Ok(done) = timeout(MAX_TIME, conversation).await else {
        return Ok(Err(PictureFault::TooCostly));
    };
    let (status, answer) = done?;
    if status.success() {
        return Ok(Ok(answer));
    }
    // One that says nothing was ended by its bounds.
    let fault = str::from_utf8(&answer).ok().and_then(|word| word.parse().ok());
    Ok(Err(fault.unwrap_or(PictureFault::TooCostly)))
}

/// This very program, also when another version has taken its place on the disk.
fn program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// Makes the picture if that is what this process was started for, and says how it ends.
#[must_use]
pub fn child() -> Option<ExitCode> {
    let is_child = std::env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT);
    is_child.then(|| {
        let done = bound_myself().and_then(|()| answer(make_from(io::stdin().lock())?));
        done.unwrap_or(ExitCode::FAILURE)
    })
}

fn bound_myself() -> io::Result<()> {
    for (resource, most) in [
        (Resource::AS, MAX_MEMORY),
        (Resource::CPU, MAX_CPU),
        (Resource::FSIZE, 0),
        (Resource::CORE, 0),
    ] {
        // There are systems that do not know one of them.
        if resource.is_supported() {
            resource.set(most, most)?;
        }
    }
    Ok(())
}

fn make_from(mut input: impl Read) -> io::Result<Result<Vec<u8>, PictureFault>> {
    let mut file = Vec::new();
    input.read_to_end(&mut file)?;
    Ok(make::make(&file))
}

fn answer(made: Result<Vec<u8>, PictureFault>) -> io::Result<ExitCode> {
    let mut output = io::stdout().lock();
    match &made {
        Ok(picture) => output.write_all(picture)?,
        Err(fault) => output.write_all(<&str>::from(fault).as_bytes())?,
    }
    output.flush()?;
    Ok(if made.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
