//! Bodies of requests, read into memory: each of a bounded length, and all together too.

use std::io;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use poem::{Body, Request};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::strict_json::PayloadError;

/// The longest body that is read, in bytes.
pub const MAX_BODY_BYTES: usize = 104_856;

/// What anybody may send, in bytes: more than any right body has.
const SMALL_BODY_BYTES: usize = 4 * 1024;

/// How many longer ones may be in memory. Whoever sends slowly holds one for ten seconds, and all
/// connections together would hold gigabytes.
static LARGE_BODIES: Semaphore = Semaphore::const_new(100);

/// A body in memory, counted among the large ones until it is dropped.
#[derive(Debug)]
pub(crate) struct ReadBody {
    bytes: Bytes,
    _permit: Option<SemaphorePermit<'static>>,
}

/// Marks a request whose body was read and put back, and is counted already.
#[derive(Clone, Debug)]
struct InMemory;

impl ReadBody {
    /// Lets the request be answered as if nobody had read its body. This has to live as long.
    pub(crate) fn put_back(&self, request: &mut Request) {
        request.set_body(self.bytes.clone());
        request.extensions_mut().insert(InMemory);
    }
}

impl AsRef<[u8]> for ReadBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body of any type, of [`MAX_BODY_BYTES`] at most.
pub(crate) async fn read_bounded(request: &Request, body: Body) -> Result<ReadBody, PayloadError> {
    read_among(&LARGE_BODIES, request, body).await
}

async fn read_among(
    large_bodies: &'static Semaphore,
    request: &Request,
    body: Body,
) -> Result<ReadBody, PayloadError> {
    let mut permit = None;
    let mut admit = |length: usize| {
        if length > MAX_BODY_BYTES {
            return Err(PayloadError::TooLarge);
        }
        let is_counted = permit.is_some() || request.extensions().get::<InMemory>().is_some();
        if length > SMALL_BODY_BYTES && !is_counted {
            permit = Some(large_bodies.try_acquire().map_err(|_| PayloadError::Overloaded)?);
        }
        Ok(())
    };
    let announced = request.header("content-length").and_then(|length| length.parse().ok());
    admit(announced.unwrap_or(0))?;
    let mut chunks = body.into_bytes_stream();
    let mut bytes = BytesMut::new();
    while let Some(chunk) = chunks.try_next().await.map_err(broken)? {
        admit(bytes.len() + chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(ReadBody { bytes: bytes.freeze(), _permit: permit })
}

fn broken(error: io::Error) -> PayloadError {
    match error.kind() {
        io::ErrorKind::TimedOut => PayloadError::TimedOut,
        _ => PayloadError::Invalid("the body ended early or is badly framed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TWO: Semaphore = Semaphore::const_new(2);

    async fn read(request: &Request, body: Body) -> Result<ReadBody, PayloadError> {
        read_among(&TWO, request, body).await
    }

    #[tokio::test]
    async fn few_large_bodies_are_in_memory_at_once_and_small_ones_always() {
        let request = Request::default();
        let large = || Body::from(vec![b'a'; SMALL_BODY_BYTES + 1]);
        let first = read(&request, large()).await.unwrap();
        let second = read(&request, large()).await.unwrap();
        assert_eq!(read(&request, large()).await.err(), Some(PayloadError::Overloaded));
        let announced = Request::builder().header("content-length", "4097").finish();
        let refused = read(&announced, Body::empty()).await.err();
        assert_eq!(refused, Some(PayloadError::Overloaded), "before anything is read");
        let small = Body::from(vec![b'a'; SMALL_BODY_BYTES]);
        assert_eq!(read(&request, small).await.unwrap().as_ref().len(), SMALL_BODY_BYTES);

        // One that was read and put back is counted once.
        let mut repeated = Request::default();
        first.put_back(&mut repeated);
        let put_back = repeated.take_body();
        let again = read(&repeated, put_back).await.unwrap();
        assert_eq!(again.as_ref(), first.as_ref());
        drop((second, first));
        assert_eq!(TWO.available_permits(), 2);
    }
}
