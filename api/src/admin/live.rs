//! `GET /admin/overview/events`: the overview, again and again, for as long as the key works.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::accounts::KeptAdminKey;
use futures_util::{StreamExt, stream};
use poem::{Body, Request, Response};
use poem_openapi::types::{ParseFromParameter, ToJSON};
use serde::Deserialize;

use super::key_check::Shown;
use super::routes::overview::{self, OverviewRange};
use super::state::AdminState;
use crate::http::error::{ApiError, ErrorKind};

pub(super) const PATH: &str = "/admin/overview/events";

/// From one to the next. The server's own deadline for silent connections is far longer.
const EVERY: Duration = Duration::from_secs(2);
/// Streams at once, in this process.
const MOST: usize = 20;
const MOST_OF_A_KEY: usize = 3;
/// What browsers are told: come back soon when the stream ends.
const GREETING: &str = "retry: 2000\n\n";

/// How many streams each key has open, by its id. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Watchers(Arc<Mutex<HashMap<i64, usize>>>);

impl Watchers {
    fn begin(&self, key_id: i64) -> Result<Place, ErrorKind> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let of_key = open.get(&key_id).copied().unwrap_or(0);
        if of_key >= MOST_OF_A_KEY {
            return Err(ErrorKind::TooManyStreams);
        }
        if all >= MOST {
            return Err(ErrorKind::Overloaded);
        }
        open.insert(key_id, of_key + 1);
        Ok(Place { watchers: self.clone(), key_id })
    }
}

/// One stream, until this is dropped.
struct Place {
    watchers: Watchers,
    key_id: i64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.watchers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_key) = open.get_mut(&self.key_id) {
            *of_key = of_key.saturating_sub(1);
        }
        open.retain(|_, of_key| *of_key > 0);
    }
}

#[derive(Deserialize)]
struct Asked {
    range: Option<String>,
}

/// The stream. It ends when the process is asked to stop, when the key ends, and when the database
/// does not say whether it has.
pub(super) fn events(request: &Request, state: &Arc<AdminState>) -> Result<Response, ApiError> {
    let Asked { range } = request.params().map_err(|_| ErrorKind::InvalidParameter)?;
    let range = range.map(|range| OverviewRange::parse_from_parameter(&range)).transpose();
    let range = range.map_err(|_| ErrorKind::InvalidParameter)?.unwrap_or_default();
    let shown = request.extensions().get::<Shown>().ok_or(ErrorKind::Unauthorized)?.clone();
    let holder = request.extensions().get::<Arc<KeptAdminKey>>().ok_or(ErrorKind::Unauthorized)?;
    let place = state.watchers.begin(holder.id)?;
    let state = Arc::clone(state);
    let live = stream::unfold((state, shown, place, false), move |(state, shown, place, waits)| {
        async move {
            if waits {
                tokio::select! {
                    biased;
                    () = state.stop.cancelled() => return None,
                    () = tokio::time::sleep(EVERY) => {}
                }
                if !matches!(shown.holder(&state).await, Ok(Some(_))) {
                    return None;
                }
            }
            // JSON has no line breaks, so it is one line of data.
            let overview = overview::read(&state, range).await.to_json_string();
            Some((format!("data: {overview}\n\n"), (state, shown, place, true)))
        }
    });
    let events = stream::once(async { GREETING.to_owned() }).chain(live);
    Ok(Response::builder()
        .content_type("text/event-stream; charset=utf-8")
        .body(Body::from_bytes_stream(events.map(Ok::<_, std::io::Error>))))
}
