//! The `Host` header (RFC 9110, 7.2): which name of the service a client asked.

use common::config::is_loopback;
use poem::http::uri::Authority;
use poem::http::{HeaderMap, Version, header};
use poem::{Endpoint, EndpointExt, Request};

use super::error::{ApiError, ErrorKind};

/// # Errors
/// No `Host`, two of them, or one that is no host (RFC 9112, 3.2). HTTP/1.0 knows of none.
pub(crate) fn check(request: &Request) -> Result<(), ErrorKind> {
    let headers = request.headers();
    let is_old = request.version() == Version::HTTP_10;
    if host_of(headers).is_some() || is_old && !headers.contains_key(header::HOST) {
        Ok(())
    } else {
        Err(ErrorKind::InvalidHost)
    }
}

/// Refuses requests for any name but this machine's own. A page of a stranger's website reaches
/// what listens on this machine under a name of its own whose address it changes (DNS rebinding);
/// its browser sends that name.
pub(crate) fn for_this_machine<E: Endpoint + 'static>(endpoint: E) -> impl Endpoint {
    endpoint.before(|request| async move {
        match asked(&request) {
            Some(authority) if is_loopback(authority.host()) => Ok(request),
            _ => Err(ApiError::from(ErrorKind::NotThisMachine).into()),
        }
    })
}

/// The name that a client asked, and the port.
pub(crate) fn asked(request: &Request) -> Option<Authority> {
    request.uri().authority().cloned().or_else(|| host_of(request.headers()))
}

fn host_of(headers: &HeaderMap) -> Option<Authority> {
    let mut values = headers.get_all(header::HOST).iter();
    let (first, second) = (values.next()?, values.next());
    let authority: Authority = first.to_str().ok()?.parse().ok()?;
    let (host, port) = (authority.host(), authority.as_str().strip_prefix(authority.host())?);
    let is_port = port.is_empty() || authority.port_u16().is_some();
    (second.is_none() && !host.is_empty() && is_port).then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, hosts: &[&str]) -> Request {
        let request = Request::builder().version(version);
        hosts.iter().fold(request, |request, host| request.header(header::HOST, *host)).finish()
    }

    #[test]
    fn a_request_names_one_host() {
        for host in ["a.example", "a.example:4000", "127.0.0.1", "[::1]:4000", "LOCALHOST"] {
            assert_eq!(check(&request(Version::HTTP_11, &[host])), Ok(()), "{host}");
        }
        for hosts in [
            &[][..],
            &[""],
            &["a.example", "a.example"],
            &["a.example", "b.example"],
            &["user@a.example"],
            &["a.example/x"],
            &["a b"],
            &[":80"],
            &["a.example:x"],
            &["a.example:99999"],
            &["a.example, b.example"],
        ] {
            let refused = check(&request(Version::HTTP_11, hosts));
            assert_eq!(refused, Err(ErrorKind::InvalidHost), "{hosts:?}");
        }
        assert_eq!(check(&request(Version::HTTP_10, &[])), Ok(()));
        let twice = request(Version::HTTP_10, &["a.example", "a.example"]);
        assert_eq!(check(&twice), Err(ErrorKind::InvalidHost));
    }
}
