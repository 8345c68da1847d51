//! Asks a program that runs on this machine whether it is well, as a container's health check does: images need no curl.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long it may take to answer. `/readyz` gives its stores a second.
const PATIENCE: Duration = Duration::from_secs(3);
/// Longest answer that is read, in bytes.
const LONGEST: u64 = 16 * 1024;

/// Why a program is not taken to be well.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// Nobody answers there.
    #[error("{0}: {1}")]
    Unreachable(SocketAddr, io::Error),
    /// It takes too long.
    #[error("{0}: no answer within {PATIENCE:?}")]
    NoAnswer(SocketAddr),
    /// It answers that it is not well, or is something else.
    #[error("{0} answers {1}")]
    Unwell(SocketAddr, String),
}

/// Asks what listens at `address`, where that may be all addresses of this machine, for `/healthz` or `/readyz`. Answers
/// the body of a 200.
///
/// # Errors
/// [`HealthError`].
pub async fn ask(address: SocketAddr, ready: bool) -> Result<String, HealthError> {
    let address = SocketAddr::new(reachable(address.ip()), address.port());
    let path = if ready { "/readyz" } else { "/healthz" };
    let answer = tokio::time::timeout(PATIENCE, get(address, path)).await;
    let answer = answer.map_err(|_| HealthError::NoAnswer(address))?;
    let answer = answer.map_err(|error| HealthError::Unreachable(address, error))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).unwrap_or_default();
    if status.starts_with("200") {
        Ok(body.to_owned())
    } else {
        Err(HealthError::Unwell(address, format!("{status} {body}").trim().to_owned()))
    }
}

fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

async fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_asked_here() {
        for (listens, asked) in [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.1.2.3", "10.1.2.3"), ("::1", "::1")] {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), asked);
        }
    }
}
