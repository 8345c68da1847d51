//! The export of a person has all that is known of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Operator;
use crate::support::app::App;
use crate::support::database::Database;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};

/// Each table of the database, and what the export has of it.
const TABLES: [(&str, Option<&str>); 14] = [
    ("admin_actions", Some("operator_actions")),
    ("events", Some("events")),
    ("file_links", Some("file_links")),
    ("files", Some("files")),
    ("grants", Some("app_grants")),
    ("logouts", Some("app_logouts")),
    ("pictures", Some("pictures")),
    ("tokens", Some("sessions")),
    ("users", Some("user")),
    // Operators, and not users.
    ("admin_keys", None),
    ("admin_sessions", None),
    // Where the bytes of an unfinished upload are.
    ("file_parts", None),
    // On their way elsewhere; what they tell is in the others.
    ("outbox", None),
    // The database's own.
    ("seaql_migrations", None),
];

async fn tables(database: &Database) -> BTreeSet<String> {
    let sql = if database.is_postgres() {
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    };
    database.column::<String>(sql).await.into_iter().collect()
}

/// What the ways of a user through the service leave in the tables that they have not come to yet.
async fn leave_traces(database: &Database, user: &Value) {
    let bytes = |hex: &str| {
        if database.is_postgres() { format!("decode('{hex}', 'hex')") } else { format!("x'{hex}'") }
    };
    let at = "'2026-11-23T07:04:59Z'";
    // No worker has anything to do with them.
    let (end, due_at) = ("'2099-01-01T00:00:00Z'", 4_000_000_000_000_i64);
    for sql in [
        format!(
            "INSERT INTO files (id, user_id, name, size, created_at, expires_at)
            VALUES ('file', {user}, 'holiday.jpg', 7, {at}, {end})"
        ),
        format!(
            "INSERT INTO file_links (id, hash, file_serial, created_at, expires_at, downloads)
            SELECT 'link', {}, serial, {at}, {end}, 3 FROM files WHERE id = 'file'",
            bytes("aa")
        ),
        format!(
            "INSERT INTO pictures (id, user_id, state, due_at, session_id, address, created_at)
            VALUES ('picture', {user}, 'gone', {due_at}, 'session', '203.0.113.7', {at})"
        ),
        format!(
            "INSERT INTO grants (code_hash, session_id, user_id, client_id, redirect_uri, scope,
                auth_time, created_at, expires_at)
            SELECT {}, id, user_id, 'notes', 'https://notes.example.com', 'openid', {at}, {at}, {end}
            FROM tokens WHERE user_id = {user}",
            bytes("bb")
        ),
        format!(
            "INSERT INTO logouts (session_id, sid, user_id, client_id, uri)
            SELECT id, id, user_id, 'notes', 'https://notes.example.com/logout'
            FROM tokens WHERE user_id = {user}"
        ),
        format!(
            "INSERT INTO logouts (sid, user_id, client_id, uri, due_at)
            VALUES ('ended', {user}, 'notes', 'https://notes.example.com/logout', {due_at})"
        ),
    ] {
        database.execute(&sql).await;
    }
}

/// A new table is in the export, or somebody has thought of why it is not.
#[async_test]
async fn an_export_has_every_table_that_knows_of_users() {
    let mut app = App::start().await;
    let operator = Operator::of(&mut app, "operator").await;
    let known: BTreeSet<_> = TABLES.iter().map(|(table, _)| (*table).to_owned()).collect();
    assert_eq!(tables(&app.database).await, known);

    app.sign_in("Asha", NUMBER).await;
    app.sign_in("Ravi", OTHER_NUMBER).await;
    let found = operator.get("/admin/users?name=a").await.expect(200).body;
    let ids: BTreeMap<_, _> = found["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| (user["name"].as_str().unwrap().to_owned(), user["id"].clone()))
        .collect();
    leave_traces(&app.database, &ids["Asha"]).await;
    let export = async |name: &str| {
        let path = format!("/admin/users/{}/export", ids[name]);
        operator.post(&path, &json!({"reason": "They asked"})).await.expect(200).body
    };
    let (of_asha, of_ravi) = (export("Asha").await, export("Ravi").await);
    for part in TABLES.iter().filter_map(|(_, part)| *part) {
        assert!(!of_asha[part].is_null() && of_asha[part] != json!([]), "{part}: {of_asha}");
    }
    for part in ["files", "file_links", "pictures", "app_grants", "app_logouts"] {
        assert_eq!(of_ravi[part], json!([]), "{part}");
    }
    let link = &of_asha["file_links"][0];
    assert_eq!((&link["file_id"], &link["downloads"]), (&json!("file"), &json!(3)));
    let grant = &of_asha["app_grants"][0];
    assert_eq!(
        (&grant["client_id"], &grant["session_id"], &grant["is_redeemed"]),
        (&json!("notes"), &of_asha["sessions"][0]["id"], &json!(false))
    );
    let ended: Vec<_> = of_asha["app_logouts"].as_array().unwrap().iter().collect();
    assert_eq!((&ended[0]["has_ended"], &ended[1]["has_ended"]), (&json!(true), &json!(false)));
    assert_eq!(of_asha["pictures"][0]["address"], "203.0.113.7");
    let action = &of_asha["operator_actions"][0];
    assert_eq!(
        (&action["kind"], &action["reason"]),
        (&json!("user_exported"), &json!("They asked"))
    );
    assert_eq!(of_asha["number"]["deliveries"].as_array().unwrap().len(), 1);
}
