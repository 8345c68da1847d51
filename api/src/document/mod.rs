//! The OpenAPI document, and Swagger UI over it.

mod postprocess;

use common::domain::phone::NumberingPlan;
use data_encoding::BASE64;
use poem_openapi::{ContactObject, LicenseObject, OpenApi, OpenApiService, ServerObject};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::routes;

const DESCRIPTION: &str = "Phone sign-in: a name and a phone number bring a one-time password (OTP) by SMS, the OTP buys a \
bearer token.\n\nErrors are `{\"error\": \"<for people>\", \"code\": \"<for programs, stable>\"}`. A request whose \
`Authorization` header is not a live bearer token gets 401 `invalid_authorization_header` on every route, public ones \
too: drop the token and repeat.\n\nTimes are RFC 3339 in UTC. What is not known is left out or null. Answers may get more \
fields later; ignore those that you do not know.\n\nBefore it reaches any operation, what is no HTTP/1.1 gets 400 `bad_request`, \
and a head over 16 KiB 431 `request_head_too_large`.";

/// The operations as a service.
pub(crate) fn service() -> OpenApiService<impl OpenApi + 'static, ()> {
    OpenApiService::new(routes::operations(), "Cheershare", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .contact(
            ContactObject::new()
                .name("The maintainers of Cheershare, by the issues of its repository"),
        )
        .license(LicenseObject::new("MIT OR Apache-2.0").url("https://spdx.org/licenses/MIT.html"))
        .server(ServerObject::new("/").description("Where this document came from"))
}

/// The document, with what poem-openapi has no words for.
#[must_use]
pub fn document() -> Value {
    completed(&service().spec())
}

/// A document as poem-openapi writes it, with what that has no words for.
pub(crate) fn completed(spec: &str) -> Value {
    let mut document: Value = serde_json::from_str(spec).unwrap_or_default();
    postprocess::complete(&mut document);
    document
}

/// The document as it is committed and served.
#[must_use]
pub fn document_text() -> String {
    text(&document())
}

pub(crate) fn text(document: &Value) -> String {
    format!("{document:#}\n")
}

/// The number of the examples, a mobile one of India.
const EXAMPLE_NUMBER: &str = "+919876543210";

/// The number for the examples where numbers are of that country.
pub(crate) fn example_number(plan: &NumberingPlan) -> String {
    if plan.country.code() == "IN" { EXAMPLE_NUMBER.to_owned() } else { plan.example_number() }
}

/// The document as it is served, with examples that work there.
pub(crate) fn served_text(document: &Value, example_number: &str) -> String {
    text(document).replace(EXAMPLE_NUMBER, example_number)
}

/// Swagger UI as one page that needs nothing else, and its Content-Security-Policy. It opens on the
/// sign-up, ready to be tried.
pub(crate) fn swagger_ui(document: &Value, example_number: &str) -> (String, String) {
    let service = service();
    let shown = document.to_string().replace(EXAMPLE_NUMBER, example_number);
    swagger_page(&service.swagger_ui_html(), &service.spec(), &shown, ["Sign-up", "signUp"])
}

/// The same, of poem-openapi's page `html`, which shows `spec`: it shows another document, and opens
/// on one operation, named by its group and its id.
pub(crate) fn swagger_page(
    html: &str,
    spec: &str,
    shown: &str,
    [group, operation]: [&str; 2],
) -> (String, String) {
    let opened = format!(
        "deepLinking: true, tryItOutEnabled: true, onComplete: () => location.hash || \
         ui.layoutActions.show(['operations', '{group}', '{operation}'], true),"
    );
    let page = html
        .replace(spec, shown)
        .replacen("    SwaggerUIBundle({\n", "    const ui = SwaggerUIBundle({\n", 1)
        .replacen("deepLinking: true,", &opened, 1)
        // Or the browser asks for one that is not there.
        .replacen("<head>", "<head><link rel=\"icon\" href=\"data:,\">", 1);
    let policy = content_security_policy(&page);
    (page, policy)
}

/// Lets the page run its own scripts, known by their hashes, and call the API that it came from.
/// Swagger UI styles its elements one by one.
fn content_security_policy(page: &str) -> String {
    let mut scripts = String::new();
    let mut rest = page;
    while let Some((script, after)) = next_script(rest) {
        scripts.push_str(&format!(" 'sha256-{}'", BASE64.encode(&Sha256::digest(script))));
        rest = after;
    }
    format!(
        "default-src 'none'; script-src{scripts}; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// The text of the first script, and what follows it.
fn next_script(page: &str) -> Option<(&str, &str)> {
    page.split_once("<script")?.1.split_once('>')?.1.split_once("</script>")
}
