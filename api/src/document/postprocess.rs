//! What every operation has in common and poem-openapi has no words for. New operations get it by
//! themselves.

use serde_json::{Map, Value, json};

use crate::http::error::{ErrorKind, error_schema};

/// Completes the document as poem-openapi writes it.
pub(super) fn complete(document: &mut Value) {
    describe_sign_up(document);
    let requests = request_schemas(document);
    for name in requests {
        if let Some(schema) = document.pointer_mut(&format!("/components/schemas/{name}")) {
            require_phone_number(schema);
            allow_null(schema);
        }
    }
    for_each_object(document, &mut close);
    for_each_object(document, &mut refer_plainly);
    all_parameters(document).for_each(refer_plainly_in);
    for (status, response) in all_responses(document) {
        describe_response(status, response);
    }
}

/// The two uses of one body, as examples that work as they stand.
fn describe_sign_up(document: &mut Value) {
    let body = document.pointer_mut("/paths/~1signup/post/requestBody/content/application~1json");
    if let Some(body) = body.and_then(Value::as_object_mut) {
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
}

/// The names of the schemas that are bodies of requests.
fn request_schemas(document: &Value) -> Vec<String> {
    let paths = document.get("paths").and_then(Value::as_object).into_iter().flat_map(Map::values);
    let operations = paths.filter_map(Value::as_object).flat_map(Map::values);
    let references = operations.filter_map(|operation| {
        operation.pointer("/requestBody/content/application~1json/schema/$ref")?.as_str()
    });
    references.filter_map(|reference| Some(reference.rsplit_once('/')?.1.to_owned())).collect()
}

/// Its absence has an error of its own, so the code takes it for optional.
fn require_phone_number(schema: &mut Value) {
    if schema.pointer("/properties/phone_number").is_none() {
        return;
    }
    let Some(schema) = schema.as_object_mut() else { return };
    let required = schema.entry("required").or_insert_with(|| json!([]));
    if let Some(required) = required.as_array_mut()
        && !required.contains(&json!("phone_number"))
    {
        required.push(json!("phone_number"));
    }
}

/// In a request, null is the same as absent.
fn allow_null(schema: &mut Value) {
    let required = schema.get("required").cloned().unwrap_or_default();
    let is_required =
        |name: &str| required.as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let fields = schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten();
    for field in
        fields.filter(|(name, _)| !is_required(name)).filter_map(|(_, field)| field.as_object_mut())
    {
        field.insert("nullable".to_owned(), json!(true));
    }
}

/// An object has the fields that are documented. Left open, it would be a map of anything to
/// generated clients.
fn close(schema: &mut Map<String, Value>) {
    if schema.contains_key("oneOf") {
        // Its parts are closed; here it would forbid every field.
        schema.remove("type");
    } else if schema.get("type").is_some_and(|kind| kind == "object")
        && !schema.contains_key("additionalProperties")
    {
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
}

/// A reference with a description comes as all of the reference and of a schema that says nothing
/// else, which is anything at all to generated clients.
fn refer_plainly(schema: &mut Map<String, Value>) {
    if let Some(parts) = schema.get_mut("allOf").and_then(Value::as_array_mut) {
        parts.retain(|part| {
            part.as_object().is_none_or(|part| part.keys().any(|key| key != "description"))
        });
    }
}

/// A parameter whose schema is a reference with an example has the example itself, so that the schema
/// is the reference alone.
fn refer_plainly_in(parameter: &mut Map<String, Value>) {
    let Some(schema) = parameter.get("schema").filter(|schema| schema.get("allOf").is_some())
    else {
        return;
    };
    let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
    let reference = parts.filter_map(|part| part.get("$ref")).next().cloned();
    let example = schema.get("example").cloned();
    if let Some(reference) = reference {
        parameter.insert("schema".to_owned(), json!({ "$ref": reference }));
        parameter.extend(example.map(|example| ("example".to_owned(), example)));
    }
}

fn all_parameters(document: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    fn members(object: &mut Value) -> impl Iterator<Item = &mut Value> {
        object.as_object_mut().into_iter().flat_map(Map::values_mut)
    }
    let operations = document.get_mut("paths").into_iter().flat_map(members).flat_map(members);
    let parameters = operations.filter_map(|operation| operation.get_mut("parameters"));
    let all = parameters.filter_map(Value::as_array_mut).flatten();
    all.filter_map(Value::as_object_mut)
}

fn describe_response(status: &str, response: &mut Map<String, Value>) {
    if response.get("description").is_none_or(|text| text == "") {
        let description = if status == "204" { "Done" } else { "OK" };
        response.insert("description".to_owned(), json!(description));
    }
    let headers = response.entry("headers").or_insert_with(|| json!({}));
    if let Some(headers) = headers.as_object_mut() {
        // poem-openapi writes those of an `ApiResponse` in capitals.
        for name in [
            "Retry-After",
            "Cache-Control",
            "Location",
            "Tus-Version",
            "Tus-Extension",
            "Tus-Max-Size",
            "Tus-Checksum-Algorithm",
            "Upload-Offset",
            "Upload-Expires",
        ] {
            if let Some(header) = headers.remove(&name.to_uppercase()) {
                headers.insert(name.to_owned(), header);
            }
        }
        let id = json!({
            "description": "The request's id: the client's own where that is 1 to 64 letters, digits, `-`, `_` or `.`",
            "required": true,
            "deprecated": false,
            "schema": { "type": "string" }
        });
        headers.insert("X-Request-Id".to_owned(), id);
    }
    if status == "503"
        && let Some(schema) = response.get_mut("content").and_then(json_schema)
        && schema.pointer("/properties/code").is_none()
    {
        // The operation has a body of its own for this status; a server without room answers before
        // any operation.
        let mut overloaded = json!(error_schema(&[ErrorKind::Overloaded]));
        if let Some(object) = overloaded.as_object_mut() {
            close(object);
        }
        *schema = json!({ "oneOf": [schema.take(), overloaded] });
    }
}

fn json_schema(content: &mut Value) -> Option<&mut Value> {
    content.as_object_mut()?.values_mut().next()?.get_mut("schema")
}

fn all_responses(document: &mut Value) -> impl Iterator<Item = (&String, &mut Map<String, Value>)> {
    fn members(object: &mut Value) -> impl Iterator<Item = &mut Value> {
        object.as_object_mut().into_iter().flat_map(Map::values_mut)
    }
    let paths = document.get_mut("paths").into_iter().flat_map(members);
    let responses = paths
        .flat_map(members)
        .filter_map(|operation| operation.get_mut("responses")?.as_object_mut());
    responses.flatten().filter_map(|(status, response)| Some((status, response.as_object_mut()?)))
}

/// Visits every object, but for those in examples, which are data.
fn for_each_object(value: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            visit(object);
            for (_, member) in object
                .iter_mut()
                .filter(|(name, _)| !matches!(name.as_str(), "example" | "examples"))
            {
                for_each_object(member, visit);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| for_each_object(item, visit)),
        _ => {}
    }
}
