//! The end of a connection, and the answers of the server itself, where there is no request that
//! the app could answer.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::http::error::ErrorKind;
use crate::http::request_id::RequestId;
use crate::http::security_headers::SECURITY_HEADERS;

/// How long [`send_error`] and [`close`] may take, each.
const CLOSING_TIME: Duration = Duration::from_secs(1);

/// How much [`close`] reads at most.
const MAX_UNREAD_BYTES: u64 = 1024 * 1024;

/// Closes a connection so that the last answer arrives: whoever closes a socket with bytes unread
/// makes the kernel send a reset, at which the client's kernel may throw away an answer that it
/// has already. So the rest is read and thrown away.
pub(super) async fn close(mut stream: TcpStream) {
    let read_rest = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(MAX_UNREAD_BYTES), &mut tokio::io::sink()).await?;
        io::Result::Ok(())
    };
    // Whether the client closes, fails or goes on sending: the connection is over.
    let _ = timeout(CLOSING_TIME, read_rest).await;
}

/// Answers a client whose connection is closed next.
pub(super) async fn send_error(stream: &mut TcpStream, kind: ErrorKind) {
    // A client that does not take these few bytes gets none.
    let _ = timeout(CLOSING_TIME, stream.write_all(error_response(kind).as_bytes())).await;
}

fn error_response(kind: ErrorKind) -> String {
    let (status, _) = kind.status_and_code();
    let body = kind.body().to_string();
    let mut response = format!(
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
        response.push_str(&format!("Retry-After: {}\r\n", wait.as_secs()));
    }
    for (name, value) in SECURITY_HEADERS {
        response.push_str(&format!("{name}: {value}\r\n"));
    }
    response + "\r\n" + &body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_response_announces_its_length() {
        for kind in [ErrorKind::Overloaded, ErrorKind::BadRequest, ErrorKind::RequestHeadTooLarge] {
            let response = error_response(kind);
            let (head, body) = response.split_once("\r\n\r\n").unwrap();
            let length = format!("\r\nContent-Length: {}\r\n", body.len());
            assert!(head.contains(&length), "{response}");
            let says_when = head.contains("\r\nRetry-After: 1\r\n");
            assert_eq!(says_when, kind == ErrorKind::Overloaded, "{response}");
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(body, kind.body());
        }
    }
}
