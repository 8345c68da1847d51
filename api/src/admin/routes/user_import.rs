//! `POST /admin/import/users`: NDJSON in, NDJSON out, both as they come.

use std::sync::Arc;

use bytes::Bytes;
use common::accounts::KeptAdminKey;
use common::domain::admin_action::{AdminActionKind, NewAdminAction};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use poem::web::Data;
use poem::{Body, IntoResponse, Request, RequestBody, Response};
use poem_openapi::registry::{
    MetaMediaType, MetaRequest, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions, OpenApi};
use serde_json::{Value, json};

use super::Tag;
use super::failures::failures;
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::{ApiError, ErrorKind, Failure};
use crate::http::media_type;
use crate::service::user_import::{ImportError, LineError, Refusal, UserImport};

const CONTENT_TYPE: &str = "application/x-ndjson";

#[derive(Debug)]
pub(super) struct UserImportApi;

/// Lines of JSON that nobody has begun to read.
#[derive(Debug)]
struct Lines(Body);

/// Lines of JSON, as they are made.
#[derive(Debug)]
struct Told(Body);

failures! {
    ImportFailures { UnsupportedMediaType }
}

type Import = UserImport<BoxStream<'static, std::io::Result<Bytes>>>;

#[OpenApi]
impl UserImportApi {
    /// Import users
    ///
    /// As many as you like, one a line: `{"name": "Asha", "phone_number": "+919876543210"}`. They are
    /// made as the lines come.
    #[oai(
        path = "/admin/import/users",
        method = "post",
        tag = "Tag::Users",
        operation_id = "importUsers"
    )]
    async fn import(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        body: Lines,
    ) -> Result<Told, Failure<ImportFailures>> {
        note(&state, &key.0, "begun").await?;
        let body = body.0.into_bytes_stream().boxed();
        let import = UserImport::new(Arc::clone(&state.app), body);
        let running = Running { import, state: Arc::clone(*state), holder: key.0 };
        let lines = stream::try_unfold(Some(running), |running| async move {
            let Some(running) = running else { return Ok(None) };
            std::io::Result::Ok(Some(running.go_on().await))
        });
        // Nothing is sent for lines that all made users.
        let lines = lines.try_filter(|lines: &Bytes| std::future::ready(!lines.is_empty()));
        Ok(Told(Body::from_bytes_stream(lines)))
    }
}

fn content(description: &'static str) -> Vec<MetaMediaType> {
    let schema = MetaSchema::new_with_format("string", "binary");
    let schema = MetaSchema { description: Some(description), ..schema };
    vec![MetaMediaType {
        content_type: CONTENT_TYPE,
        schema: MetaSchemaRef::Inline(Box::new(schema)),
    }]
}

impl<'a> ApiExtractor<'a> for Lines {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(_: &mut Registry) {}

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: Some("A user a line, of 4 KiB at most. Empty lines make none."),
            content: content("Each line an object with `name` and `phone_number`"),
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        if !media_type::is(request, CONTENT_TYPE) {
            return Err(ApiError::from(ErrorKind::UnsupportedMediaType).into());
        }
        Ok(Self(body.take()?))
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        Response::builder().content_type(CONTENT_TYPE).body(self.0)
    }
}

impl ApiResponse for Told {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "A line for each that makes no user, as soon as that is known, and a \
                              last one with counts",
                status: Some(200),
                status_range: None,
                content: content(
                    "`{\"line\": 3, \"code\": \"invalid_phone_number\", \"error\": \"Invalid phone number\"}`: the \
                     third line makes none, and why, with the codes `invalid_payload`, `invalid_name`, \
                     `invalid_phone_number`, `phone_number_taken` and `payload_too_large`. The last line is \
                     `{\"lines\": 5, \"imported\": 4, \"refused\": 1, \"complete\": true}`. Where \
                     `complete` is false, the line before says why it ended early.",
                ),
                headers: Vec::new(),
            }],
        }
    }

    fn register(_: &mut Registry) {}
}

struct Running {
    import: Import,
    state: Arc<AdminState>,
    holder: Arc<KeptAdminKey>,
}

impl Running {
    /// What is to be said of the next lines, and the import where there are more.
    async fn go_on(mut self) -> (Bytes, Option<Self>) {
        match self.import.next_batch().await {
            Ok(Some(refusals)) => (lines(refusals.into_iter().map(told)), Some(self)),
            Ok(None) => (self.end(None).await, None),
            Err(error) => {
                let kind = match &error {
                    ImportError::Accounts(_) => ErrorKind::UserStoreUnavailable,
                    ImportError::Body(_) => ErrorKind::RequestTimeout,
                };
                tracing::error!(event = "import_ended_early", %error);
                (self.end(Some(kind)).await, None)
            }
        }
    }

    async fn end(self, error: Option<ErrorKind>) -> Bytes {
        let counts = self.import.counts();
        let outcome = format!("{} imported, {} refused", counts.imported, counts.refused);
        let noted = note(&self.state, &self.holder, &outcome).await;
        if let Err(error) = noted {
            tracing::error!(event = "import_not_noted", %error);
        }
        let told = error.map(|kind| told_at(counts.lines, kind));
        let summary = json!({
            "lines": counts.lines, "imported": counts.imported, "refused": counts.refused,
            "complete": told.is_none(),
        });
        lines(told.into_iter().chain([summary]))
    }
}

async fn note(state: &AdminState, holder: &KeptAdminKey, outcome: &str) -> Result<(), ApiError> {
    let actor = holder.actor();
    let action = NewAdminAction::new(&actor, AdminActionKind::UsersImported).about(outcome);
    state.app.accounts.note_admin_action(&action, state.app.clock.now()).await?;
    Ok(())
}

fn told(Refusal { line, error }: Refusal) -> Value {
    let kind = match error {
        LineError::TooLong => ErrorKind::PayloadTooLarge,
        LineError::Unreadable => ErrorKind::InvalidPayload,
        LineError::Name => ErrorKind::InvalidPersonName,
        LineError::Number => ErrorKind::InvalidPhoneNumber,
        LineError::Taken => ErrorKind::PhoneNumberTaken,
    };
    told_at(line, kind)
}

fn told_at(line: u64, kind: ErrorKind) -> Value {
    json!({ "line": line, "code": kind.status_and_code().1, "error": kind.to_string() })
}

fn lines(values: impl Iterator<Item = Value>) -> Bytes {
    values.map(|value| format!("{value}\n")).collect::<String>().into()
}
