//! `GET /me` and `PATCH /me`

use http::{HeaderMap, Method};
use serde_json::json;

use super::{NUMBER, OTHER_NUMBER, SignedIn, keys, start};

#[async_test]
async fn users_read_and_change_themselves() {
    let app = start().await;
    let user = SignedIn::with(app.client(), NUMBER, "").await;
    let other = SignedIn::with(app.client(), OTHER_NUMBER, "").await;
    let me = user.get("/me").await.expect(200);
    assert_eq!(me.body, json!({"data": user.user, "picture": null}));
    assert_eq!(keys(&me.body["data"]), ["created_at", "id", "name", "phone_number", "version"]);

    let changed = user
        .call(Method::PATCH, "/me", Some(&json!({"name": "  Ravi\u{308} ", "version": 1})))
        .await
        .expect(200);
    let mut expected = user.user.clone();
    (expected["name"], expected["version"]) = (json!("Rav\u{ef}"), json!(2));
    assert_eq!(changed.body, json!({"data": expected, "picture": null}));
    assert_eq!(user.get("/me").await.body, changed.body);
    assert_eq!(
        SignedIn::with(app.client(), NUMBER, "").await.user,
        expected,
        "a known user keeps the name"
    );

    for version in [1, 3, 0, -1, i32::MAX] {
        let late = user
            .call(Method::PATCH, "/me", Some(&json!({"name": "Late", "version": version})))
            .await;
        assert_eq!(late.header("retry-after"), "", "waiting does not help");
        late.expect_code(409, "edit_conflict");
    }
    for name in ["", "  ", "a\nb", "\0", &"x".repeat(101)] {
        let answer =
            user.call(Method::PATCH, "/me", Some(&json!({"name": name, "version": 2}))).await;
        answer.expect_code(400, "invalid_name");
    }
    for body in [
        json!({}),
        json!({"name": "Ravi"}),
        json!({"version": 2}),
        json!({"name": null, "version": 2}),
        json!({"name": "Ravi", "version": "2"}),
        json!({"name": "Ravi", "version": 2.5}),
        json!({"name": "Ravi", "version": i64::MAX}),
        json!({"name": 5, "version": 2}),
        json!({"name": "Ravi", "version": 2, "phone_number": OTHER_NUMBER}),
        json!([]),
    ] {
        println!("{body}");
        user.call(Method::PATCH, "/me", Some(&body)).await.expect_code(400, "invalid_payload");
    }
    assert_eq!(user.call(Method::PATCH, "/me", None).await.status, 415);
    assert_eq!(user.get("/me").await.body, changed.body);
    assert_eq!(other.get("/me").await.body, json!({"data": other.user, "picture": null}));

    for (method, path) in [
        (Method::GET, "/me"),
        (Method::PATCH, "/me"),
        (Method::GET, "/me/events"),
        (Method::GET, "/tokens"),
        (Method::DELETE, "/tokens"),
        (Method::DELETE, "/tokens/current"),
        (Method::DELETE, "/tokens/k5x2aw7nqf3c4zt6y2h4v5xk7e"),
        (Method::POST, "/tokens/current/renewal"),
    ] {
        let nobody = app.client().send(method.clone(), path, HeaderMap::new(), "").await;
        nobody.expect_error(401, "Unauthorized", "unauthorized");
        let ended = user.holding("Y7QKZB3VJ5N2WXH4T6DPL2AEMU").call(method, path, None).await;
        ended.expect_error(401, "Invalid authorization header", "invalid_authorization_header");
    }
}

#[async_test]
async fn use_that_cannot_be_noted_keeps_nobody_out() {
    let app = start().await;
    let user = SignedIn::with(app.client(), NUMBER, "").await;
    let long_ago = if app.database.is_postgres() {
        "now() - interval '1 hour'"
    } else {
        "'2001-01-01T00:00:00Z'"
    };
    app.database.execute(&format!("UPDATE tokens SET last_used_at = {long_ago}")).await;
    app.database.refuse("UPDATE", "tokens").await;
    user.is_in().await;
    assert_eq!(app.apis[0].events("session_use_not_noted").len(), 1, "{}", app.logs());
    app.database.allow("tokens").await;
    let noted = user.sessions().await;
    user.is_in().await;
    assert_eq!(user.sessions().await, noted);
    assert_eq!(app.apis[0].events("session_use_not_noted").len(), 1);
}
