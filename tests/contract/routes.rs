//! Paths, methods, and what stands around the API: the documents and the health check.

use http::{HeaderMap, Method};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_describes_every_call_and_every_status() {
    let app = api_only().await;
    let answer = call(&app, Method::GET, "/openapi.json").await.expect(200);
    let document = &answer.body;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{}", answer.text);
    for (path, method, statuses) in [
        ("/signup", "post", vec!["200", "400", "401", "413", "415", "429", "500", "503"]),
        ("/protected", "get", vec!["200", "401", "500", "503"]),
        ("/healthz", "get", vec!["200"]),
        ("/readyz", "get", vec!["200", "401", "500", "503"]),
    ] {
        let operation = &document["paths"][path][method];
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}: {operation}");
        for status in statuses {
            let response = &operation["responses"][status];
            assert!(response.is_object(), "{method} {path} says nothing of {status}");
        }
    }
    assert!(document["paths"]["/protected"]["get"]["security"].is_array());
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    assert!(schemes.values().any(|scheme| scheme["type"] == "http" && scheme["scheme"] == "bearer"), "{schemes:?}");
}
