//! Whether a part of another request came together with the requests that are answered. hyper keeps
//! it and does not tell.

/// The bytes that hyper was handed since it last had none left.
#[derive(Debug)]
pub(super) struct Received {
    count: u64,
    /// Where the first head among them ends.
    first_head: Option<u64>,
    /// How many requests were found in them.
    requests: u32,
    /// Of the last request that was found.
    body: BodyLength,
    /// How the bytes end, also those before: the last three.
    end: [u8; 3],
}

/// As a head announces it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BodyLength {
    Bytes(u64),
    Chunked,
}

impl Received {
    pub(super) fn new() -> Self {
        Self { count: 0, first_head: None, requests: 0, body: BodyLength::Bytes(0), end: [0; 3] }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        // In what follows the first head, which may be a file, only the end matters.
        let is_in_head = self.first_head.is_none();
        let last =
            if is_in_head { bytes } else { bytes.last_chunk::<3>().map_or(bytes, |last| last) };
        for (index, byte) in (1..).zip(last) {
            let [_, before, last] = self.end;
            self.end = [before, last, *byte];
            if is_in_head && self.first_head.is_none() && self.ends_with_empty_line() {
                self.first_head = Some(self.count + index);
            }
        }
        self.count += bytes.len() as u64;
    }

    /// hyper has found a request in them.
    pub(super) fn begin_request(&mut self, body: BodyLength) {
        self.requests += 1;
        self.body = body;
    }

    /// Whether nothing is left of them after that request, as far as can be told: after one with a
    /// body of known length only where it was the first. Then they are forgotten.
    pub(super) fn forget_if_used_up(&mut self) -> bool {
        let used_up = match self.body {
            _ if self.count == 0 && self.requests == 0 => true,
            // Heads and chunked bodies end with an empty line, and no part of a head does.
            BodyLength::Bytes(0) | BodyLength::Chunked => self.ends_with_empty_line(),
            BodyLength::Bytes(length) => {
                let first = self.first_head.filter(|_| self.requests == 1);
                first.is_some_and(|head| head.saturating_add(length) == self.count)
            }
        };
        if used_up {
            *self = Self { end: self.end, ..Self::new() };
        }
        used_up
    }

    fn ends_with_empty_line(&self) -> bool {
        // Lines may end with LF alone (RFC 9112, 2.2).
        matches!(self.end, [b'\n', b'\r', b'\n'] | [_, b'\n', b'\n'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";

    fn after(parts: &[&[u8]], bodies: &[BodyLength]) -> bool {
        let mut received = Received::new();
        parts.iter().for_each(|part| received.add(part));
        bodies.iter().for_each(|body| received.begin_request(*body));
        received.forget_if_used_up()
    }

    #[test]
    fn a_part_of_another_head_is_noticed() {
        use BodyLength::{Bytes, Chunked};
        let chunked: &[u8] = b"POST / HTTP/1.1\r\n\r\n4\r\nabcd\r\n0\r\n\r\n";
        for (parts, bodies) in [
            (&[GET][..], &[Bytes(0)][..]),
            (&[&GET[..9], &GET[9..]], &[Bytes(0)]),
            (&[GET, GET], &[Bytes(0), Bytes(0)]),
            (&[b"GET / HTTP/1.1\nHost: a\n\n"], &[Bytes(0)]),
            (&[POST, b"abcd"], &[Bytes(4)]),
            (&[POST, b"\n\r\n\r"], &[Bytes(4)]),
            (&[chunked], &[Chunked]),
        ] {
            assert!(after(parts, bodies), "{parts:?}");
            for half in [&GET[..1], &GET[..16], &GET[..GET.len() - 2]] {
                assert!(!after(&[parts, &[half]].concat(), bodies), "{parts:?} and {half:?}");
            }
        }
        assert!(!after(&[POST, b"abc"], &[Bytes(4)]), "a body that is not all there");
        assert!(!after(&[GET, POST, b"abcd"], &[Bytes(0), Bytes(4)]), "what cannot be told");
    }

    #[test]
    fn it_begins_anew_where_nothing_is_left() {
        let mut received = Received::new();
        for _ in 0..3 {
            received.add(POST);
            received.begin_request(BodyLength::Bytes(4));
            assert!(!received.forget_if_used_up());
            received.add(b"abcd");
            assert!(received.forget_if_used_up());
            assert!(received.forget_if_used_up(), "in the middle of a long answer");
        }
        received.add(&GET[..5]);
        assert!(!received.forget_if_used_up());
    }
}
