//! `CLIENTS_FILE`: what is wrong with it at the start, and what changes on SIGHUP.

use serde_json::json;

use super::{
    BILLING, ClientsFile, INTROSPECT, ORDERS, basic, entry, hash_of, introspect, is_oauth_error,
    post_form,
};
use crate::support::app::{App, SOON};
use crate::support::client::Answer;
use crate::support::eventually;
use crate::support::process::Process;
use crate::support::settings::Settings;

const NEW_SECRET: &str = "Z0XqC8xqGqEJ8f3l1nB2m7v5k4t9s6d3a1p0o2i4u6y";

/// Sends SIGHUP and waits for what the log says of it so many times.
async fn hang_up(app: &App, event: &str, times: usize) {
    app.apis[0].signal("HUP");
    eventually(SOON, event, async || {
        let told = app.apis[0].events(event);
        let of_the_file = told.iter().filter(|line| line["setting"] == "CLIENTS_FILE");
        (of_the_file.count() == times).then_some(())
    })
    .await;
}

async fn ask(app: &App, client: (&str, &str)) -> Answer {
    let form = [("token", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")];
    post_form(app.client(), INTROSPECT, Some(&basic(client)), &form).await
}

#[async_test]
async fn a_secret_is_rotated_while_the_program_asks() {
    let file = ClientsFile::new();
    let app = file.plan().workers(0).start().await;
    let (id, old) = BILLING;
    ask(&app, (id, old)).await.expect(200);
    is_oauth_error(&ask(&app, (id, NEW_SECRET)).await, 401, "invalid_client");

    let mut billing = entry(BILLING, true, true);
    billing["secret_hashes"] = json!([hash_of(NEW_SECRET), hash_of(old)]);
    file.write(&json!([billing]));
    hang_up(&app, "setting_reloaded", 1).await;
    for secret in [old, NEW_SECRET] {
        ask(&app, (id, secret)).await.expect(200);
    }
    is_oauth_error(&ask(&app, ORDERS).await, 401, "invalid_client");

    billing["secret_hashes"] = json!([hash_of(NEW_SECRET)]);
    file.write(&json!([billing]));
    hang_up(&app, "setting_reloaded", 2).await;
    ask(&app, (id, NEW_SECRET)).await.expect(200);
    is_oauth_error(&ask(&app, (id, old)).await, 401, "invalid_client");
}

#[async_test]
async fn a_faulty_file_leaves_the_old_one_in_force() {
    let file = ClientsFile::new();
    let mut app = file.plan().workers(0).start().await;
    file.write(&json!([{"id": "billing"}]));
    hang_up(&app, "setting_not_reloaded", 2).await;
    let told: Vec<_> = app.apis[0]
        .events("setting_not_reloaded")
        .iter()
        .map(|line| line["error"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        told,
        ["name is missing", "secret_hashes is missing"]
            .map(|fault| format!("CLIENTS_FILE: client 1 (billing): {fault}"))
    );
    assert_eq!(introspect(app.client(), BILLING, "A").await["active"], false);
    std::fs::remove_file(file.path()).unwrap();
    hang_up(&app, "setting_not_reloaded", 3).await;
    assert_eq!(introspect(app.client(), ORDERS, "A").await["active"], false);
    assert!(app.apis[0].is_running());
}

#[async_test]
async fn every_fault_is_a_line_when_the_api_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clients.json");
    let settings: Settings = [
        ("PORT", "0"),
        ("METRICS_ADDR", "off"),
        ("REDIS_URL", "redis://127.0.0.1:1"),
        ("CLIENTS_FILE", path.to_str().unwrap()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for (text, faults) in [
        (None, &["cannot be read: No such file or directory (os error 2)"][..]),
        (Some("["), &["is not JSON: line 1, column 1"]),
        (
            Some(r#"[{"id": "a", "name": "A", "secret_hashes": ["hunter2"], "hunter": 2}, 1]"#),
            &[
                "client 1 (a): secret_hashes[0] has to be sha256: and 64 lower-case hexadecimal digits, as `api client new` prints it",
                "client 1 (a): hunter is no field of a client",
                "client 2 has to be an object",
            ],
        ),
    ] {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let mut api = Process::spawn("api", "api", &[], &settings, folder.path());
        assert_eq!(api.ended(SOON).await.code(), Some(2));
        let told: Vec<String> = api.stderr().lines().map(str::to_owned).collect();
        let expected: Vec<String> =
            faults.iter().map(|fault| format!("CLIENTS_FILE: {fault}")).collect();
        assert_eq!(told, expected);
    }
}
