//! Bodies that are files, or pieces of files: never in memory as a whole. Nothing is read until the
//! handler asks for it, so that what is refused is refused before.

use std::io;
use std::marker::PhantomData;
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

/// The body of an operation, as the document describes it.
#[derive(Debug)]
pub struct Uploaded<D>(pub(crate) UnreadBody, PhantomData<D>);

/// The body of `POST /files`.
pub type FileBody = Uploaded<WholeFile>;

/// The body of `PATCH /files/{file_id}`.
pub type PieceBody = Uploaded<PieceOfFile>;

/// The body of `PUT /me/picture`.
pub type PictureBody = Uploaded<PictureFile>;

/// What the document says of a body.
pub trait Described: Send + Sync + 'static {
    fn meta() -> MetaRequest;
}

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

impl<'a, D: Described> ApiExtractor<'a> for Uploaded<D> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(_: &mut Registry) {}

    fn request_meta() -> Option<MetaRequest> {
        Some(D::meta())
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self(UnreadBody::take(request, body)?, PhantomData))
    }
}

#[derive(Debug)]
pub struct WholeFile;

impl Described for WholeFile {
    fn meta() -> MetaRequest {
        let form = MetaSchema {
            required: vec!["file"],
            properties: vec![("file", described("The file"))],
            ..MetaSchema::new("object")
        };
        let form = MetaSchemaRef::Inline(Box::new(form));
        MetaRequest {
            description: Some("The file: as it is, or as the field `file` of a form"),
            content: vec![
                content("application/octet-stream", binary()),
                content("multipart/form-data", form),
            ],
            required: false,
        }
    }
}

#[derive(Debug)]
pub struct PieceOfFile;

impl Described for PieceOfFile {
    fn meta() -> MetaRequest {
        MetaRequest {
            description: Some("The bytes that follow the offset"),
            content: vec![content(tus::PIECE, binary())],
            required: true,
        }
    }
}

#[derive(Debug)]
pub struct PictureFile;

impl Described for PictureFile {
    fn meta() -> MetaRequest {
        MetaRequest {
            description: Some("A JPEG, PNG or WebP as it is"),
            content: vec![content("application/octet-stream", binary())],
            required: true,
        }
    }
}
