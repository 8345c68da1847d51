//! The OpenAPI document, and Swagger UI over it.

use poem_openapi::{LicenseObject, OpenApiService};
use serde_json::{Map, Value, json};

use crate::routes::deletion::DeletionApi;
use crate::routes::deliveries::DeliveriesApi;
use crate::routes::events::EventsApi;
use crate::routes::health::HealthApi;
use crate::routes::me::MeApi;
use crate::routes::phone_number::PhoneNumberApi;
use crate::routes::protected::ProtectedApi;
use crate::routes::sign_up::SignUpApi;
use crate::routes::tokens::TokensApi;

/// All operations.
pub(crate) type Operations =
    (SignUpApi, DeliveriesApi, MeApi, PhoneNumberApi, DeletionApi, EventsApi, TokensApi, ProtectedApi, HealthApi);

const OPERATIONS: Operations =
    (SignUpApi, DeliveriesApi, MeApi, PhoneNumberApi, DeletionApi, EventsApi, TokensApi, ProtectedApi, HealthApi);

const DESCRIPTION: &str = "Phone sign-in: a name and a phone number bring a one-time password (OTP) by SMS, the OTP buys a \
bearer token.\n\nErrors are `{\"error\": \"<for people>\", \"code\": \"<for programs, stable>\"}`. A request whose \
`Authorization` header is not a live bearer token gets 401 `invalid_authorization_header` on every route, public ones \
too: drop the token and repeat.";

/// The operations as a service.
pub(crate) fn service() -> OpenApiService<Operations, ()> {
    OpenApiService::new(OPERATIONS, "Cheershare", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .license(LicenseObject::new("MIT OR Apache-2.0").url("https://spdx.org/licenses/MIT.html"))
        .server("/")
}

/// The document, with what poem-openapi has no words for.
#[must_use]
pub fn document() -> Value {
    let mut document: Value = serde_json::from_str(&service().spec()).unwrap_or_default();
    if let Some(body) = document
        .pointer_mut("/paths/~1signup/post/requestBody/content/application~1json")
        .and_then(Value::as_object_mut)
    {
        let examples = json!({
            "ask": {
                "summary": "1. Ask for an OTP",
                "value": { "name": "Asha", "phone_number": "+919876543210" }
            },
            "verify": {
                "summary": "2. Sign in with it",
                "value": { "phone_number": "+919876543210", "otp": "123456" }
            }
        });
        body.insert("examples".to_owned(), examples);
    }
    for name in ["SignUpRequest", "PhoneNumberRequest", "DeletionRequest"] {
        let schema = document.pointer_mut(&format!("/components/schemas/{name}"));
        let Some(request) = schema.and_then(Value::as_object_mut) else { continue };
        request.extend([("additionalProperties".to_owned(), json!(false))]);
        for field in request.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
        {
            field.as_object_mut().map(|field| field.insert("nullable".to_owned(), json!(true)));
        }
    }
    for response in all_responses(&mut document).filter(|response| response["description"] == "") {
        response.insert("description".to_owned(), json!("OK"));
    }
    document
}

fn all_responses(document: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    fn members(object: &mut Value) -> impl Iterator<Item = &mut Value> {
        object.as_object_mut().into_iter().flat_map(Map::values_mut)
    }
    let paths = document.get_mut("paths").into_iter().flat_map(members);
    let operations = paths.flat_map(members);
    let responses = operations.filter_map(|operation| operation.get_mut("responses")).flat_map(members);
    responses.filter_map(Value::as_object_mut)
}

/// The document as it is committed and served.
#[must_use]
pub fn document_text() -> String {
    format!("{:#}\n", document())
}

/// Swagger UI as one page that needs nothing else.
pub(crate) fn swagger_ui() -> String {
    let service = service();
    service
        .swagger_ui_html()
        .replace(&service.spec(), &document().to_string())
        // Or the browser asks for one that is not there.
        .replacen("<head>", "<head><link rel=\"icon\" href=\"data:,\">", 1)
}
