//! `POST /admin/import/users`: NDJSON in, NDJSON out, both as they come. It is not in the document,
//! which has no words for lines; docs/admin.md tells it.

use std::sync::Arc;

use bytes::Bytes;
use common::accounts::KeptAdminKey;
use common::domain::admin_action::{AdminActionKind, NewAdminAction};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use poem::{Body, Request, Response};
use serde_json::{Value, json};

use super::state::AdminState;
use crate::http::error::{ApiError, ErrorKind};
use crate::service::user_import::{ImportError, LineError, Refusal, UserImport};

pub(super) const PATH: &str = "/admin/import/users";
const CONTENT_TYPE: &str = "application/x-ndjson";

type Import = UserImport<BoxStream<'static, std::io::Result<Bytes>>>;

/// Makes a user of each line of the request. The answer has a line for each that makes none, as soon
/// as that is known, and a last one with counts.
pub(super) async fn answer(
    mut request: Request,
    state: &Arc<AdminState>,
) -> Result<Response, ApiError> {
    let kind = request.content_type().and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case(CONTENT_TYPE) {
        return Err(ErrorKind::UnsupportedMediaType.into());
    }
    let holder: Arc<KeptAdminKey> =
        request.extensions().get().cloned().ok_or(ErrorKind::Unauthorized)?;
    note(state, &holder, "begun").await?;
    let body = request.take_body().into_bytes_stream().boxed();
    let import = UserImport::new(Arc::clone(&state.app), body);
    let running = Running { import, state: Arc::clone(state), holder };
    let lines = stream::try_unfold(Some(running), |running| async move {
        let Some(running) = running else { return Ok(None) };
        std::io::Result::Ok(Some(running.go_on().await))
    });
    // Nothing is sent for lines that all made users.
    let lines = lines.try_filter(|lines: &Bytes| std::future::ready(!lines.is_empty()));
    Ok(Response::builder().content_type(CONTENT_TYPE).body(Body::from_bytes_stream(lines)))
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
