//! Bodies that are files, or pieces of files: never in memory as a whole. Nothing is read until the
//! handler asks for it, so that what is refused is refused before.

use std::io;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use poem::{Body, Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::tus;
use crate::server::BodyPace;

/// Pieces of a body, as they come.
pub(crate) type Chunks = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// The body of `POST /files`.
#[derive(Debug)]
pub struct FileBody(UnreadBody);

/// The body of `PATCH /files/{file_id}`.
#[derive(Debug)]
pub struct PieceBody(UnreadBody);

/// The body of `PUT /me/picture`.
#[derive(Debug)]
pub struct PictureBody(UnreadBody);

/// A body that nobody has begun to read.
#[derive(Debug)]
pub(crate) struct UnreadBody {
    body: Body,
    pace: Option<BodyPace>,
    /// As its head announces it; none where it comes in chunks.
    pub(crate) length: Option<u64>,
}

impl UnreadBody {
    fn take(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let is_chunked = request.header("transfer-encoding").is_some();
        let length = request.header("content-length").and_then(|length| length.parse().ok());
        Ok(Self {
            body: body.take()?,
            pace: request.extensions().get().cloned(),
            length: if is_chunked { None } else { Some(length.unwrap_or(0)) },
        })
    }

    /// Begins to read: it may take as long as it brings so many bytes a second.
    pub(crate) fn chunks(self, slowest: u64) -> Chunks {
        if let Some(pace) = self.pace {
            pace.allow(slowest);
        }
        Box::pin(self.body.into_bytes_stream().into_stream())
    }
}

impl FileBody {
    pub(crate) fn into_inner(self) -> UnreadBody {
        self.0
    }
}

impl PictureBody {
    pub(crate) fn into_inner(self) -> UnreadBody {
        self.0
    }
}

impl PieceBody {
    pub(crate) fn into_inner(self) -> UnreadBody {
        self.0
    }
}

fn binary() -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "binary")))
}

fn described(description: &'static str) -> MetaSchemaRef {
    let schema = MetaSchema::new_with_format("string", "binary");
    MetaSchemaRef::Inline(Box::new(MetaSchema { description: Some(description), ..schema }))
}

fn content(content_type: &'static str, schema: MetaSchemaRef) -> MetaMediaType {
    MetaMediaType { content_type, schema }
}

impl<'a> ApiExtractor<'a> for FileBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(_: &mut Registry) {}

    fn request_meta() -> Option<MetaRequest> {
        let form = MetaSchema {
            required: vec!["file"],
            properties: vec![("file", described("The file"))],
            ..MetaSchema::new("object")
        };
        let form = MetaSchemaRef::Inline(Box::new(form));
        Some(MetaRequest {
            description: Some("The file: as it is, or as the field `file` of a form"),
            content: vec![
                content("application/octet-stream", binary()),
                content("multipart/form-data", form),
            ],
            required: false,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self(UnreadBody::take(request, body)?))
    }
}

impl<'a> ApiExtractor<'a> for PieceBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(_: &mut Registry) {}

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: Some("The bytes that follow the offset"),
            content: vec![content(tus::PIECE, binary())],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self(UnreadBody::take(request, body)?))
    }
}

impl<'a> ApiExtractor<'a> for PictureBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(_: &mut Registry) {}

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: Some("A JPEG, PNG or WebP as it is"),
            content: vec![content("application/octet-stream", binary())],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self(UnreadBody::take(request, body)?))
    }
}
