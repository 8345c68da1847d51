//! Paths, methods, and what stands around the API: the documents and the health check.

use std::collections::BTreeMap;

use http::{HeaderMap, Method};
use serde_json::Value;

use crate::support::app::{App, Plan};
use crate::support::client::Answer;

async fn api_only() -> App {
    Plan::new().workers(0).start().await
}

async fn call(app: &App, method: Method, path: &str) -> Answer {
    app.client().send(method, path, HeaderMap::new(), "").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_path() {
    let app = api_only().await;
    for path in ["/", "/nothing", "/signup/more", "/sign", "/Protected", "/..%2f..%2fetc/passwd", "/users/1"] {
        println!("{path}");
        call(&app, Method::GET, path).await.expect_code(404, "not_found");
        call(&app, Method::POST, path).await.expect_code(404, "not_found");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_method() {
    let app = api_only().await;
    for (path, right) in [("/signup", "POST"), ("/protected", "GET"), ("/healthz", "GET")] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if method.as_str() == right {
                continue;
            }
            println!("{method} {path}");
            let answer = call(&app, method, path).await;
            let allow: Vec<String> = answer.header("allow").split(',').map(|one| one.trim().to_owned()).collect();
            answer.expect_code(405, "method_not_allowed");
            assert!(allow.iter().any(|one| one == right), "{allow:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_check() {
    let app = api_only().await;
    call(&app, Method::GET, "/healthz").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_names_each_store_with_its_time() {
    let app = api_only().await;
    let answer = call(&app, Method::GET, "/readyz").await.expect(200);
    assert_eq!(answer.body["ready"], true);
    for store in ["redis", "database"] {
        let check = &answer.body[store];
        assert_eq!(check["ok"], true, "{answer:?}");
        assert!(check["time_ms"].as_f64().is_some_and(|time| (0.0..=1000.0).contains(&time)), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swagger_ui_needs_nothing_from_the_internet() {
    let app = api_only().await;
    let page = call(&app, Method::GET, "/docs").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"), "{:?}", page.headers);
    assert!(page.text.contains("swagger"), "a page of Swagger UI");
    for outside in ["src=\"http", "href=\"http", "src=\"//", "href=\"//", "@import", "url(http"] {
        assert!(!page.text.contains(outside), "the page loads something from elsewhere: {outside}");
    }
}

/// Every operation, with all statuses that it can answer with.
const OPERATIONS: [(&str, &[&str]); 13] = [
    ("delete /tokens", &["204", "400", "401", "500", "503"]),
    ("delete /tokens/current", &["204", "401", "500", "503"]),
    ("delete /tokens/{token_id}", &["204", "401", "404", "500", "503"]),
    ("get /deliveries/{delivery_id}", &["200", "401", "404", "500", "503"]),
    ("get /healthz", &["200", "401", "500", "503"]),
    ("get /me", &["200", "401", "500", "503"]),
    ("get /me/events", &["200", "400", "401", "500", "503"]),
    ("get /protected", &["200", "401", "500", "503"]),
    ("get /readyz", &["200", "401", "500", "503"]),
    ("get /tokens", &["200", "400", "401", "500", "503"]),
    ("patch /me", &["200", "400", "401", "408", "409", "413", "415", "500", "503"]),
    ("post /signup", &["200", "400", "401", "403", "408", "409", "413", "415", "422", "429", "500", "503"]),
    ("post /tokens/current/renewal", &["200", "401", "500", "503"]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_describes_every_call_and_every_status() {
    let app = api_only().await;
    let answer = call(&app, Method::GET, "/openapi.json").await.expect(200);
    let document = &answer.body;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{}", answer.text);

    let found = operations(document);
    let statuses = found.iter().map(|(name, operation)| (name.as_str(), keys(&operation["responses"])));
    assert_eq!(statuses.collect::<Vec<_>>(), OPERATIONS.map(|(name, statuses)| (name, statuses.to_vec())));
    for (name, operation) in &found {
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name} has no summary");
        for (status, response) in operation["responses"].as_object().unwrap() {
            is_described(document, &format!("{name} {status}"), status, response);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_asks_for_a_token_where_the_code_does() {
    let app = api_only().await;
    let answer = call(&app, Method::GET, "/openapi.json").await.expect(200);
    let document = &answer.body;
    assert!(document.get("security").is_none(), "it would stand for every operation");
    let schemes = &document["components"]["securitySchemes"];
    for (name, operation) in operations(document) {
        let (method, path) = name.split_once(' ').unwrap();
        let method = method.to_ascii_uppercase().parse().unwrap();
        let without_token = call(&app, method, &path.replace("{token_id}", "current")).await;
        assert_eq!(without_token.body["code"] == "unauthorized", operation.get("security").is_some(), "{name}");
        if operation.get("security").is_none() {
            continue;
        }
        let [requirement] = operation["security"].as_array().unwrap().as_slice() else { panic!("{operation}") };
        let [scheme] = keys(requirement)[..] else { panic!("{requirement}") };
        assert_eq!(schemes[scheme]["type"], "http", "{schemes}");
        assert_eq!(schemes[scheme]["scheme"], "bearer", "{schemes}");
    }
}

/// All operations as `<method> <path>`, in alphabetical order.
fn operations(document: &Value) -> BTreeMap<String, &Value> {
    let paths = document["paths"].as_object().unwrap().iter();
    let methods = paths.flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |entry| (path, entry)));
    methods.map(|(path, (method, operation))| (format!("{method} {path}"), operation)).collect()
}

/// The names of an object's fields, in alphabetical order.
fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Holds that a response has a body with a schema and an example, and the headers that its status asks for.
fn is_described(document: &Value, at: &str, status: &str, response: &Value) {
    assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{at} has no description");
    if status == "204" {
        assert!(response.get("content").is_none(), "{at} has a body");
        return;
    }
    let [(kind, body)] = response["content"].as_object().unwrap().iter().collect::<Vec<_>>()[..] else {
        panic!("{at} has not one body: {response}")
    };
    assert!(kind.starts_with("application/json"), "{at} is {kind}");
    let schema = resolved(document, &body["schema"]);
    assert!(schema.is_object(), "{at} has no schema");
    let examples = if body["example"].is_object() { vec![&body["example"]] } else { examples(document, schema) };
    assert!(!examples.is_empty() && examples.iter().all(|example| example.is_object()), "{at} has no example");

    let header = match status {
        "401" => "www-authenticate",
        "429" | "503" => "retry-after",
        _ => return,
    };
    let headers = response["headers"].as_object().unwrap_or_else(|| panic!("{at} has no headers"));
    let (_, header) = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(header))
        .unwrap_or_else(|| panic!("{at} says nothing of {header}: {headers:?}"));
    assert!(header["required"] == true && header["schema"].is_object(), "{at}: {header}");
}

/// What a `$ref` stands for.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect(reference),
        None => schema,
    }
}

/// The example of a schema; of each alternative where it has some.
fn examples<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    match schema["oneOf"].as_array() {
        Some(alternatives) => alternatives.iter().map(|one| &resolved(document, one)["example"]).collect(),
        None => vec![&schema["example"]],
    }
}
