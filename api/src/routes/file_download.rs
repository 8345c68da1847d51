//! A file as the answer of an operation, and what the document says of it.

use common::accounts::entities::file;
use common::files::StorageError;
use futures_util::TryStreamExt;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Body, IntoResponse, Request, Response};
use poem_openapi::ApiResponse;
use poem_openapi::payload::{Binary, Payload};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};

use crate::http::error::{ApiError, ErrorKind};
use crate::http::file_answer::{ServedFile, Wanted};
use crate::http::middleware::AskedBy;
use crate::metrics;
use crate::server::PacedAnswer;
use crate::service::files::downloads::{self, Source};
use crate::state::AppState;

/// A file, a part of it, or word that the client has it already.
#[derive(Debug)]
pub struct Download(Response);

/// Caches of browsers may keep a file, and ask each time whether it is still there.
pub(super) const PRIVATE: &str = "private, no-cache";

/// A complete file, as it is served to somebody.
pub(super) fn served(file: &file::Model, in_place: bool) -> ServedFile {
    ServedFile {
        name: file.name.clone(),
        media_type: file.sniffed_type.clone().unwrap_or_default(),
        size: u64::try_from(file.size).unwrap_or_default(),
        hash: file.sha256.clone().unwrap_or_default(),
        modified: file.completed_at.unwrap_or(file.created_at),
        in_place,
        in_parts: true,
        cache: PRIVATE,
    }
}

/// Whether the request is a `HEAD`, which is led here as a `GET`.
pub(super) fn is_head(request: &Request) -> bool {
    request.extensions().get::<AskedBy>().is_some_and(|AskedBy(method)| *method == Method::HEAD)
}

impl Download {
    /// What a request wants of a file of the file store.
    pub(super) async fn of(
        state: &AppState,
        file: &file::Model,
        served: &ServedFile,
        wanted: &Wanted,
        is_head: bool,
    ) -> Result<Self, ApiError> {
        let range = match wanted {
            Wanted::Whole => 0..served.size,
            Wanted::Part(range) => range.clone(),
            Wanted::Nothing | Wanted::Another | Wanted::OutOfRange => {
                return Ok(Self::without_bytes(served, wanted));
            }
        };
        if is_head {
            return Ok(Self::without_bytes(served, wanted));
        }
        let (media_type, disposition) = (served.told_type(), served.disposition());
        match downloads::open(state, file, range, media_type, &disposition).await? {
            Source::Elsewhere(url) => Ok(Self(elsewhere(url.as_str()))),
            Source::Stream(bytes) => {
                let id = file.id.clone();
                let bytes = bytes.inspect_err(move |error| {
                    tracing::warn!(event = "download_broken_off", file = id, %error);
                });
                Ok(Self::with_bytes(state, served, wanted, Body::from_bytes_stream(bytes)))
            }
        }
    }

    /// An answer whose bytes take as long as they take.
    pub(super) fn with_bytes(
        state: &AppState,
        served: &ServedFile,
        wanted: &Wanted,
        bytes: Body,
    ) -> Self {
        let mut response = served.answer(wanted, Some(bytes));
        response.set_data(PacedAnswer { least_rate: state.files.slowest_download });
        Self(response)
    }

    pub(super) fn without_bytes(served: &ServedFile, wanted: &Wanted) -> Self {
        let refused = match wanted {
            Wanted::Another => ErrorKind::PreconditionFailed,
            Wanted::OutOfRange => ErrorKind::RangeNotSatisfiable,
            _ => return Self(served.answer(wanted, None)),
        };
        let described = served.answer(wanted, None);
        let mut response = ApiError::from(refused).into_response();
        response.headers_mut().extend(described.headers().clone());
        Self(response)
    }
}

/// For a minute, by whom it was told.
fn elsewhere(url: &str) -> Response {
    let mut response = Response::builder().status(StatusCode::FOUND).finish();
    if let Ok(url) = HeaderValue::try_from(url) {
        response.headers_mut().insert(header::LOCATION, url);
    }
    response
}

impl IntoResponse for Download {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for Download {
    fn meta() -> MetaResponses {
        let answer = |status: StatusCode, description, has_bytes: bool| MetaResponse {
            description,
            status: Some(status.as_u16()),
            status_range: None,
            content: if has_bytes { vec![bytes()] } else { Vec::new() },
            headers: Vec::new(),
        };
        MetaResponses {
            responses: vec![
                answer(StatusCode::OK, "All bytes", true),
                answer(StatusCode::PARTIAL_CONTENT, "The bytes of `Range`", true),
                answer(
                    StatusCode::FOUND,
                    "The object store hands the bytes out, at `Location`, for a minute",
                    false,
                ),
                answer(StatusCode::NOT_MODIFIED, "The client has it already", false),
            ],
        }
    }

    fn register(_: &mut Registry) {}
}

fn bytes() -> MetaMediaType {
    MetaMediaType {
        content_type: "application/octet-stream",
        schema: Binary::<Vec<u8>>::schema_ref(),
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        metrics::file_store_failed((&error).into());
        match error {
            StorageError::Busy => ErrorKind::Overloaded,
            StorageError::Full => {
                tracing::error!(event = "file_store_full");
                ErrorKind::FileStoreFull
            }
            error => {
                tracing::error!(event = "file_store_unavailable", %error);
                match error {
                    StorageError::NotFound => ErrorKind::NotFound,
                    _ => ErrorKind::FileStoreUnavailable,
                }
            }
        }
        .into()
    }
}
