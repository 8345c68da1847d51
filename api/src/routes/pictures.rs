//! `/me/picture`, and pictures as everybody sees them.

use std::sync::Arc;

use common::accounts::OwnPicture;
use common::domain::client::Client;
use common::domain::ids::PictureId;
use common::domain::picture;
use common::files::pictures::made_key;
use poem::web::Data;
use poem::{Body, Request};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};

use super::Tag;
use super::file_download::{Download, is_head};
use super::files::Deleted;
use super::payloads::NullableText;
use crate::http::bearer::BearerToken;
use crate::http::error::{ApiError, ErrorKind, Failure, Failures};
use crate::http::file_answer::{ServedFile, Wanted};
use crate::http::upload_body::PictureBody;
use crate::service::files::pictures::{self, PictureError};
use crate::state::AppState;

/// A picture never changes; one that is replaced has another URL. Those who have it keep it for a
/// day.
const CACHE: &str = "public, max-age=86400";

#[derive(Debug)]
pub struct PicturesApi;

/// The user's picture, and what becomes of the one that was put last.
#[derive(Debug, Object)]
#[oai(example)]
pub struct Picture {
    /// Where everybody sees the user's picture; null where they have none. Without a host where
    /// PUBLIC_URL is not set.
    url: NullableText,
    /// Whether one is being made of what was put last.
    being_made: bool,
    /// Why none could be made of what was put last.
    #[oai(skip_serializing_if_is_none)]
    fault: Option<PictureFault>,
}

/// `not_a_picture`: it is no JPEG, PNG or WebP. `too_many_pixels`: it has more than 25 million, or
/// more than 16,384 on a side. `damaged`: it breaks off, or says what cannot be. `too_costly`:
/// decoding it takes more time or memory than a picture may.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case", remote = "picture::PictureFault")]
pub enum PictureFault {
    NotAPicture,
    TooManyPixels,
    Damaged,
    TooCostly,
}

/// It is taken.
#[derive(ApiResponse, Debug)]
pub enum PictureTaken {
    /// Accepted: the picture is made within seconds
    #[oai(status = 202)]
    Taken(Json<Picture>),
}

#[derive(Debug)]
pub struct ReadFailures;

impl Failures for ReadFailures {
    const KINDS: &'static [ErrorKind] = &[ErrorKind::Unauthorized];
}

#[derive(Debug)]
pub struct PutFailures;

impl Failures for PutFailures {
    const KINDS: &'static [ErrorKind] = &[
        ErrorKind::InvalidPayload,
        ErrorKind::Unauthorized,
        ErrorKind::FilesOff,
        ErrorKind::RequestTimeout,
        ErrorKind::PictureTooLarge,
        ErrorKind::NotAPicture,
        ErrorKind::TooManyPictures,
        ErrorKind::FileStoreUnavailable,
        ErrorKind::FileStoreFull,
    ];
}

#[derive(Debug)]
pub struct SeeFailures;

impl Failures for SeeFailures {
    const KINDS: &'static [ErrorKind] = &[
        ErrorKind::NotFound,
        ErrorKind::PreconditionFailed,
        ErrorKind::RangeNotSatisfiable,
        ErrorKind::FileStoreUnavailable,
    ];
}

#[OpenApi]
impl PicturesApi {
    /// See the user's picture
    ///
    /// Also whether one is being made, and why none could be.
    #[oai(path = "/me/picture", method = "get", tag = "Tag::Account", operation_id = "getPicture")]
    async fn own(
        &self,
        state: Data<&Arc<AppState>>,
        current: BearerToken,
    ) -> Result<Json<Picture>, Failure<ReadFailures>> {
        Ok(Json(own(*state, current.0.user.id).await?))
    }

    /// Change the picture
    ///
    /// Send a JPEG, PNG or WebP, whatever its `Content-Type`. The middle of it becomes a square WebP
    /// of 512 pixels at most, turned as the file says, with nothing else of the file in it: neither
    /// place nor camera. It takes the place of the picture before, and has another URL; until then
    /// that one stays, and it stays where none can be made.
    #[oai(path = "/me/picture", method = "put", tag = "Tag::Account", operation_id = "putPicture")]
    async fn put(
        &self,
        state: Data<&Arc<AppState>>,
        client: Data<&Client>,
        current: BearerToken,
        body: PictureBody,
    ) -> Result<PictureTaken, Failure<PutFailures>> {
        let body = body.0;
        let (length, slowest) = (body.length, state.files.slowest);
        pictures::put(*state, &current.0, *client, length, || body.chunks(slowest)).await?;
        Ok(PictureTaken::Taken(Json(own(*state, current.0.user.id).await?)))
    }

    /// Remove the picture
    ///
    /// Also one that is being made. Its URL gets 404 from then on.
    #[oai(
        path = "/me/picture",
        method = "delete",
        tag = "Tag::Account",
        operation_id = "deletePicture"
    )]
    async fn remove(
        &self,
        state: Data<&Arc<AppState>>,
        client: Data<&Client>,
        current: BearerToken,
    ) -> Result<Deleted, Failure<ReadFailures>> {
        let (user_id, session) = (current.0.user.id, &current.0.session.id);
        state.accounts.remove_picture(user_id, session, *client, state.clock.now()).await?;
        tracing::info!(event = "picture_removed", user_id);
        Ok(Deleted::Done)
    }

    /// See somebody's picture
    ///
    /// By anybody who knows its URL, which cannot be guessed. Caches may keep it for a day.
    #[oai(
        path = "/pictures/:picture_id",
        method = "get",
        tag = "Tag::Files",
        operation_id = "downloadPicture"
    )]
    async fn see(
        &self,
        state: Data<&Arc<AppState>>,
        request: &Request,
        /// The picture's id, 26 characters.
        #[oai(example = "example_id")]
        picture_id: Path<String>,
    ) -> Result<Download, Failure<SeeFailures>> {
        let id = PictureId::parse(&picture_id).ok_or(ErrorKind::NotFound)?;
        let made = state.accounts.made_picture(&id).await?.ok_or(ErrorKind::NotFound)?;
        let served = ServedFile {
            name: "picture.webp".to_owned(),
            media_type: "image/webp".to_owned(),
            size: u64::try_from(made.size).unwrap_or_default(),
            hash: made.sha256,
            modified: made.made_at,
            in_place: true,
            in_parts: true,
            cache: CACHE,
        };
        let wanted = served.wanted(request.headers());
        let range = match &wanted {
            Wanted::Whole if !is_head(request) => 0..served.size,
            Wanted::Part(range) if !is_head(request) => range.clone(),
            _ => return Ok(Download::without_bytes(&served, &wanted)),
        };
        let storage = state.files.storage.as_ref().ok_or(ErrorKind::NotFound)?;
        let bytes = storage.read(&made_key(&id), range).await?;
        Ok(Download::with_bytes(*state, &served, &wanted, Body::from_bytes_stream(bytes)))
    }
}

async fn own(state: &AppState, user_id: i64) -> Result<Picture, ApiError> {
    let OwnPicture { id, is_being_made, fault } = state.accounts.own_picture(user_id).await?;
    Ok(Picture {
        url: NullableText(id.map(|id| url(state, &id))),
        being_made: is_being_made,
        fault: fault.map(Into::into),
    })
}

/// Where everybody sees a picture.
pub(crate) fn url(state: &AppState, id: &str) -> String {
    state.public_url(&format!("/pictures/{id}"))
}

impl From<PictureError> for ApiError {
    fn from(error: PictureError) -> Self {
        match error {
            PictureError::TooLarge => ErrorKind::PictureTooLarge.into(),
            PictureError::NotAPicture => ErrorKind::NotAPicture.into(),
            PictureError::TooOften(wait) => Self::retry_after(ErrorKind::TooManyPictures, wait),
            PictureError::Upload(error) => error.into(),
        }
    }
}

impl Example for Picture {
    fn example() -> Self {
        let url = format!("https://signin.example.com/pictures/{}", example_id());
        Self { url: NullableText(Some(url)), being_made: false, fault: None }
    }
}

fn example_id() -> String {
    "p4q7n2w5zc6x3v2b7t6h4y5xke".to_owned()
}
