//! `/files`: what a user keeps here.

use std::sync::Arc;

use common::accounts::entities::file;
use common::domain::ids::FileId;
use data_encoding::HEXLOWER;
use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Object, OpenApi};
use time::OffsetDateTime;
use time::macros::datetime;

use super::file_download::{Download, is_head, served};
use super::payloads::NullableText;
use super::uploads::{
    AbilitiesFailures, Announced, AnnouncementHeaders, PieceFailures, PieceHeaders, PieceKept,
    TusAbilities, UploadFailures,
};
use super::{Tag, paging, uploads};
use crate::http::bearer::BearerToken;
use crate::http::error::{ApiError, ErrorKind, Failure, Failures};
use crate::http::upload_body::{FileBody, PieceBody};
use crate::metrics;
use crate::service::files::downloads;
use crate::state::AppState;

#[derive(Debug)]
pub struct FilesApi;

/// A part of the list, newest first.
#[derive(Debug, Object)]
#[oai(example)]
pub struct FileList {
    /// The files.
    data: Vec<File>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: NullableText,
}

/// A file of the user, or an upload that is to become one.
#[derive(Debug, Object)]
#[oai(example)]
pub struct File {
    /// The file's id.
    pub(super) id: String,
    /// As its client named it, without a path.
    pub(super) name: String,
    /// In bytes.
    pub(super) size: u64,
    /// How many of its bytes are there.
    pub(super) received: u64,
    /// Its media type, as its first bytes tell; null until they are there.
    pub(super) media_type: NullableText,
    /// SHA-256 of all bytes in hexadecimal; null until they are there.
    pub(super) sha256: NullableText,
    /// When it was announced (RFC 3339, UTC).
    pub(super) created_at: OffsetDateTime,
    /// Whether it can be downloaded.
    pub(super) complete: bool,
}

/// It is gone.
#[derive(ApiResponse, Debug)]
pub enum Deleted {
    /// Done
    #[oai(status = 204)]
    Done,
}

#[derive(Debug)]
pub struct ListFailures;

impl Failures for ListFailures {
    const KINDS: &'static [ErrorKind] = &[ErrorKind::InvalidParameter, ErrorKind::Unauthorized];
}

#[derive(Debug)]
pub struct DownloadFailures;

impl Failures for DownloadFailures {
    const KINDS: &'static [ErrorKind] = &[
        ErrorKind::InvalidParameter,
        ErrorKind::Unauthorized,
        ErrorKind::NotFound,
        ErrorKind::PreconditionFailed,
        ErrorKind::RangeNotSatisfiable,
        ErrorKind::FileStoreUnavailable,
    ];
}

#[derive(Debug)]
pub struct OneFailures;

impl Failures for OneFailures {
    const KINDS: &'static [ErrorKind] =
        &[ErrorKind::Unauthorized, ErrorKind::ForeignPage, ErrorKind::NotFound];
}

#[OpenApi]
impl FilesApi {
    /// See what uploads can do
    ///
    /// As tus 1.0 has it (<https://tus.io/protocols/resumable-upload>).
    #[oai(path = "/files", method = "options", tag = "Tag::Files", operation_id = "uploadOptions")]
    #[expect(clippy::unused_async, reason = "operations are asynchronous")]
    async fn abilities(
        &self,
        state: Data<&Arc<AppState>>,
    ) -> Result<TusAbilities, Failure<AbilitiesFailures>> {
        Ok(uploads::abilities(&state))
    }

    /// Upload a file, or announce one
    ///
    /// Without `Tus-Resumable` the body is the file, or a form whose field `file` is the file. It
    /// needs a `Content-Length`, and what breaks off is gone.
    ///
    /// With `Tus-Resumable: 1.0.0` this announces a file of `Upload-Length` bytes (tus, creation).
    /// Its bytes come with `PATCH`, or begin in this body, of the type
    /// `application/offset+octet-stream` (creation-with-upload).
    #[oai(path = "/files", method = "post", tag = "Tag::Files", operation_id = "uploadFile")]
    #[expect(clippy::too_many_arguments, reason = "these are the headers of tus")]
    async fn upload(
        &self,
        state: Data<&Arc<AppState>>,
        request: &Request,
        current: BearerToken,
        /// Without tus: the file's name. `Content-Disposition` may have it too, and a form does.
        name: Query<Option<String>>,
        /// `1.0.0`, where the upload is to be resumable.
        #[oai(name = "Tus-Resumable")]
        _tus_resumable: Header<Option<String>>,
        /// With tus: the bytes of the whole file.
        #[oai(name = "Upload-Length")]
        length: Header<Option<u64>>,
        /// With tus: pairs of a key and a value in base64, of which `filename` and `filetype` count.
        #[oai(name = "Upload-Metadata")]
        metadata: Header<Option<String>>,
        /// With tus: `sha1` or `sha256`, and the hash of the body in base64.
        #[oai(name = "Upload-Checksum")]
        checksum: Header<Option<String>>,
        body: FileBody,
    ) -> Result<Announced, Failure<UploadFailures>> {
        let told =
            AnnouncementHeaders { length: length.0, metadata: metadata.0, checksum: checksum.0 };
        let (user_id, body) = (current.0.user.id, body.0);
        let name = name.0.as_deref();
        let uploaded = uploads::upload(*state, user_id, request.headers(), name, told, body).await;
        metrics::upload_ended(uploaded.as_ref().map(Announced::result).map_err(ApiError::code));
        Ok(uploaded?)
    }

    /// Send more bytes of a file
    ///
    /// As tus 1.0 has it. The bytes belong at `Upload-Offset`, which is how many are there: `HEAD`
    /// with `Tus-Resumable` tells that. The file is complete with its last byte.
    #[oai(
        path = "/files/:file_id",
        method = "patch",
        tag = "Tag::Files",
        operation_id = "resumeUpload"
    )]
    #[expect(clippy::too_many_arguments, reason = "these are the headers of tus")]
    async fn resume(
        &self,
        state: Data<&Arc<AppState>>,
        request: &Request,
        current: BearerToken,
        /// The file's id, 26 characters.
        #[oai(example = "example_id")]
        file_id: Path<String>,
        /// `1.0.0`
        #[oai(name = "Tus-Resumable")]
        _tus_resumable: Header<Option<String>>,
        /// How many bytes are there.
        #[oai(name = "Upload-Offset")]
        offset: Header<Option<u64>>,
        /// `sha1` or `sha256`, and the hash of the body in base64. A body that does not fit counts
        /// nothing.
        #[oai(name = "Upload-Checksum")]
        checksum: Header<Option<String>>,
        body: PieceBody,
    ) -> Result<PieceKept, Failure<PieceFailures>> {
        let told = PieceHeaders { offset: offset.0, checksum: checksum.0 };
        let (user_id, body) = (current.0.user.id, body.0);
        let kept = uploads::resume(*state, user_id, request.headers(), &file_id, told, body).await;
        metrics::upload_ended(kept.as_ref().map(PieceKept::result).map_err(ApiError::code));
        Ok(kept?)
    }

    /// See the user's files
    #[oai(path = "/files", method = "get", tag = "Tag::Files", operation_id = "listFiles")]
    async fn list(
        &self,
        state: Data<&Arc<AppState>>,
        current: BearerToken,
        /// The most that the answer lists.
        #[oai(
            default = "paging::default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
        /// Where to go on: the `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<FileList>, Failure<ListFailures>> {
        let page = paging::request(*limit, cursor.as_deref())?;
        let page = state.accounts.files(current.0.user.id, page).await?;
        let next_cursor = NullableText(page.next.map(|cursor| cursor.to_string()));
        Ok(Json(FileList { data: page.rows.iter().map(File::from).collect(), next_cursor }))
    }

    /// Download a file
    ///
    /// Answers one `Range`, `If-Range`, `If-None-Match` and the other conditions of RFC 9110, and
    /// `HEAD`. The `ETag` is the file's SHA-256. The type is what the first bytes tell, whatever the
    /// client that uploaded it said.
    #[oai(
        path = "/files/:file_id",
        method = "get",
        tag = "Tag::Files",
        operation_id = "downloadFile"
    )]
    async fn download(
        &self,
        state: Data<&Arc<AppState>>,
        request: &Request,
        current: BearerToken,
        /// The file's id, 26 characters.
        #[oai(example = "example_id")]
        file_id: Path<String>,
        /// Shows it in place instead of saving it, where it is a picture, sound or a film.
        inline: Query<Option<bool>>,
    ) -> Result<Download, Failure<DownloadFailures>> {
        let id = FileId::parse(&file_id).ok_or(ErrorKind::NotFound)?;
        let file = downloads::find(*state, current.0.user.id, &id).await?;
        let file = file.ok_or(ErrorKind::NotFound)?;
        let served = served(&file, inline.unwrap_or(false));
        let wanted = served.wanted(request.headers());
        Ok(Download::of(*state, &file, &served, &wanted, is_head(request)).await?)
    }

    /// Delete a file
    ///
    /// Complete or not, with its links. It is gone at once; its bytes go soon after.
    #[oai(
        path = "/files/:file_id",
        method = "delete",
        tag = "Tag::Files",
        operation_id = "deleteFile"
    )]
    async fn delete(
        &self,
        state: Data<&Arc<AppState>>,
        current: BearerToken,
        /// The file's id, 26 characters.
        #[oai(example = "example_id")]
        file_id: Path<String>,
    ) -> Result<Deleted, Failure<OneFailures>> {
        let id = FileId::parse(&file_id).ok_or(ErrorKind::NotFound)?;
        match downloads::remove(*state, current.0.user.id, &id).await? {
            true => Ok(Deleted::Done),
            false => Err(ErrorKind::NotFound.into()),
        }
    }
}

impl From<&file::Model> for File {
    fn from(file: &file::Model) -> Self {
        let bytes = |number: i64| u64::try_from(number).unwrap_or_default();
        Self {
            id: file.id.clone(),
            name: file.name.clone(),
            size: bytes(file.size),
            received: bytes(file.received),
            media_type: NullableText(file.sniffed_type.clone()),
            sha256: NullableText(file.sha256.as_ref().map(|hash| HEXLOWER.encode(hash))),
            created_at: file.created_at,
            complete: file.completed_at.is_some(),
        }
    }
}

impl Example for FileList {
    fn example() -> Self {
        Self { data: vec![File::example()], next_cursor: NullableText(None) }
    }
}

impl Example for File {
    fn example() -> Self {
        let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        Self {
            id: example_id(),
            name: "holiday.jpg".to_owned(),
            size: 2_400_000,
            received: 2_400_000,
            media_type: NullableText(Some("image/jpeg".to_owned())),
            sha256: NullableText(Some(hash.to_owned())),
            created_at: datetime!(2026-11-30 07:04:59 UTC),
            complete: true,
        }
    }
}

pub(super) fn example_id() -> String {
    "m4q7n2w5zc6x3v2b7t6h4y5xke".to_owned()
}
