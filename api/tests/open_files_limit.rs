//! A process that runs out of files. Alone in its binary, since the limit is the whole process's.

use std::{io, time::Duration};

use api::server::{self, ConnectionLimits, Drain, open_files_limit};
use poem::{Route, get, handler};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[handler]
fn quick() -> &'static str {
    "quick"
}

async fn ask(mut stream: TcpStream) -> io::Result<String> {
    let request = "GET /quick HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_server_without_files_makes_room_and_recovers() {
    let (_, hard) = rlimit::Resource::NOFILE.get().unwrap();
    rlimit::Resource::NOFILE.set(64, hard).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let app = Route::new().at("/quick", get(quick));
    let limits = ConnectionLimits::default();
    tokio::spawn(server::serve(listener, app, limits, std::future::pending(), Drain::default()));

    // Client and server share the files: take all that are left, then ask on the last connection,
    // which the server cannot accept until it gives up one of those before.
    let mut clients = Vec::new();
    let refused = loop {
        match TcpStream::connect(addr).await {
            Ok(client) => clients.push(client),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.raw_os_error(), Some(24), "{refused}");
    let last = clients.pop().unwrap();
    let answer =
        tokio::time::timeout(Duration::from_secs(5), ask(last)).await.expect("an answer").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    // The check finds what is missing, and raises the limit where it may.
    open_files_limit::allow_connections(100).unwrap();
    assert!(rlimit::Resource::NOFILE.get_soft().unwrap() >= 200);
    rlimit::Resource::NOFILE.set(256, 256).unwrap();
    let error = open_files_limit::allow_connections(1000).unwrap_err().to_string();
    assert!(error.contains("256") && error.contains("1200"), "{error}");
}
