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

#[async_test]
async fn an_unknown_path() {
    let app = api_only().await;
    for path in
        ["/nothing", "/signup/more", "/sign", "/Protected", "/..%2f..%2fetc/passwd", "/users/1"]
    {
        println!("{path}");
        call(&app, Method::GET, path).await.expect_code(404, "not_found");
        call(&app, Method::POST, path).await.expect_code(404, "not_found");
    }
}

#[async_test]
async fn a_wrong_method() {
    let app = api_only().await;
    for (path, right) in [
        ("/signup", "POST"),
        ("/protected", "GET"),
        ("/healthz", "GET"),
        ("/me/events", "GET"),
        ("/me/deletion", "POST"),
        ("/me/phone-number", "POST"),
        ("/tokens/current", "DELETE"),
        ("/tokens/k5x2aw7nqf3c4zt6y2h4v5xk7e", "DELETE"),
        ("/tokens/current/renewal", "POST"),
    ] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if method.as_str() == right {
                continue;
            }
            println!("{method} {path}");
            let answer = call(&app, method, path).await;
            let allow: Vec<String> =
                answer.header("allow").split(',').map(|one| one.trim().to_owned()).collect();
            answer.expect_code(405, "method_not_allowed");
            assert!(allow.iter().any(|one| one == right), "{allow:?}");
        }
    }
}

#[async_test]
async fn the_health_check() {
    let app = api_only().await;
    call(&app, Method::GET, "/healthz").await.expect(200);
}

#[async_test]
async fn readiness_names_each_store_with_its_time() {
    let app = api_only().await;
    let answer = call(&app, Method::GET, "/readyz").await.expect(200);
    assert_eq!(answer.body["ready"], true);
    for store in ["redis", "database"] {
        let check = &answer.body[store];
        assert_eq!(check["ok"], true, "{answer:?}");
        assert!(
            check["time_ms"].as_f64().is_some_and(|time| (0.0..=1000.0).contains(&time)),
            "{answer:?}"
        );
    }
}

#[async_test]
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
const OPERATIONS: [(&str, &[&str]); 34] = [
    ("delete /files/{file_id}", &["204", "401", "403", "404", "500", "503"]),
    ("delete /files/{file_id}/links/{link_id}", &["204", "401", "403", "404", "500", "503"]),
    ("delete /me/picture", &["204", "401", "500", "503"]),
    ("delete /tokens", &["204", "400", "401", "500", "503"]),
    ("delete /tokens/current", &["204", "401", "500", "503"]),
    ("delete /tokens/{token_id}", &["204", "401", "404", "500", "503"]),
    ("get /auth/verify", &["200", "401", "500", "503"]),
    ("get /deliveries/{delivery_id}", &["200", "401", "404", "500", "503"]),
    ("get /files", &["200", "400", "401", "500", "503"]),
    (
        "get /files/{file_id}",
        &["200", "206", "302", "304", "400", "401", "404", "412", "416", "500", "503"],
    ),
    ("get /files/{file_id}/links", &["200", "400", "401", "404", "500", "503"]),
    ("get /healthz", &["200", "401", "500", "503"]),
    ("get /me", &["200", "401", "500", "503"]),
    ("get /me/events", &["200", "400", "401", "500", "503"]),
    ("get /me/picture", &["200", "401", "500", "503"]),
    ("get /oauth/jwks", &["200", "401", "404", "500", "503"]),
    (
        "get /pictures/{picture_id}",
        &["200", "206", "302", "304", "401", "404", "412", "416", "500", "503"],
    ),
    ("get /protected", &["200", "401", "500", "503"]),
    ("get /readyz", &["200", "401", "500", "503"]),
    (
        "get /shared/{link}",
        &["200", "206", "302", "304", "400", "401", "404", "412", "416", "500", "503"],
    ),
    ("get /tokens", &["200", "400", "401", "500", "503"]),
    ("options /files", &["204", "401", "500", "503"]),
    (
        "patch /files/{file_id}",
        &[
            "204", "400", "401", "403", "404", "408", "409", "410", "412", "413", "415", "423",
            "429", "460", "500", "503", "507",
        ],
    ),
    ("patch /me", &["200", "400", "401", "408", "409", "413", "415", "429", "500", "503"]),
    (
        "post /files",
        &[
            "201", "400", "401", "403", "404", "408", "411", "412", "413", "415", "423", "429",
            "460", "500", "503", "507",
        ],
    ),
    (
        "post /files/{file_id}/links",
        &["200", "400", "401", "403", "404", "408", "409", "413", "415", "429", "500", "503"],
    ),
    (
        "post /me/deletion",
        &["200", "400", "401", "403", "408", "409", "413", "415", "429", "500", "503"],
    ),
    (
        "post /me/phone-number",
        &["200", "400", "401", "403", "408", "409", "413", "415", "429", "500", "503"],
    ),
    ("post /oauth/introspect", &["200", "400", "401", "408", "413", "500", "503"]),
    ("post /oauth/revoke", &["200", "400", "401", "408", "413", "500", "503"]),
    (
        "post /signup",
        &["200", "400", "401", "403", "408", "409", "413", "415", "422", "429", "500", "503"],
    ),
    ("post /tokens/current/jwt", &["200", "400", "401", "404", "408", "413", "415", "500", "503"]),
    ("post /tokens/current/renewal", &["200", "400", "401", "409", "422", "500", "503"]),
    (
        "put /me/picture",
        &["202", "400", "401", "404", "408", "413", "415", "429", "500", "503", "507"],
    ),
];

#[async_test]
async fn the_document_has_every_operation_and_every_status() {
    let app = api_only().await;
    let document = call(&app, Method::GET, "/openapi.json").await.expect(200).body;
    let found = operations(&document);
    let statuses =
        found.iter().map(|(name, operation)| (name.as_str(), keys(&operation["responses"])));
    assert_eq!(
        statuses.collect::<Vec<_>>(),
        OPERATIONS.map(|(name, statuses)| (name, statuses.to_vec()))
    );
}

/// All operations as `<method> <path>`, in alphabetical order.
fn operations(document: &Value) -> BTreeMap<String, &Value> {
    let paths = document["paths"].as_object().unwrap().iter();
    let methods = paths
        .flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |entry| (path, entry)));
    methods.map(|(path, (method, operation))| (format!("{method} {path}"), operation)).collect()
}

/// The names of an object's fields, in alphabetical order.
fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
