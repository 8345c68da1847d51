//! Users: found by number, name and id, in both orders, page by page; one of them with sessions and
//! events.

use serde_json::{Value, json};

use super::Operator;
use crate::support::app::Plan;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};

const THIRD_NUMBER: &str = "+919876543212";

fn names(users: &[Value]) -> Vec<&str> {
    users.iter().map(|user| user["name"].as_str().unwrap()).collect()
}

#[async_test]
async fn users_are_found_by_number_name_and_id() {
    let mut app = Plan::new().start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    for (name, number) in
        [("Asha Rao", NUMBER), ("Ravi 50%_x", OTHER_NUMBER), ("Zoë Müller", THIRD_NUMBER)]
    {
        app.sign_in(name, number).await;
    }
    app.sign_in("Asha Rao", NUMBER).await;
    for limit in [1, 2, 100] {
        let newest = viewer.all("/admin/users", limit).await;
        assert_eq!(names(&newest), ["Zoë Müller", "Ravi 50%_x", "Asha Rao"]);
        let last = viewer.all("/admin/users?order=last_sign_in", limit).await;
        assert_eq!(names(&last), ["Asha Rao", "Zoë Müller", "Ravi 50%_x"]);
    }
    let asha = viewer.all("/admin/users?phone_number=098765+43210", 20).await.remove(0);
    assert_eq!(asha["phone_number"], "+91********10", "masked");
    assert!(asha["last_sign_in_at"].as_str() >= asha["created_at"].as_str(), "{asha}");
    for (query, found) in [
        ("phone_number=%2B91%2098765-43210", &["Asha Rao"][..]),
        ("phone_number=%2B919876543299", &[]),
        ("name=asha", &["Asha Rao"]),
        ("name=RAO", &["Asha Rao"]),
        ("name=a%20R", &["Asha Rao"]),
        ("name=M%C3%BCl", &["Zoë Müller"]),
        ("name=a", &["Ravi 50%_x", "Asha Rao"]),
        ("name=%25", &["Ravi 50%_x"]),
        ("name=_", &["Ravi 50%_x"]),
        ("name=%5C", &[]),
        ("name=%27%20OR%201%3D1%20--", &[]),
        ("name=a&order=last_sign_in", &["Asha Rao", "Ravi 50%_x"]),
        ("name=ravi&phone_number=9876543210", &[]),
    ] {
        assert_eq!(names(&viewer.all(&format!("/admin/users?{query}"), 1).await), found, "{query}");
    }
    let by_id = viewer.all(&format!("/admin/users?id={}", asha["id"]), 20).await;
    assert_eq!(by_id, std::slice::from_ref(&asha));
    let one = viewer.get(&format!("/admin/users/{}", asha["id"])).await.expect(200).body;
    assert_eq!(one, json!({ "data": asha }));
    for (query, code) in [
        ("phone_number=12", "invalid_phone_number"),
        ("limit=0", "invalid_parameter"),
        ("limit=101", "invalid_parameter"),
        ("cursor=x", "invalid_parameter"),
        ("order=oldest", "invalid_parameter"),
        ("id=x", "invalid_parameter"),
    ] {
        viewer.get(&format!("/admin/users?{query}")).await.expect_code(400, code);
    }
    viewer.get("/admin/users/999").await.expect_code(404, "user_not_found");
    assert!(!app.logs().contains(&NUMBER[3..]), "a whole number is in the logs");
}

/// Of most sign-ins a later one tells, so pages would read on and on.
#[async_test]
async fn pages_read_no_more_than_they_can_and_go_on() {
    let mut app = Plan::new().workers(0).start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    for (name, number) in [("Asha", NUMBER), ("Ravi", OTHER_NUMBER)] {
        let user = format!(
            "INSERT INTO users (created_at, name, phone_number)
            VALUES ('2026-11-23T07:04:59Z', '{name}', '{number}')"
        );
        app.database.execute(&user).await;
    }
    let sign_ins = async |name: &str, count: u32| {
        let events = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
            INSERT INTO events (created_at, user_id, kind)
            SELECT '2026-11-23T07:04:59Z', users.id, 'signed_in' FROM n, users
            WHERE users.name = '{name}'"
        );
        app.database.execute(&events).await;
    };
    sign_ins("Ravi", 1).await;
    sign_ins("Asha", 45_000).await;
    for path in ["/admin/users?order=last_sign_in", "/admin/users?order=last_sign_in&name=a"] {
        assert_eq!(names(&viewer.all(path, 20).await), ["Asha", "Ravi"], "{path}");
        let first = viewer.get(path).await.expect(200).body;
        assert_eq!(names(first["data"].as_array().unwrap()), ["Asha"]);
        let next = format!("{path}&cursor={}", first["next_cursor"].as_str().unwrap());
        let second = viewer.get(&next).await.expect(200).body;
        assert!(second["data"].as_array().unwrap().is_empty(), "{second}");
        assert!(second["next_cursor"].is_string(), "{second}");
    }
    for query in ["id=2", "phone_number=%2B919876543211", "id=2&name=rav"] {
        let path = format!("/admin/users?order=last_sign_in&{query}");
        let found = viewer.get(&path).await.expect(200).body;
        assert_eq!(names(found["data"].as_array().unwrap()), ["Ravi"], "{query}");
        assert!(found["next_cursor"].is_null(), "{found}");
    }
}

#[async_test]
async fn a_user_has_sessions_and_events() {
    let mut app = Plan::new().start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    app.sign_in("Asha", NUMBER).await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let own = app.client().get("/tokens", Some(&format!("Bearer {token}"))).await.expect(200).body;
    let user = viewer.all("/admin/users", 20).await.remove(0);
    let path = format!("/admin/users/{}", user["id"]);
    let sessions = viewer.all(&format!("{path}/sessions"), 1).await;
    let ids = |rows: &[Value]| rows.iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&sessions), ids(own["data"].as_array().unwrap()));
    assert!(sessions[0].get("current").is_none() && sessions[0]["device"].is_string());
    let events = viewer.all(&format!("{path}/events"), 1).await;
    let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["signed_in", "signed_up"]);
    for list in ["sessions", "events"] {
        viewer.get(&format!("/admin/users/999/{list}")).await.expect_code(404, "user_not_found");
    }
}
