//! A connection byte by byte, for requests that no proper client sends.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A TCP connection to an API process. Its calls block.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// Connects to `host:port`.
    pub(crate) fn open(address: &str) -> Self {
        Self::try_open(address).unwrap()
    }

    pub(crate) fn try_open(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        Ok(Self { stream, received: Vec::new() })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).unwrap();
    }

    /// Sends bytes, where the server still takes them.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads until the answer has `text` in it; returns all that was received.
    pub(crate) fn read_until(&mut self, within: Duration, text: &str) -> String {
        let deadline = Instant::now() + within;
        loop {
            let received = String::from_utf8_lossy(&self.received).into_owned();
            if received.contains(text) {
                return received;
            }
            assert!(
                Instant::now() < deadline,
                "waited {within:?} in vain for {text:?}, got {received:?}"
            );
            assert!(!self.read(), "closed before {text:?} came, after {received:?}");
        }
    }

    /// Reads until the server closes; returns how long that took.
    pub(crate) fn closed(&mut self, within: Duration) -> Duration {
        let start = Instant::now();
        while !self.read() {
            assert!(start.elapsed() < within, "not closed within {within:?}");
        }
        start.elapsed()
    }

    /// Reads for that long; true when the server has closed.
    pub(crate) fn closed_within(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            if self.read() {
                return true;
            }
        }
        false
    }

    /// All that was received so far.
    pub(crate) fn received(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// Reads what is there; true when the server has closed.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => true,
            Ok(count) => {
                self.received.extend_from_slice(&bytes[..count]);
                false
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => false,
                ErrorKind::ConnectionReset => true,
                _ => panic!("{error}"),
            },
        }
    }
}
