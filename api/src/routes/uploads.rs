//! Uploading files: tus 1.0 at `/files`, and `POST /files` for what fits into one request.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use common::accounts::entities::file;
use common::domain::file_name::FileName;
use common::domain::ids::FileId;
use common::files::{FileError, StorageError};
use futures_util::stream::try_unfold;
use futures_util::{Stream, TryStreamExt};
use http::header;
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode};
use poem::{Endpoint, IntoResponse, Request, Response};
use poem_openapi::ApiResponse;
use poem_openapi::payload::Json;

use super::files::File;
use crate::http::error::{ApiError, ErrorKind, Failures};
use crate::http::tus::{self, Checksum, Metadata};
use crate::http::upload_body::{Chunks, UnreadBody};
use crate::service::files::uploads::{
    self, Announcement, BytesCheck, UploadEnds, UploadError, Writing,
};
use crate::service::sessions::CurrentUser;
use crate::state::AppState;

/// What this speaks.
#[derive(ApiResponse, Debug)]
pub enum TusAbilities {
    /// Done
    #[oai(status = 204)]
    Told(
        /// Versions of tus
        #[oai(header = "Tus-Version")]
        String,
        /// Extensions of tus
        #[oai(header = "Tus-Extension")]
        String,
        /// The bytes of a file; none where there is no limit
        #[oai(header = "Tus-Max-Size")]
        Option<String>,
        /// Algorithms of `Upload-Checksum`
        #[oai(header = "Tus-Checksum-Algorithm")]
        String,
    ),
}

/// The file is announced or, without tus, uploaded.
#[derive(ApiResponse, Debug)]
pub enum Announced {
    /// Created
    #[oai(status = 201)]
    Created(
        Json<File>,
        /// Where the file is
        #[oai(header = "Location")]
        String,
        /// With tus: how many bytes are there
        #[oai(header = "Upload-Offset")]
        Option<u64>,
        /// With tus: when the upload is given up, unless it moves (RFC 9110)
        #[oai(header = "Upload-Expires")]
        Option<String>,
    ),
}

/// The bytes are kept.
#[derive(ApiResponse, Debug)]
pub enum PieceKept {
    /// Done
    #[oai(status = 204)]
    Kept(
        /// How many bytes are there
        #[oai(header = "Upload-Offset")]
        u64,
        /// When the upload is given up, unless it moves (RFC 9110)
        #[oai(header = "Upload-Expires")]
        Option<String>,
    ),
}

impl Announced {
    /// As the metrics have it.
    pub(super) fn result(&self) -> &'static str {
        let Self::Created(Json(file), _, offset, _) = self;
        match offset {
            _ if file.complete => "complete",
            Some(0) => "announced",
            _ => "kept",
        }
    }
}

impl PieceKept {
    /// As the metrics have it.
    pub(super) fn result(&self) -> &'static str {
        let Self::Kept(_, expires) = self;
        if expires.is_some() { "kept" } else { "complete" }
    }
}

#[derive(Debug)]
pub struct AbilitiesFailures;

impl Failures for AbilitiesFailures {
    const KINDS: &'static [ErrorKind] = &[];
}

#[derive(Debug)]
pub struct UploadFailures;

impl Failures for UploadFailures {
    const KINDS: &'static [ErrorKind] = &[
        ErrorKind::InvalidParameter,
        ErrorKind::InvalidPayload,
        ErrorKind::InvalidUpload,
        ErrorKind::InvalidFileName,
        ErrorKind::Unauthorized,
        ErrorKind::ForeignPage,
        ErrorKind::NotFound,
        ErrorKind::TooManyFiles,
        ErrorKind::NoFileRoom,
        ErrorKind::FilesOff,
        ErrorKind::RequestTimeout,
        ErrorKind::LengthRequired,
        ErrorKind::UnsupportedTusVersion,
        ErrorKind::FileTooLarge,
        ErrorKind::TooManyBytes,
        ErrorKind::UnsupportedMediaType,
        ErrorKind::FileTypeNotAllowed,
        ErrorKind::UploadLocked,
        ErrorKind::TooManyUploads,
        ErrorKind::ChecksumMismatch,
        ErrorKind::FileStoreUnavailable,
        ErrorKind::Stopping,
        ErrorKind::FileStoreFull,
    ];
}

#[derive(Debug)]
pub struct PieceFailures;

impl Failures for PieceFailures {
    const KINDS: &'static [ErrorKind] = &[
        ErrorKind::InvalidParameter,
        ErrorKind::InvalidPayload,
        ErrorKind::InvalidUpload,
        ErrorKind::Unauthorized,
        ErrorKind::ForeignPage,
        ErrorKind::NotFound,
        ErrorKind::FilesOff,
        ErrorKind::RequestTimeout,
        ErrorKind::WrongUploadOffset,
        ErrorKind::UploadExpired,
        ErrorKind::UnsupportedTusVersion,
        ErrorKind::TooManyBytes,
        ErrorKind::UnsupportedMediaType,
        ErrorKind::FileTypeNotAllowed,
        ErrorKind::UploadLocked,
        ErrorKind::TooManyUploads,
        ErrorKind::ChecksumMismatch,
        ErrorKind::FileStoreUnavailable,
        ErrorKind::Stopping,
        ErrorKind::FileStoreFull,
    ];
}

/// The headers of tus in an announcement.
#[derive(Debug)]
pub(super) struct AnnouncementHeaders {
    pub(super) length: Option<u64>,
    pub(super) metadata: Option<String>,
    pub(super) checksum: Option<String>,
}

/// The headers of tus with a piece.
#[derive(Debug)]
pub(super) struct PieceHeaders {
    pub(super) offset: Option<u64>,
    pub(super) checksum: Option<String>,
}

/// What uploads can do.
pub(super) fn abilities(state: &AppState) -> TusAbilities {
    let most = state.files.most_bytes;
    TusAbilities::Told(
        tus::VERSION.to_owned(),
        tus::EXTENSIONS.to_owned(),
        (most > 0).then(|| most.to_string()),
        tus::CHECKSUM_ALGORITHMS.to_owned(),
    )
}

/// Uploads a file, or announces one.
pub(super) async fn upload(
    state: &Arc<AppState>,
    user_id: i64,
    headers: &HeaderMap,
    name: Option<&str>,
    told: AnnouncementHeaders,
    body: UnreadBody,
) -> Result<Announced, ApiError> {
    if !tus::is_spoken(headers) && told.length.is_none() {
        let named = name.map(tus::file_name).transpose()?;
        let file = upload_whole(state, user_id, headers, named, body).await?;
        let location = location(&file);
        return Ok(Announced::Created(Json(File::from(&file)), location, None, None));
    }
    tus::check_version(headers)?;
    if headers.contains_key("upload-defer-length") || headers.contains_key("upload-concat") {
        return Err(ErrorKind::InvalidUpload.into());
    }
    let size = told.length.ok_or(ErrorKind::InvalidUpload)?;
    let Metadata { name, media_type } =
        Metadata::parse(told.metadata.as_deref().unwrap_or_default())?;
    let check = checksum(told.checksum.as_deref())?;
    let has_bytes = body.length != Some(0);
    if has_bytes {
        check_piece(headers, &body, size)?;
    }
    let name = name.unwrap_or_else(FileName::unnamed);
    let ends = UploadEnds::WhenItExpires;
    let file = Announcement { name, declared_type: media_type, size, ends };
    let mut file = uploads::announce(state, user_id, file).await?;
    if has_bytes || size == 0 {
        file = begin(state, user_id, file, check, body.chunks(state.files.slowest)).await?;
    }
    let (location, offset, expires) = (location(&file), received(&file), expires(&file));
    Ok(Announced::Created(Json(File::from(&file)), location, Some(offset), expires))
}

/// Takes the first bytes of a file that its client does not know yet.
async fn begin(
    state: &Arc<AppState>,
    user_id: i64,
    file: file::Model,
    check: Option<Box<dyn BytesCheck>>,
    chunks: Chunks,
) -> Result<file::Model, ApiError> {
    let id = id_of(&file)?;
    let ends = UploadEnds::WhenItExpires;
    let writing = Writing { user_id, id: id.clone(), offset: 0, check, is_whole: false, ends };
    match uploads::write(state, writing, chunks).await {
        Ok(file) => Ok(file),
        Err(error @ (UploadError::NotAllowed | UploadError::ChecksumMismatch)) => {
            uploads::remove(state, user_id, &id).await;
            Err(error.into())
        }
        // What came is told, and the rest can be sent.
        Err(error) => {
            tracing::info!(event = "upload_broken_off", file = file.id, %error);
            Ok(uploads::status(state, user_id, &id).await?)
        }
    }
}

/// Takes more bytes of a file.
pub(super) async fn resume(
    state: &Arc<AppState>,
    user_id: i64,
    headers: &HeaderMap,
    id: &str,
    told: PieceHeaders,
    body: UnreadBody,
) -> Result<PieceKept, ApiError> {
    tus::check_version(headers)?;
    let id = FileId::parse(id).ok_or(ErrorKind::NotFound)?;
    let offset = told.offset.ok_or(ErrorKind::InvalidUpload)?;
    let check = checksum(told.checksum.as_deref())?;
    let file = uploads::status(state, user_id, &id).await?;
    if state.accounts.is_leased(&file).await? {
        return Err(ErrorKind::UploadLocked.into());
    }
    if offset != received(&file) {
        return Err(ErrorKind::WrongUploadOffset.into());
    }
    let size = u64::try_from(file.size).unwrap_or_default();
    check_piece(headers, &body, size.saturating_sub(offset))?;
    let ends = UploadEnds::WhenItExpires;
    let writing = Writing { user_id, id, offset, check, is_whole: false, ends };
    let file = uploads::write(state, writing, body.chunks(state.files.slowest)).await?;
    Ok(PieceKept::Kept(received(&file), expires(&file)))
}

/// Whether a body is a piece of a file, of which so many bytes are missing.
fn check_piece(headers: &HeaderMap, body: &UnreadBody, missing: u64) -> Result<(), ErrorKind> {
    if headers.get(header::CONTENT_TYPE).is_none_or(|told| told != tus::PIECE) {
        return Err(ErrorKind::UnsupportedMediaType);
    }
    match body.length {
        Some(length) if length > missing => Err(ErrorKind::TooManyBytes),
        _ => Ok(()),
    }
}

fn checksum(text: Option<&str>) -> Result<Option<Box<dyn BytesCheck>>, ErrorKind> {
    let checksum = text.map(Checksum::parse).transpose()?;
    Ok(checksum.map(|checksum| Box::new(checksum) as Box<dyn BytesCheck>))
}

impl BytesCheck for Checksum {
    fn update(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }

    fn fits(self: Box<Self>) -> bool {
        (*self).fits()
    }
}

/// A file in one request. It is there as a whole or not at all.
async fn upload_whole(
    state: &Arc<AppState>,
    user_id: i64,
    headers: &HeaderMap,
    named: Option<FileName>,
    body: UnreadBody,
) -> Result<file::Model, ApiError> {
    let length = body.length.ok_or(ErrorKind::LengthRequired)?;
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let content_type = text(header::CONTENT_TYPE);
    let boundary = content_type.and_then(|told| multer::parse_boundary(told).ok());
    if boundary.is_none() && content_type.is_some_and(|told| told.starts_with("multipart/")) {
        return Err(ErrorKind::UnsupportedMediaType.into());
    }
    let slowest = state.files.slowest;
    if let Some(boundary) = boundary {
        return upload_form(state, user_id, named, boundary, length, body).await;
    }
    let disposition = text(header::CONTENT_DISPOSITION).map(tus::disposition_name).transpose()?;
    let file = Announcement {
        name: named.or(disposition.flatten()).unwrap_or_else(FileName::unnamed),
        declared_type: content_type.and_then(tus::media_type),
        size: length,
        ends: UploadEnds::WithItsRequest,
    };
    let file = uploads::announce(state, user_id, file).await?;
    write_whole(state, user_id, &file, false, body.chunks(slowest)).await
}

async fn write_whole<S>(
    state: &Arc<AppState>,
    user_id: i64,
    file: &file::Model,
    is_shorter: bool,
    chunks: S,
) -> Result<file::Model, ApiError>
where
    S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
{
    let id = id_of(file)?;
    let writing = Writing {
        user_id,
        id: id.clone(),
        offset: 0,
        check: None,
        is_whole: is_shorter,
        ends: UploadEnds::WithItsRequest,
    };
    match uploads::write(state, writing, chunks).await {
        Ok(file) if file.completed_at.is_some() => Ok(file),
        written => {
            uploads::remove(state, user_id, &id).await;
            written.and(Err(UploadError::BrokenOff)).map_err(ApiError::from)
        }
    }
}

/// A form whose field `file` is the file, or else the first field that has a file's name.
async fn upload_form(
    state: &Arc<AppState>,
    user_id: i64,
    named: Option<FileName>,
    boundary: String,
    length: u64,
    body: UnreadBody,
) -> Result<file::Model, ApiError> {
    // All that can be known is known before the body is read, so its length stands for the file's.
    let mut file = Announcement {
        name: FileName::unnamed(),
        declared_type: None,
        size: length,
        ends: UploadEnds::WithItsRequest,
    };
    uploads::check(state, &file)?;
    let is_in_file = Arc::new(AtomicBool::new(false));
    let chunks = form_chunks(body.chunks(state.files.slowest), Arc::clone(&is_in_file));
    let mut form = multer::Multipart::new(chunks, boundary);
    let field = loop {
        match form.next_field().await.map_err(broken_form)? {
            Some(field) if field.name() == Some("file") || field.file_name().is_some() => {
                break field;
            }
            Some(_) => {}
            None => return Err(ErrorKind::InvalidUpload.into()),
        }
    };
    let in_form = field.file_name().map(tus::file_name).transpose()?;
    file.declared_type =
        field.content_type().map(ToString::to_string).as_deref().and_then(tus::media_type);
    file.name = named.or(in_form).unwrap_or_else(FileName::unnamed);
    let file = uploads::announce(state, user_id, file).await?;
    is_in_file.store(true, Ordering::Relaxed);
    let chunks = Box::pin(field.map_err(io_error));
    let file = write_whole(state, user_id, &file, true, chunks).await?;
    is_in_file.store(false, Ordering::Relaxed);
    // What follows the file is read, so that the connection can go on.
    while form.next_field().await.is_ok_and(|field| field.is_some()) {}
    Ok(file)
}

/// Of a form but for its file: multer keeps in memory what comes before a boundary, and the fields'
/// heads.
const FORM_BYTES: usize = 64 * 1024;

/// multer takes all that is there at once, and a client that is faster than the disk would fill the
/// memory. So after each piece there is none for a moment. Not before the first: multer 3.1.0 takes a
/// form for broken off whose pieces and end come together, but later than it asked for them.
fn form_chunks(
    chunks: Chunks,
    is_in_file: Arc<AtomicBool>,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let begin = (chunks, is_in_file, None);
    try_unfold(begin, |(mut chunks, is_in_file, before)| async move {
        let mut around = before.unwrap_or(0);
        if before.is_some() {
            tokio::task::yield_now().await;
        }
        if around > FORM_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a form with too much around"));
        }
        let chunk = chunks.try_next().await?;
        if !is_in_file.load(Ordering::Relaxed) {
            around += chunk.as_ref().map_or(0, Bytes::len);
        }
        Ok(chunk.map(|chunk| (chunk, (chunks, is_in_file, Some(around)))))
    })
}

fn io_error(error: multer::Error) -> io::Error {
    match error {
        multer::Error::StreamReadFailed(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

fn broken_form(error: multer::Error) -> ApiError {
    match io_error(error).kind() {
        io::ErrorKind::TimedOut => ErrorKind::RequestTimeout.into(),
        _ => ErrorKind::InvalidUpload.into(),
    }
}

fn id_of(file: &file::Model) -> Result<FileId, ErrorKind> {
    FileId::parse(&file.id).ok_or(ErrorKind::Internal)
}

fn location(file: &file::Model) -> String {
    format!("{}/{}", tus::PATH, file.id)
}

fn received(file: &file::Model) -> u64 {
    u64::try_from(file.received).unwrap_or_default()
}

/// Of a file that is not complete.
fn expires(file: &file::Model) -> Option<String> {
    let is_complete = file.completed_at.is_some();
    (!is_complete).then(|| httpdate::fmt_http_date(file.expires_at.into()))
}

/// Answers the `HEAD` of tus, which says how far an upload has come. Any other one is a `GET`
/// without its body, and so are those of the document.
#[derive(Debug)]
pub(crate) struct UploadStatus<'a, E>(pub(crate) &'a E);

impl<E: Endpoint<Output = Response>> Endpoint for UploadStatus<'_, E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let id = request.uri().path().strip_prefix("/files/").map(FileId::parse);
        match id {
            Some(id) if request.method() == Method::HEAD && tus::is_spoken(request.headers()) => {
                Ok(tell_status(&request, id).await?)
            }
            _ => self.0.call(request).await,
        }
    }
}

async fn tell_status(request: &Request, id: Option<FileId>) -> Result<Response, ApiError> {
    let data = request.extensions();
    let current = data.get::<Arc<CurrentUser>>().ok_or(ErrorKind::Unauthorized)?;
    let state = data.get::<Arc<AppState>>().ok_or(ErrorKind::Internal)?;
    tus::check_version(request.headers())?;
    let id = id.ok_or(ErrorKind::NotFound)?;
    let file = uploads::status(state, current.user.id, &id).await?;
    let metadata = Metadata::text(&file.name, file.declared_type.as_deref());
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert("upload-offset", HeaderValue::from(file.received));
    headers.insert("upload-length", HeaderValue::from(file.size));
    if let Ok(metadata) = HeaderValue::try_from(metadata) {
        headers.insert("upload-metadata", metadata);
    }
    if let Some(expires) = expires(&file).and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert("upload-expires", expires);
    }
    Ok(response)
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        let kind = match error {
            UploadError::Off => ErrorKind::FilesOff,
            UploadError::TooLarge => ErrorKind::FileTooLarge,
            UploadError::TooManyFiles => ErrorKind::TooManyFiles,
            UploadError::NoRoom => ErrorKind::NoFileRoom,
            UploadError::NoUser => ErrorKind::Unauthorized,
            UploadError::NotAllowed => ErrorKind::FileTypeNotAllowed,
            UploadError::Unknown => ErrorKind::NotFound,
            UploadError::Expired => ErrorKind::UploadExpired,
            UploadError::Locked => ErrorKind::UploadLocked,
            UploadError::TooMany => ErrorKind::TooManyUploads,
            UploadError::WrongOffset => ErrorKind::WrongUploadOffset,
            UploadError::TooManyBytes => ErrorKind::TooManyBytes,
            UploadError::ChecksumMismatch => ErrorKind::ChecksumMismatch,
            UploadError::TooSlow => ErrorKind::RequestTimeout,
            UploadError::BrokenOff => ErrorKind::InvalidPayload,
            UploadError::Stopping => ErrorKind::Stopping,
            UploadError::File(FileError::Accounts(error)) => return error.into(),
            UploadError::File(FileError::Storage(error)) => {
                // The file itself is known.
                let is_missing = matches!(error, StorageError::NotFound);
                let told = Self::from(error);
                return if is_missing { ErrorKind::FileStoreUnavailable.into() } else { told };
            }
        };
        kind.into()
    }
}
