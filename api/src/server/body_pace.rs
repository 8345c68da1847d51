//! How slowly the body of a request may come.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::{TryStreamExt, stream::try_unfold};
use poem::Body;
use tokio::time::{Instant, timeout};

use super::connection_state::SharedState;

/// Lets one request's body come for longer than others may, as long as it moves. Handlers find it in
/// their request's data.
#[derive(Clone, Debug, Default)]
pub struct BodyPace(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    bytes_per_second: OnceLock<u64>,
    is_read: AtomicBool,
}

impl BodyPace {
    /// In place of its deadline the body has to bring so many bytes a second, on average over the
    /// time that a request may take, of which only the time counts in which the client is waited
    /// for.
    pub fn allow(&self, bytes_per_second: u64) {
        // Who is first says so.
        let _ = self.0.bytes_per_second.set(bytes_per_second);
    }

    /// Whether somebody has read the body to its end.
    pub(super) fn is_read(&self) -> bool {
        self.0.is_read.load(Ordering::Relaxed)
    }

    fn bytes_within(&self, window: Duration) -> Option<u64> {
        let bytes =
            u128::from(*self.0.bytes_per_second.get()?).saturating_mul(window.as_millis()) / 1000;
        Some(u64::try_from(bytes).unwrap_or(u64::MAX).max(1))
    }
}

/// The same body, but waiting for more of it fails with [`io::ErrorKind::TimedOut`]: where it
/// is not all there within `limit` of `began` or, where a handler has allowed a pace, below that.
pub(super) fn paced(
    body: Body,
    began: Instant,
    limit: Duration,
    pace: BodyPace,
    state: SharedState,
) -> Body {
    let deadline = began + limit;
    let begin = (body.into_bytes_stream(), Duration::ZERO, 0);
    let chunks = try_unfold(begin, move |(mut chunks, mut waited, mut brought)| {
        let (state, pace) = (state.clone(), pace.clone());
        async move {
            let now = Instant::now();
            let least = pace.bytes_within(limit);
            let patience = match least {
                Some(_) => limit.saturating_sub(waited),
                None => deadline.saturating_duration_since(now),
            };
            let chunk = {
                let _waiting = state.wait_for_body();
                timeout(patience, chunks.try_next()).await??
            };
            let Some(chunk) = chunk else {
                pace.0.is_read.store(true, Ordering::Relaxed);
                return Ok(None);
            };
            if let Some(least) = least {
                waited += now.elapsed();
                brought += chunk.len() as u64;
                if brought >= least {
                    (waited, brought) = (Duration::ZERO, 0);
                }
            }
            io::Result::Ok(Some((chunk, (chunks, waited, brought))))
        }
    });
    Body::from_bytes_stream(chunks)
}
