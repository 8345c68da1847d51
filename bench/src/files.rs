//! How fast files come in and go out, beside nginx, which writes and reads the same bytes and does
//! nothing else; and what memory the API takes for many large uploads at once.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use common::domain::token::Token;
use futures_util::future::try_join_all;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::ROUNDS;
use crate::doors;
use crate::http::{free_port, until_it_answers};
use crate::process::{Process, Settings};
use crate::rounds::Rounds;
use crate::stage::{Server, Stage};

const AT_ONCE: usize = 4;
const FILE: u64 = 256 * 1024 * 1024;
/// What memory is measured of.
const LARGE_AT_ONCE: usize = 10;
const LARGE_FILE: u64 = 1024 * 1024 * 1024;
const CHUNK: usize = 256 * 1024;

/// Megabytes a second.
#[derive(Debug, Default)]
pub(crate) struct Files {
    upload: Rounds,
    nginx_upload: Rounds,
    download: Rounds,
    nginx_download: Rounds,
    /// How much the API grew by while it took the large ones, at most, in bytes.
    grew_by: u64,
}

pub(crate) async fn measure(stage: &Stage) -> anyhow::Result<Files> {
    let token = doors::sign_in(stage).await?.into_iter().next().context("a session")?;
    let folder = stage.folder.join("files");
    let api = stage
        .api(Settings::from([
            ("FILES_URL", format!("file://{}", folder.display())),
            ("UPLOADS_PER_USER", "0".to_owned()),
            ("FILES_PER_USER", "0".to_owned()),
            ("FILE_BYTES_PER_USER", "0".to_owned()),
        ]))
        .await?;
    let nginx = Nginx::start(&stage.folder).await?;
    let mut measured: [Vec<f64>; 4] = Default::default();
    for round in 0..ROUNDS {
        stage.say(&format!("Files, round {} of {ROUNDS}", round + 1));
        let (taken, files) = upload(&api, &token, AT_ONCE, FILE).await?;
        let given = fetch(api.port, files.iter().map(|path| (path.as_str(), Some(&token)))).await?;
        for path in &files {
            let head = head("DELETE", path, Some(&token), &[("Content-Length", "0")]);
            ensure!(answer_to(api.port, &head).await?.status == 204, "a file cannot be deleted");
        }
        let nginx_taken = nginx.upload().await?;
        let nginx_given = nginx.download().await?;
        for (all, one) in measured.iter_mut().zip([taken, nginx_taken, given, nginx_given]) {
            all.push(one);
        }
    }
    stage.say("Memory of large uploads");
    let before = api.process.memory()?;
    upload(&api, &token, LARGE_AT_ONCE, LARGE_FILE).await?;
    let grew_by = api.process.peak_memory()?.saturating_sub(before);
    let [upload, nginx_upload, download, nginx_download] = measured.map(Rounds::of);
    Ok(Files { upload, nginx_upload, download, nginx_download, grew_by })
}

/// Uploads so many files at once by tus. Returns how fast, and where they are.
async fn upload(
    api: &Server,
    token: &Token,
    count: usize,
    size: u64,
) -> anyhow::Result<(f64, Vec<String>)> {
    let length = size.to_string();
    let create = head(
        "POST",
        "/files",
        Some(token),
        &[("Tus-Resumable", "1.0.0"), ("Upload-Length", &length), ("Content-Length", "0")],
    );
    let mut paths = Vec::new();
    for _ in 0..count {
        let made = answer_to(api.port, &create).await?;
        ensure!(made.status == 201, "an upload is refused with {}", made.status);
        paths.push(path_of(&made.location.context("no Location")?));
    }
    let start = Instant::now();
    try_join_all(paths.iter().map(async |path| {
        let head = head(
            "PATCH",
            path,
            Some(token),
            &[
                ("Tus-Resumable", "1.0.0"),
                ("Upload-Offset", "0"),
                ("Content-Type", "application/offset+octet-stream"),
                ("Content-Length", &length),
            ],
        );
        send_body(api.port, &head, size).await
    }))
    .await?;
    Ok((megabytes_a_second(count, size, start.elapsed()), paths))
}

fn path_of(location: &str) -> String {
    let after_scheme = location.split_once("://").map_or(location, |(_, rest)| rest);
    after_scheme.find('/').and_then(|at| after_scheme.get(at..)).unwrap_or_default().to_owned()
}

async fn fetch<'a>(
    port: u16,
    paths: impl Iterator<Item = (&'a str, Option<&'a Token>)>,
) -> anyhow::Result<f64> {
    let paths: Vec<_> = paths.collect();
    let start = Instant::now();
    try_join_all(paths.iter().map(async |(path, token)| {
        let answer = answer_to(port, &head("GET", path, *token, &[])).await?;
        ensure!(answer.status == 200 && answer.read == FILE, "{path}: {answer:?}");
        Ok(())
    }))
    .await?;
    Ok(megabytes_a_second(paths.len(), FILE, start.elapsed()))
}

fn head(method: &str, path: &str, token: Option<&Token>, fields: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n");
    if let Some(token) = token {
        head += &format!("Authorization: Bearer {}\r\n", token.expose());
    }
    for (name, value) in fields {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

async fn send_body(port: u16, head: &str, size: u64) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(head.as_bytes()).await?;
    let chunk: Vec<u8> = (0..CHUNK).map(|_| rand::random()).collect();
    for _ in 0..size / CHUNK as u64 {
        stream.write_all(&chunk).await?;
    }
    let answer = read_answer(stream).await?;
    ensure!(answer.status == 204, "a body is answered with {}", answer.status);
    Ok(())
}

#[derive(Debug)]
struct Answer {
    status: u16,
    location: Option<String>,
    /// Bytes of the body.
    read: u64,
}

async fn answer_to(port: u16, head: &str) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(head.as_bytes()).await?;
    read_answer(stream).await
}

/// Up to the end of the connection.
async fn read_answer(stream: TcpStream) -> anyhow::Result<Answer> {
    let mut stream = BufReader::with_capacity(CHUNK, stream);
    let (mut status, mut location) = (0, None);
    loop {
        let mut line = String::new();
        ensure!(stream.read_line(&mut line).await? > 0, "no answer");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest.get(..3).unwrap_or_default().parse()?;
        } else if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("location")
        {
            location = Some(value.to_owned());
        }
    }
    let (mut read, mut buffer) = (0, vec![0; CHUNK]);
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(Answer { status, location, read }),
            count => read += count as u64,
        }
    }
}

fn megabytes_a_second(count: usize, size: u64, time: Duration) -> f64 {
    count as f64 * size as f64 / 1e6 / time.as_secs_f64()
}

/// nginx, which keeps each body in a file, and serves files.
#[derive(Debug)]
struct Nginx {
    _process: Process,
    port: u16,
    bodies: PathBuf,
}

impl Nginx {
    async fn start(folder: &Path) -> anyhow::Result<Self> {
        let (port, folder) = (free_port()?, folder.join("nginx"));
        fs::create_dir_all(folder.join("bodies"))?;
        fs::create_dir_all(folder.join("served"))?;
        let chunk: Vec<u8> = (0..CHUNK).map(|_| rand::random()).collect();
        for n in 0..AT_ONCE {
            let content: Vec<u8> = chunk.repeat(usize::try_from(FILE)? / CHUNK);
            let mut file = File::create(folder.join("served").join(n.to_string()))?;
            file.write_all(&content)?;
            // So that the disk is at rest when the measurement begins.
            file.sync_all()?;
        }
        let at = folder.display();
        let config = format!(
            "daemon off; worker_processes auto; pid {at}/pid; error_log {at}/error.log;\n\
             events {{}}\n\
             http {{\n\
             access_log off; sendfile on; client_body_temp_path {at}/bodies;\n\
             server {{\n\
             listen 127.0.0.1:{port};\n\
             location /healthz {{ return 204; }}\n\
             location /taken {{ return 204; }}\n\
             location /upload {{\n\
             client_max_body_size 0; client_body_in_file_only on;\n\
             proxy_pass_request_body off; proxy_set_header Content-Length \"\";\n\
             proxy_pass http://127.0.0.1:{port}/taken;\n\
             }}\n\
             location /served/ {{ root {at}; }}\n\
             }}\n\
             }}\n"
        );
        let path = folder.join("nginx.conf");
        fs::write(&path, config)?;
        let path = path.to_string_lossy();
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/opt/homebrew/bin/nginx"]
            .into_iter()
            .map(Path::new)
            .find(|program| program.exists())
            .context("nginx is not installed")?;
        let process = Process::start(program, &["-c", &path], &Settings::new(), &folder)?;
        until_it_answers(&format!("http://127.0.0.1:{port}/healthz")).await?;
        Ok(Self { _process: process, port, bodies: folder.join("bodies") })
    }

    async fn upload(&self) -> anyhow::Result<f64> {
        let length = FILE.to_string();
        let head = head("POST", "/upload", None, &[("Content-Length", &length)]);
        let start = Instant::now();
        try_join_all((0..AT_ONCE).map(|_| send_body(self.port, &head, FILE))).await?;
        let speed = megabytes_a_second(AT_ONCE, FILE, start.elapsed());
        // What the disk has not taken yet would be in the way of the next round.
        let bodies = fs::read_dir(&self.bodies)?.collect::<Result<Vec<_>, _>>()?;
        ensure!(bodies.len() == AT_ONCE, "nginx kept {} bodies", bodies.len());
        for body in bodies {
            ensure!(body.metadata()?.len() == FILE, "nginx kept a part of a body");
            fs::remove_file(body.path())?;
        }
        Ok(speed)
    }

    async fn download(&self) -> anyhow::Result<f64> {
        let paths: Vec<String> = (0..AT_ONCE).map(|n| format!("/served/{n}")).collect();
        fetch(self.port, paths.iter().map(|path| (path.as_str(), None))).await
    }
}

pub(crate) fn text(files: &Files) -> String {
    let mut text = format!("{:<10} {:>10} {:>10} {:>7}\n", "", "MB/s", "nginx", "ratio");
    for (name, own, nginx) in [
        ("upload", &files.upload, &files.nginx_upload),
        ("download", &files.download, &files.nginx_download),
    ] {
        let ratio = own.ratio_to(nginx).map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        text += &format!("{name:<10} {:>10.0} {:>10.0} {ratio:>7}\n", own.median(), nginx.median());
        text += &format!(
            "{:<10} {:>9.0}% {:>9.0}%\n",
            "  spread",
            own.spread() * 100.0,
            nginx.spread() * 100.0
        );
    }
    text + &format!(
        "{LARGE_AT_ONCE} uploads of {} MB at once: the API grew by {:.1} MB\n",
        LARGE_FILE / 1024 / 1024,
        files.grew_by as f64 / 1e6
    )
}
