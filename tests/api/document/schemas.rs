//! Every schema says what it is, so that no generated client gets an `any`; and the same thing has
//! the same name.

use serde_json::Value;

use super::{for_each_document, is_snake_case, is_text, operations};

/// Calls `visit` with every schema of the document and its place.
fn for_each_schema(document: &Value, visit: &mut impl FnMut(&str, &Value)) {
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        walk(name, schema, visit);
    }
    for operation in operations(document) {
        let name = operation.name();
        for parameter in operation.parameters() {
            walk(&format!("{name} {}", parameter["name"]), &parameter["schema"], visit);
        }
        let bodies = operation.responses();
        for (at, owner) in bodies.chain([("request", &operation.value["requestBody"])]) {
            for (_, body) in owner["content"].as_object().into_iter().flatten() {
                walk(&format!("{name} {at}"), &body["schema"], visit);
            }
            for (header, value) in owner["headers"].as_object().into_iter().flatten() {
                walk(&format!("{name} {at} {header}"), &value["schema"], visit);
            }
        }
    }
}

fn walk(at: &str, schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    visit(at, schema);
    for key in ["oneOf", "anyOf", "allOf"] {
        for part in schema[key].as_array().into_iter().flatten() {
            walk(&format!("{at} {key}"), part, visit);
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{at}.{name}"), property, visit);
    }
    if let Some(items) = schema.get("items") {
        walk(&format!("{at}[]"), items, visit);
    }
}

#[async_test]
async fn no_schema_is_anything_at_all() {
    for_each_document(check_that_no_schema_is_anything_at_all).await;
}

fn check_that_no_schema_is_anything_at_all(document: &Value) {
    let mut count = 0;
    for_each_schema(document, &mut |at, schema| {
        count += 1;
        let composed = ["oneOf", "anyOf", "allOf"].iter().any(|key| schema[key].is_array());
        assert!(
            is_text(&schema["$ref"]) || is_text(&schema["type"]) || composed,
            "{at} may be anything: {schema}"
        );
        if schema["type"] == "object" {
            assert!(schema["properties"].is_object(), "{at} has no fields: {schema}");
            assert_eq!(schema["additionalProperties"], false, "{at} is open: {schema}");
        }
        assert!(
            schema["type"] != "array" || schema.get("items").is_some(),
            "{at} has items of any kind"
        );
    });
    assert!(count > 50, "only {count} schemas were found");
}

#[async_test]
async fn names_and_times_are_the_same_everywhere() {
    for_each_document(check_that_names_and_times_are_the_same_everywhere).await;
}

fn check_that_names_and_times_are_the_same_everywhere(document: &Value) {
    for_each_schema(document, &mut |at, schema| {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            assert!(is_snake_case(name), "{at}: {name}");
            let is_time = property["format"] == "date-time";
            assert_eq!(name.ends_with("_at"), is_time, "{at}: {name} is {property}");
            assert!(!is_time || property["type"] == "string", "{at}: {name} is {property}");
            let described = is_text(&property["description"]) || property.get("$ref").is_some();
            assert!(described, "{at}: {name} is not described");
        }
    });
}
