//! `GET /admin/overview/events`: the overview, again and again, for as long as the key works.

use std::sync::Arc;
use std::time::Duration;

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
/// What browsers are told: come back soon when the stream ends.
const GREETING: &str = "retry: 2000\n\n";

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
    let place = Arc::clone(&state.overview.watchers).try_acquire_owned();
    let place = place.map_err(|_| ErrorKind::Overloaded)?;
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
