//! The admin API's OpenAPI document, and Swagger UI over it.

use common::domain::admin_key::AdminRole;
use poem_openapi::{ContactObject, LicenseObject, OpenApi, OpenApiService, ServerObject};
use serde_json::{Value, json};

use super::{roles, routes};
use crate::document;

const DESCRIPTION: &str = "For operators: users, numbers, deliveries, and who did what. It is served on an address of its own \
(`ADMIN_ADDR`), never on the public port.\n\nEvery operation asks for a key of `api admin-key add` as a bearer token. A key has a role: \
`viewer`, `operator` or `owner`; each may do what those before it may. Whatever a key changes is an action that names it.\n\nPhone \
numbers are masked: all but the country code and the last two digits are `*`.\n\nErrors are `{\"error\": \"<for people>\", \
\"code\": \"<for programs, stable>\"}`. Times are RFC 3339 in UTC. What is not known is left out or null. Answers may get more fields \
later; ignore those that you do not know.";

fn service() -> OpenApiService<impl OpenApi + 'static, ()> {
    OpenApiService::new(routes::operations(), "Cheershare admin", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .contact(
            ContactObject::new()
                .name("The maintainers of Cheershare, by the issues of its repository"),
        )
        .license(LicenseObject::new("MIT OR Apache-2.0").url("https://spdx.org/licenses/MIT.html"))
        .server(ServerObject::new("/").description("Where this document came from"))
}

/// The operations.
pub(super) fn operations() -> OpenApiService<impl OpenApi + 'static, ()> {
    service()
}

/// The document, with the role that each operation needs.
#[must_use]
pub fn document() -> Value {
    let mut document = document::completed(&service().spec());
    for (method, path, role) in roles::NEEDED {
        let operation = document
            .get_mut("paths")
            .and_then(|paths| paths.get_mut(*path)?.get_mut(method.to_ascii_lowercase()))
            .and_then(Value::as_object_mut);
        if let Some(operation) = operation {
            tell_role(operation, *role);
        }
    }
    document
}

fn tell_role(operation: &mut serde_json::Map<String, Value>, role: AdminRole) {
    let text = operation.get("description").and_then(Value::as_str).unwrap_or_default();
    let text = format!("{text}\n\nNeeds the role `{}`.", role.into_str());
    operation.insert("description".to_owned(), json!(text.trim_start()));
}

/// The document as it is committed and served.
#[must_use]
pub fn document_text() -> String {
    document::text(&document())
}

/// Swagger UI as one page that needs nothing else, and its Content-Security-Policy.
pub(super) fn swagger_ui(document: &Value) -> (String, String) {
    let service = service();
    let opened = ["Users", "listUsers"];
    document::swagger_page(
        &service.swagger_ui_html(),
        &service.spec(),
        &document.to_string(),
        opened,
    )
}
