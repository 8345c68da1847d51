//! `api openapi`: prints the OpenAPI document.

use common::runtime::command::{self, CommandError};

pub(super) fn run() -> Result<(), CommandError> {
    command::print(&crate::document::document_text())
}
