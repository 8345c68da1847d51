//! Answers of the server itself, before there is a request that the app could answer.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{io::AsyncWrite, net::TcpStream};

use crate::http::error::ErrorKind;
use crate::http::request_id::RequestId;
use crate::http::security_headers::SECURITY_HEADERS;

/// The whole answer, after which the connection is closed.
pub(super) fn refusal(kind: ErrorKind) -> String {
    let (status, _) = kind.status_and_code();
    let body = kind.body().to_string();
    let mut answer = format!(
        "HTTP/1.1 {status}\r\n\
         Content-Type: application/json; charset=utf-8\r\n\
         Content-Length: {}\r\n\
         Vary: Authorization\r\n\
         X-Request-Id: {}\r\n\
         Connection: close\r\n",
        body.len(),
        RequestId::new().as_str()
    );
    if let Some(wait) = kind.usual_retry_after() {
        answer.push_str(&format!("Retry-After: {}\r\n", wait.as_secs()));
    }
    for (name, value) in SECURITY_HEADERS {
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    answer + "\r\n" + &body
}

/// What is sent in the place of hyper's own refusal of a head that it cannot read, which has no
/// body.
#[derive(Debug)]
pub(super) struct HeadRefusal {
    answer: String,
    sent: usize,
}

impl HeadRefusal {
    /// `theirs` is what hyper wants to send.
    pub(super) fn in_place_of(theirs: &[u8]) -> Self {
        let too_large = theirs.starts_with(b"HTTP/1.1 431");
        let kind = if too_large { ErrorKind::RequestHeadTooLarge } else { ErrorKind::BadRequest };
        Self { answer: refusal(kind), sent: 0 }
    }

    /// Ready when all of it is sent.
    pub(super) fn poll_send(
        &mut self,
        stream: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) =
            self.answer.as_bytes().get(self.sent..).filter(|rest| !rest.is_empty())
        {
            match ready!(Pin::new(&mut *stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sent += count,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_announces_its_length() {
        for kind in [ErrorKind::Overloaded, ErrorKind::BadRequest, ErrorKind::RequestHeadTooLarge] {
            let answer = refusal(kind);
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{answer}");
            assert_eq!(
                head.contains("\r\nRetry-After: 1\r\n"),
                kind == ErrorKind::Overloaded,
                "{answer}"
            );
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(body, kind.body());
        }
    }
}
