//! Keys: added, listed, removed, by the command and over HTTP; and what is kept of them.

use http::HeaderMap;
use serde_json::json;

use super::Operator;
use crate::operators::{Ended, json, run_with, settings_of, text};
use crate::support::app::{Plan, SOON};
use crate::support::eventually;

#[async_test]
async fn a_key_is_shown_once_and_kept_as_its_hash() {
    let mut app = Plan::new().workers(0).start().await;
    let owner = Operator::of(&mut app, "owner").await;
    assert!(owner.key.starts_with("csa_") && owner.key.len() == 56, "{}", owner.key);
    let everything = String::from_utf8_lossy(&app.database.everything().await).into_owned();
    assert!(everything.contains("admin_keys") || app.database.is_postgres());
    assert!(!everything.contains(&owner.key[4..]), "the key is kept");
    assert!(!app.logs().contains(&owner.key), "the key is logged");

    let me = owner.get("/admin/key").await.expect(200).body;
    assert_eq!((&me["data"]["name"], &me["data"]["role"]), (&"owner".into(), &"owner".into()));
    assert!(me["data"].get("expires_at").is_none(), "{me}");
    let listed = json(&app, "api admin-key list").await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["name"]), (1, &"owner".into()));
    assert!(listed[0]["last_used_at"].is_string(), "{listed}");
    assert!(!listed.to_string().contains("csa_"), "{listed}");
    let told = text(&app, "api admin-key add --name Ravi --role viewer --expires 2099-12-31").await;
    assert!(told.starts_with("The key of Ravi, viewer, until 2100-01-01T00:00:00Z."), "{told}");
}

#[async_test]
async fn its_use_is_noted_once_a_minute() {
    let mut app = Plan::new().workers(0).start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    let used = async |app: &crate::support::app::App| {
        let sql = "SELECT CAST(last_used_at AS text) FROM admin_keys";
        app.database.column::<Option<String>>(sql).await.remove(0)
    };
    assert_eq!(used(&app).await, None);
    viewer.get("/admin/key").await.expect(200);
    let first = used(&app).await;
    assert!(first.is_some());
    app.database.refuse("UPDATE", "admin_keys").await;
    viewer.get("/admin/key").await.expect(200);
    assert_eq!(used(&app).await, first);
    app.database.allow("admin_keys").await;
    app.database.execute("UPDATE admin_keys SET last_used_at = '2026-01-01T00:00:00Z'").await;
    viewer.get("/admin/key").await.expect(200);
    assert!(used(&app).await.is_some_and(|used| used >= first.unwrap()));
}

#[async_test]
async fn an_owner_adds_and_removes_keys_and_each_is_an_action() {
    let mut app = Plan::new().workers(0).start().await;
    let owner = Operator::of(&mut app, "owner").await;
    let new = json!({"name": "Priya", "role": "viewer", "last_day": "2099-12-31"});
    let added = owner.post("/admin/keys", &new).await.expect(200).body;
    assert_eq!(added["data"]["expires_at"], "2100-01-01T00:00:00Z");
    let priya = owner.with(added["key"].as_str().unwrap());
    priya.get("/admin/users").await.expect(200);
    owner.post("/admin/keys", &new).await.expect_code(409, "key_name_taken");
    for (wrong, code) in [
        (json!({"name": "", "role": "viewer"}), "invalid_name"),
        (json!({"name": "a", "role": "king"}), "invalid_payload"),
        (json!({"name": "a", "role": "viewer", "last_day": "2026-01-01"}), "invalid_last_day"),
        (json!({"name": "a", "role": "viewer", "last_day": "soon"}), "invalid_last_day"),
    ] {
        owner.post("/admin/keys", &wrong).await.expect_code(400, code);
    }
    let names: Vec<_> =
        owner.all("/admin/keys", 1).await.iter().map(|key| key["name"].clone()).collect();
    assert_eq!(names, ["Priya", "owner"]);

    let path = format!("/admin/keys/{}", added["data"]["id"]);
    assert_eq!(owner.delete(&path).await.expect(204).text, "");
    priya.get("/admin/users").await.expect_code(401, "invalid_authorization_header");
    owner.delete(&path).await.expect_code(404, "key_not_found");

    let actions = owner.all("/admin/actions", 1).await;
    let told: Vec<_> = actions
        .iter()
        .map(|action| (&action["kind"], &action["key_name"], &action["subject"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("key_removed"), &json!("owner"), &json!("Priya, key 2")),
            (&json!("key_added"), &json!("owner"), &json!("Priya, viewer, key 2")),
        ]
    );
    let some = owner.get("/admin/actions?kind=key_added&key_id=1").await.expect(200).body;
    assert_eq!(some["data"].as_array().unwrap().len(), 1, "{some}");
    // The name is free again, and the id tells whose an action is.
    let again = owner.post("/admin/keys", &new).await.expect(200).body;
    assert_eq!(again["data"]["name"], "Priya");
    assert_ne!(again["data"]["id"], added["data"]["id"]);
    let none = owner.get("/admin/actions?user_id=7").await.expect(200).body;
    assert_eq!(none["data"], json!([]));
}

#[async_test]
async fn what_cannot_be_a_key_is_named() {
    let app = Plan::new().workers(0).start().await;
    text(&app, "api admin-key add --name Ravi").await;
    for (line, code, named) in [
        ("api admin-key add --name Ravi", 2, "--name: is another key's already"),
        ("api admin-key add --name \u{200b}", 2, "--name: "),
        ("api admin-key add", 2, "--name: is not set"),
        (
            "api admin-key add --name A --role king",
            2,
            "--role: has to be one of viewer, operator, owner",
        ),
        ("api admin-key add --name A --expires 2026-01-01", 2, "--expires: "),
        ("api admin-key remove --name A", 1, "no key is called A"),
    ] {
        let Ended { code: ended, stdout, stderr } = run_with(&app, &settings_of(&app), line).await;
        assert_eq!((ended, stdout.as_str()), (code, ""), "{line}: {stderr}");
        assert!(stderr.starts_with(named) && stderr.lines().count() == 1, "{line}: {stderr}");
    }
}

#[async_test]
async fn wrong_keys_are_bounded_and_keep_no_right_one_out() {
    let mut app = Plan::new().workers(0).start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    let wrong = |n: usize| format!("csa_{}{}", "a".repeat(50), ["aa", "ab", "ac"][n % 3]);
    for n in 0..10 {
        viewer
            .with(&wrong(n))
            .get("/admin/key")
            .await
            .expect_code(401, "invalid_authorization_header");
    }
    let refused = viewer.with(&wrong(0)).get("/admin/key").await;
    assert!((1..=60).contains(&refused.retry_after()), "{refused:?}");
    refused.expect_code(429, "too_many_wrong_keys");
    eventually(SOON, "ten lines, and no more", async || {
        (app.apis[0].events("wrong_admin_key").len() == 10).then_some(())
    })
    .await;
    // By the same tunnel, and for the first time.
    viewer.get("/admin/key").await.expect(200);
    for malformed in ["", "Bearer", "Bearer csa_x", "Basic abc", "bearer  x"] {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", malformed.parse().unwrap());
        let answer = viewer.client.send(http::Method::GET, "/admin/key", headers, "").await;
        answer.expect_code(401, "invalid_authorization_header");
    }
}

#[async_test]
async fn a_database_that_is_away_is_told() {
    let mut app = Plan::new().workers(0).start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    viewer.get("/admin/key").await.expect(200);
    app.redis.stop();
    viewer.get("/admin/users").await.expect(200);
    if app.database.is_postgres() {
        let outage = app.database.fail().await;
        viewer.get("/admin/users").await.expect_code(503, "unavailable");
        app.database.restore(outage).await;
    }
}
