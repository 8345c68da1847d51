//! A handler that panics is answered with a 500.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use poem::http::header;
use poem::{IntoResponse, Response};

use super::error::{ApiError, ErrorKind};

pub(super) async fn catch(answer: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(event = "panic", "a handler panicked");
        // Whatever the handler was doing, its connection is not to be trusted with another request.
        ApiError::from(ErrorKind::FailedToRecover)
            .with_header(header::CONNECTION, "close")
            .into_response()
    })
}
