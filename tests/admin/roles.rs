//! Who may what: every operation of the document, with each role, without a key, with an expired and
//! with a removed one, and on the public port.

use std::collections::BTreeMap;

use http::{HeaderMap, Method};
use serde_json::Value;

use super::Operator;
use crate::operators::{json, text};
use crate::support::app::Plan;
use crate::support::client::Answer;
use crate::support::markdown::table;

const ROLES: [&str; 3] = ["viewer", "operator", "owner"];

/// The least role of each operation.
const NEEDED: &[(&str, &str)] = &[
    ("DELETE /admin/keys/{key_id}", "owner"),
    ("DELETE /admin/session", "viewer"),
    ("DELETE /admin/users/{user_id}", "owner"),
    ("DELETE /admin/users/{user_id}/sessions", "operator"),
    ("DELETE /admin/users/{user_id}/sessions/{session_id}", "operator"),
    ("GET /admin/actions", "viewer"),
    ("GET /admin/breakers", "viewer"),
    ("GET /admin/buckets/{kind}", "viewer"),
    ("GET /admin/clients", "viewer"),
    ("GET /admin/dead-letters", "viewer"),
    ("GET /admin/deliveries", "viewer"),
    ("GET /admin/deliveries/{delivery_id}", "viewer"),
    ("GET /admin/key", "viewer"),
    ("GET /admin/keys", "owner"),
    ("GET /admin/numbers/{phone_number}", "viewer"),
    ("GET /admin/outgoing-events", "viewer"),
    ("GET /admin/overview", "viewer"),
    ("GET /admin/queue", "viewer"),
    ("GET /admin/users", "viewer"),
    ("GET /admin/users/{user_id}", "viewer"),
    ("GET /admin/users/{user_id}/deliveries", "viewer"),
    ("GET /admin/users/{user_id}/events", "viewer"),
    ("GET /admin/users/{user_id}/sessions", "viewer"),
    ("PATCH /admin/users/{user_id}", "operator"),
    ("POST /admin/breakers/{provider}/reset", "operator"),
    ("POST /admin/buckets/{kind}/empty", "operator"),
    ("POST /admin/import/users", "owner"),
    ("POST /admin/keys", "owner"),
    ("POST /admin/numbers/{phone_number}/block", "operator"),
    ("POST /admin/numbers/{phone_number}/erase", "owner"),
    ("POST /admin/numbers/{phone_number}/unblock", "operator"),
    ("POST /admin/numbers/{phone_number}/unlock", "operator"),
    ("POST /admin/outgoing-events/replay", "operator"),
    ("POST /admin/outgoing-events/resume", "operator"),
    ("POST /admin/session", "viewer"),
    ("POST /admin/users", "operator"),
    ("POST /admin/users/{user_id}/export", "operator"),
    ("POST /admin/users/{user_id}/phone-number", "operator"),
    ("POST /admin/users/{user_id}/reveal", "operator"),
];

/// All operations of a document as `<method> <path>`, with what they are.
fn operations(document: &Value) -> BTreeMap<String, (Method, String, Value)> {
    let mut all = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method: Method = method.to_ascii_uppercase().parse().unwrap();
            all.insert(format!("{method} {path}"), (method, path.clone(), operation.clone()));
        }
    }
    all
}

/// The path with values that stand for nothing that is there.
fn path_of(path: &str, operation: &Value) -> String {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let in_path = parameters.filter(|parameter| parameter["in"] == "path");
    in_path.fold(path.to_owned(), |path, parameter| {
        let value = match &parameter["schema"]["type"] {
            kind if kind == "integer" => "999999".to_owned(),
            _ => parameter["example"]
                .as_str()
                .or(parameter["schema"]["example"].as_str())
                .unwrap_or_else(|| panic!("no example: {parameter}"))
                .replace('+', "%2B"),
        };
        path.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), &value)
    })
}

/// The document tells of that answer, with its code where it is a failure.
fn assert_documented(name: &str, operation: &Value, answer: &Answer) {
    let told = &operation["responses"][answer.status.to_string()];
    assert!(told.is_object(), "{name}: {answer:?}");
    if answer.status >= 400 {
        let body = &told["content"]["application/json; charset=utf-8"]["schema"];
        let codes = body["properties"]["code"]["enum"].as_array().unwrap();
        assert!(codes.contains(&answer.body["code"]), "{name}: {answer:?}");
    }
}

#[async_test]
async fn every_operation_asks_for_its_role() {
    let mut app = Plan::new().workers(0).start().await;
    let owner = Operator::of(&mut app, "owner").await;
    let mut keys = BTreeMap::from([("owner", owner.key.clone())]);
    for role in ["viewer", "operator"] {
        keys.insert(role, Operator::of(&mut app, role).await.key);
    }
    let expired =
        json(&app, "api admin-key add --name expired --role owner --expires 2099-12-31").await;
    let past = "UPDATE admin_keys SET expires_at = '2026-01-01T00:00:00Z' WHERE name = 'expired'";
    app.database.execute(past).await;
    let removed = json(&app, "api admin-key add --name removed --role owner").await;
    let told = text(&app, "api admin-key remove --name removed").await;
    assert_eq!(told, "The key of removed is removed.\n");

    for dead in [&expired, &removed] {
        let dead = owner.with(dead["key"].as_str().unwrap());
        dead.get("/admin/key").await.expect_code(401, "invalid_authorization_header");
    }

    let document = owner.client.get("/openapi.json", None).await.expect(200).body;
    let operations = operations(&document);
    let names: Vec<_> = operations.keys().map(String::as_str).collect();
    assert_eq!(names, NEEDED.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (name, needed) in NEEDED {
        let (method, path, operation) = &operations[*name];
        let told = operation["description"].as_str().unwrap();
        assert!(told.contains(&format!("Needs the role `{needed}`.")), "{name}: {told}");
        assert!(operation["security"][0].get("AdminKey").is_some(), "{name}");
        let path = path_of(path, operation);
        let body = operation.get("requestBody").map(|_| serde_json::json!({}));
        for (rank, role) in ROLES.iter().enumerate() {
            println!("{name} as {role}");
            let answer = owner.with(&keys[role]).send(method.clone(), &path, body.as_ref()).await;
            assert_documented(name, operation, &answer);
            if rank < ROLES.iter().position(|role| role == needed).unwrap() {
                answer.expect_code(403, "role_too_low");
            } else {
                assert!(![401, 403, 405, 500].contains(&answer.status), "{name}: {answer:?}");
            }
        }
        for dead in [&expired, &removed] {
            let dead = owner.with(dead["key"].as_str().unwrap());
            let answer = dead.send(method.clone(), &path, body.as_ref()).await;
            // After ten of them its address is told to wait.
            assert!([401, 429].contains(&answer.status), "{name}: {answer:?}");
            assert_documented(name, operation, &answer);
        }
        let nobody = owner.client.send(method.clone(), &path, HeaderMap::new(), "").await;
        nobody.expect_code(401, "unauthorized");
        let public = Operator { client: app.client().clone(), key: owner.key.clone() };
        let here = app.client().send(method.clone(), &path, HeaderMap::new(), "").await;
        here.expect_code(404, "not_found");
        // There, an admin key is a bearer token that is none.
        public.send(method.clone(), &path, body.as_ref()).await.expect(401);
    }
}

#[test]
fn the_page_has_the_same_table() {
    let page = include_str!("../../docs/admin.md");
    let mut told: Vec<_> = table(page, "Who may what")
        .into_iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), row[1].trim_matches('`').to_owned()))
        .collect();
    told.sort();
    let needed = NEEDED.iter().map(|(name, role)| ((*name).to_owned(), (*role).to_owned()));
    assert_eq!(told, needed.collect::<Vec<_>>());
}
