//! `api openapi`: prints the OpenAPI document.

use common::runtime::command::{self, CommandError};

pub(super) fn run(admin: bool) -> Result<(), CommandError> {
    let text = if admin {
        crate::admin::document::document_text()
    } else {
        crate::document::document_text()
    };
    command::print(&text)
}
