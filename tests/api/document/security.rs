//! A token is asked for by exactly the operations that the document says.

use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

use super::{Operation, operations, served};

#[async_test]
async fn the_document_asks_for_a_token_where_the_code_does() {
    let (app, document) = served().await;
    assert!(document.get("security").is_none(), "it would stand for every operation");
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let mut protected = 0;
    for operation in operations(&document) {
        let name = operation.name();
        println!("{name}");
        let told = operation.codes(&document, "401").contains("unauthorized");
        assert_eq!(told, operation.needs_token(), "{name}: {}", operation.value["security"]);
        if operation.needs_token() {
            protected += 1;
            let [requirement] = operation.value["security"].as_array().unwrap().as_slice() else {
                panic!("{name}")
            };
            let [scheme] = requirement.as_object().unwrap().keys().collect::<Vec<_>>()[..] else {
                panic!("{name}")
            };
            assert_eq!(
                (&schemes[scheme]["type"], &schemes[scheme]["scheme"]),
                (&"http".into(), &"bearer".into())
            );
        }
        let (method, path) =
            (operation.method.parse::<Method>().unwrap(), path_of(&document, &operation));
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let body = if operation.value.get("requestBody").is_some() { "{}" } else { "" };
        let answer = app.client().send(method, &path, headers, body).await;
        let refused = answer.status == 401 && answer.body["code"] == "unauthorized";
        assert_eq!(refused, operation.needs_token(), "{name}: {answer:?}");
    }
    assert!(protected > 0);
}

/// The operation's path with the examples of its parameters.
fn path_of(document: &Value, operation: &Operation) -> String {
    let in_path = operation.parameters().filter(|parameter| parameter["in"] == "path");
    in_path.fold(operation.path.to_owned(), |path, parameter| {
        let schema = super::resolved(document, &parameter["schema"]);
        let example =
            schema["example"].as_str().or(parameter["example"].as_str()).expect("an example");
        path.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), example)
    })
}

/// The cookie of the sign-in page opens files, and changes them for that page alone.
#[async_test]
async fn what_the_cookie_changes_tells_of_foreign_pages() {
    let (_app, document) = served().await;
    let mut changes = Vec::new();
    for operation in operations(&document) {
        let is_safe = ["GET", "OPTIONS"].contains(&operation.method.as_str());
        if !is_safe && operation.path.starts_with("/files") {
            let codes = operation.codes(&document, "403");
            assert!(codes.contains("foreign_page"), "{}: {codes:?}", operation.name());
            changes.push(operation.name());
        }
    }
    assert_eq!(changes.len(), 5, "{changes:?}");
}
