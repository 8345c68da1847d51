//! Asks a program that runs on this machine whether it is well. A container's health check runs
//! this, so that images need no curl.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::{Client, StatusCode, redirect};

/// `/readyz` gives its stores a second.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Why a program is not taken to be well.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// Nothing listens there, or something that does not speak HTTP.
    #[error("{address}: {}", cause(.error))]
    Unreachable { address: SocketAddr, error: reqwest::Error },
    #[error("{0}: no answer within {TIMEOUT:?}")]
    NoAnswer(SocketAddr),
    /// It answers that it is not well, or is something else.
    #[error("{0} answers {1} {2}")]
    Unwell(SocketAddr, StatusCode, String),
}

/// Asks the program that listens at `address`, which may stand for all addresses of this machine,
/// for `/healthz` or `/readyz`. Returns the body of a 200.
///
/// # Errors
/// [`HealthError`].
pub async fn ask(address: SocketAddr, ready: bool) -> Result<String, HealthError> {
    let address = SocketAddr::new(reachable(address.ip()), address.port());
    let path = if ready { "readyz" } else { "healthz" };
    let answer = get(&format!("http://{address}/{path}")).await;
    let (status, body) = answer.map_err(|error| match error.is_timeout() {
        true => HealthError::NoAnswer(address),
        false => HealthError::Unreachable { address, error },
    })?;
    if status == StatusCode::OK {
        Ok(body)
    } else {
        Err(HealthError::Unwell(address, status, body))
    }
}

async fn get(url: &str) -> reqwest::Result<(StatusCode, String)> {
    // Without TLS no certificates are read, and a machine may have none.
    let client = Client::builder()
        .tls_certs_only([])
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(TIMEOUT);
    let answer = client.build()?.get(url).send().await?;
    Ok((answer.status(), answer.text().await?))
}

/// The innermost error, such as "Connection refused": the outer ones repeat the URL.
fn cause(error: &reqwest::Error) -> &dyn Error {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_asked_here() {
        for (listens, asked) in
            [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.1.2.3", "10.1.2.3"), ("::1", "::1")]
        {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), asked);
        }
    }
}
