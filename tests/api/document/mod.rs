//! The OpenAPI document, walked: what holds for one operation holds for every one, new ones too.

mod operations;
mod schemas;
mod security;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::app::{App, Plan};

/// The document as it is served, of an API alone.
async fn served() -> (App, Value) {
    let app = Plan::new().workers(0).start().await;
    let answer = app.client().get("/openapi.json", None).await.expect(200);
    (app, answer.body)
}

/// Calls `check` with the document of the public API, and with that of the admin API.
async fn for_each_document(check: impl Fn(&Value)) {
    let (mut app, document) = served().await;
    check(&document);
    let admin = crate::admin::client(&mut app.apis[0]).await;
    check(&admin.get("/openapi.json", None).await.expect(200).body);
}

struct Operation<'a> {
    method: String,
    path: &'a str,
    value: &'a Value,
}

impl Operation<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Its responses by their status.
    fn responses(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.value["responses"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(status, response)| (status.as_str(), response))
    }

    fn parameters(&self) -> impl Iterator<Item = &Value> {
        self.value["parameters"].as_array().into_iter().flatten()
    }

    /// The error codes of a status.
    fn codes(&self, document: &Value, status: &str) -> BTreeSet<String> {
        let bodies = json_schema(&self.value["responses"][status])
            .map(|schema| alternatives(document, schema));
        let enums = bodies.into_iter().flatten().filter_map(|schema| {
            let properties = &schema["properties"];
            // OAuth 2.0 has its codes in another field.
            let codes = properties["code"]["enum"].as_array();
            codes.or_else(|| properties["error"]["enum"].as_array())
        });
        enums.flatten().map(|code| code.as_str().expect("a code").to_owned()).collect()
    }

    fn needs_token(&self) -> bool {
        self.needs("BearerToken")
    }

    /// It is for registered clients.
    fn needs_client(&self) -> bool {
        self.needs("ClientCredentials")
    }

    fn needs(&self, scheme: &str) -> bool {
        let mut schemes = self.value["security"].as_array().into_iter().flatten();
        schemes.any(|requirement| requirement.get(scheme).is_some())
    }
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, value)| Operation {
                method: method.to_ascii_uppercase(),
                path,
                value,
            })
        })
        .collect()
}

/// The schema of a JSON body; it has one media type at most. Bytes of files and lines have none.
fn json_schema(owner: &Value) -> Option<&Value> {
    let (kind, body) = only_body(owner)?;
    if [BYTES, LINES].contains(&kind) {
        return None;
    }
    assert!(kind.starts_with("application/json"), "{kind}");
    Some(&body["schema"])
}

/// The media type of a file's bytes.
const BYTES: &str = "application/octet-stream";
/// The media type of JSON in lines.
const LINES: &str = "application/x-ndjson";

/// The media type of a body, and what is said of it.
fn only_body(owner: &Value) -> Option<(&str, &Value)> {
    let content = owner.get("content")?.as_object().unwrap();
    let [(kind, body)] = content.iter().collect::<Vec<_>>()[..] else {
        panic!("not one body: {owner}")
    };
    Some((kind, body))
}

/// What a `$ref` stands for.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect(reference),
        None => schema,
    }
}

/// The schemas of which a value has one.
fn alternatives<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let schema = resolved(document, schema);
    match schema["oneOf"].as_array() {
        Some(some) => some.iter().map(|one| resolved(document, one)).collect(),
        None => vec![schema],
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

fn is_snake_case(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[async_test]
async fn it_says_what_it_is() {
    for_each_document(says_what_it_is).await;
}

fn says_what_it_is(document: &Value) {
    assert!(
        document["openapi"].as_str().is_some_and(|version| version.starts_with("3.0")),
        "{}",
        document["openapi"]
    );
    let info = &document["info"];
    for field in
        [&info["title"], &info["description"], &info["license"]["name"], &info["contact"]["name"]]
    {
        assert!(is_text(field), "{info}");
    }
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        document["servers"][0]["url"],
        json!("/"),
        "relative, so that it is right wherever the API runs"
    );

    let operations = operations(document);
    let codes: BTreeSet<_> = operations
        .iter()
        .flat_map(|operation| operation.responses().map(move |(status, _)| (operation, status)))
        .flat_map(|(operation, status)| operation.codes(document, status))
        .collect();
    println!("{} operations, {} error codes: {codes:?}", operations.len(), codes.len());
    assert!(codes.iter().all(|code| is_snake_case(code)), "{codes:?}");
}
