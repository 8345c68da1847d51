//! What every operation tells: what it is for, what it takes, what it answers.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    BYTES, LINES, Operation, alternatives, for_each_document, is_snake_case, is_text, json_schema,
    only_body, operations, resolved,
};

#[async_test]
async fn every_operation_is_named_and_grouped() {
    for_each_document(check_that_every_operation_is_named_and_grouped).await;
}

fn check_that_every_operation_is_named_and_grouped(document: &Value) {
    let tags = document["tags"].as_array().unwrap();
    assert!(
        tags.iter().all(|tag| is_text(&tag["name"]) && is_text(&tag["description"])),
        "{tags:?}"
    );
    let mut ids = BTreeSet::new();
    for operation in operations(document) {
        let (name, value) = (operation.name(), operation.value);
        assert!(is_text(&value["summary"]), "{name} has no summary");
        let id = value["operationId"].as_str().unwrap_or_default();
        let plain = id.starts_with(|first: char| first.is_ascii_lowercase())
            && id.chars().all(char::is_alphanumeric);
        assert!(plain && ids.insert(id), "{name}: {id:?} has to be camelCase, and its own");
        let [tag] = value["tags"].as_array().unwrap().as_slice() else {
            panic!("{name} has not one tag")
        };
        assert!(tags.iter().any(|known| known["name"] == *tag), "{name}: {tag} is not described");
    }
}

#[async_test]
async fn every_parameter_and_body_is_described() {
    for_each_document(check_that_every_parameter_and_body_is_described).await;
}

fn check_that_every_parameter_and_body_is_described(document: &Value) {
    for operation in operations(document) {
        let name = operation.name();
        for parameter in operation.parameters() {
            let at = format!("{name} {}", parameter["name"]);
            assert!(is_text(&parameter["description"]), "{at} has no description");
            assert!(
                is_text(&parameter["schema"]["type"]) || is_text(&parameter["schema"]["$ref"]),
                "{at}: {parameter}"
            );
            if parameter["in"] == "path" {
                assert!(has_example(parameter, &parameter["schema"]), "{at} has no example");
            }
            if parameter["in"] != "header" {
                assert!(
                    is_snake_case(parameter["name"].as_str().unwrap()),
                    "{at} is not in snake_case"
                );
            }
        }
        let Some(body) = operation.value.get("requestBody") else { continue };
        if is_an_upload(body) {
            continue;
        }
        let (kind, content) = only_body(body).unwrap();
        // deny.toml leans on it.
        let form = "application/x-www-form-urlencoded";
        assert_eq!(
            kind,
            if operation.needs_client() { form } else { "application/json" },
            "{name}"
        );
        assert!(body["required"] == true, "{name}: {body}");
        assert!(
            has_example(content, resolved(document, &content["schema"])),
            "{name} has no example"
        );
        let codes: BTreeSet<_> = ["400", "408", "413", "415"]
            .into_iter()
            .flat_map(|status| operation.codes(document, status))
            .collect();
        let told = if operation.needs_client() {
            &["invalid_request", "request_timeout", "payload_too_large"][..]
        } else {
            &["invalid_payload", "request_timeout", "payload_too_large", "unsupported_media_type"]
        };
        for code in told {
            assert!(
                codes.contains(*code),
                "{name} takes a body and does not tell of {code}: {codes:?}"
            );
        }
    }
}

/// The body is a file, or a piece of one.
fn is_an_upload(body: &Value) -> bool {
    let kinds: Vec<&str> =
        body["content"].as_object().unwrap().keys().map(String::as_str).collect();
    let is_file = kinds == [BYTES] || kinds == [BYTES, "multipart/form-data"];
    let is_upload = is_file || kinds == ["application/offset+octet-stream"] || kinds == [LINES];
    assert!(!is_upload || is_text(&body["description"]), "{body}");
    is_upload
}

fn has_example(owner: &Value, schema: &Value) -> bool {
    !owner["example"].is_null() || owner["examples"].is_object() || !schema["example"].is_null()
}

#[async_test]
async fn every_answer_is_described() {
    for_each_document(check_that_every_answer_is_described).await;
}

fn check_that_every_answer_is_described(document: &Value) {
    for operation in operations(document) {
        let statuses: BTreeSet<&str> = operation.responses().map(|(status, _)| status).collect();
        assert!(
            statuses.iter().any(|status| status.starts_with('2')),
            "{}: {statuses:?}",
            operation.name()
        );
        for usual in ["401", "500", "503"] {
            assert!(statuses.contains(usual), "{}: {statuses:?}", operation.name());
        }
        for (status, response) in operation.responses() {
            is_described(document, &operation, status, response);
        }
        let codes = operation.codes(document, "503");
        assert!(codes.contains("overloaded"), "{}: {codes:?}", operation.name());
        let codes = operation.codes(document, "401");
        let refused = if operation.needs_client() {
            "invalid_client"
        } else {
            "invalid_authorization_header"
        };
        assert!(codes.contains(refused), "{}: {codes:?}", operation.name());
    }
}

fn is_described(document: &Value, operation: &Operation, status: &str, response: &Value) {
    let at = format!("{} {status}", operation.name());
    assert!(is_text(&response["description"]), "{at} has no description");
    is_header(&at, response, "X-Request-Id", true);
    if status == "401" {
        is_header(&at, response, "WWW-Authenticate", true);
    }
    if matches!(status, "429" | "503") {
        is_header(&at, response, "Retry-After", true);
    }
    if operation.codes(document, status).contains("idempotency_key_in_use") {
        is_header(&at, response, "Retry-After", operation.codes(document, status).len() == 1);
    }
    let hands_out_bytes =
        only_body(response).is_some_and(|(kind, _)| [BYTES, LINES].contains(&kind));
    let leads_elsewhere = matches!(status, "302" | "304");
    if hands_out_bytes || leads_elsewhere {
        assert!(matches!(status, "200" | "206" | "302" | "304"), "{at}");
        return;
    }
    let Some(schema) = json_schema(response) else {
        // RFC 7009 asks for 200 and gives the body no meaning; a gateway is told in headers.
        let has_none = ["/oauth/revoke", "/auth/verify"].contains(&operation.path);
        assert_eq!(status, if has_none { "200" } else { "204" }, "{at} has no body");
        return;
    };
    assert_ne!(status, "204", "{at} has a body");
    for body in alternatives(document, schema) {
        assert!(body["example"].is_object(), "{at} has no example: {body}");
        if !status.starts_with('2') && body["properties"].get("code").is_some() {
            assert_eq!(body["required"], serde_json::json!(["error", "code"]), "{at}");
            assert!(!operation.codes(document, status).is_empty(), "{at} names no code");
        }
        if body["properties"].get("error_description").is_some() {
            let required = serde_json::json!(["error", "error_description"]);
            assert_eq!(body["required"], required, "{at}");
        }
    }
    if status.starts_with('4') || status == "500" {
        assert!(!operation.codes(document, status).is_empty(), "{at} names no code");
    }
}

fn is_header(at: &str, response: &Value, name: &str, always: bool) {
    let header = &response["headers"][name];
    assert!(
        is_text(&header["description"]) && is_text(&header["schema"]["type"]),
        "{at} does not tell of {name}"
    );
    assert_eq!(header["required"], always, "{at} {name}");
}

/// Lists have one shape: `limit` and `cursor` in, `data` and `next_cursor` out.
#[async_test]
async fn every_list_has_the_same_pages() {
    for_each_document(check_that_every_list_has_the_same_pages).await;
}

fn check_that_every_list_has_the_same_pages(document: &Value) {
    for operation in operations(document) {
        let name = operation.name();
        let parameter = |wanted: &str| {
            operation.parameters().find(|one| one["name"] == wanted && one["in"] == "query")
        };
        let answer = json_schema(&operation.value["responses"]["200"])
            .map(|schema| resolved(document, schema));
        let answers_pages = answer.is_some_and(|schema| {
            schema["properties"].get("next_cursor").is_some()
                || schema["properties"]["data"]["type"] == "array"
        });
        let (limit, cursor) = (parameter("limit"), parameter("cursor"));
        assert_eq!((limit.is_some(), cursor.is_some()), (answers_pages, answers_pages), "{name}");
        let (Some(limit), Some(cursor), Some(answer)) = (limit, cursor, answer) else { continue };
        let limit = &limit["schema"];
        assert_eq!(limit["type"], "integer", "{name}");
        let numbers = ["minimum", "maximum", "default"].map(|key| limit[key].as_f64());
        assert_eq!(numbers, [Some(1.0), Some(100.0), Some(20.0)], "{name}: {limit}");
        assert_eq!(cursor["schema"]["type"], "string", "{name}");
        let required: Vec<_> =
            answer["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(
            required.contains(&"data") && required.contains(&"next_cursor"),
            "{name}: {required:?}"
        );
        let next = &answer["properties"]["next_cursor"];
        assert!(next["type"] == "string" && next["nullable"] == true, "{name}: {next}");
        assert!(operation.codes(document, "400").contains("invalid_parameter"), "{name}");
    }
}
