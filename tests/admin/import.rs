//! Users by the line: what makes none is told with its number, and the rest is made.

use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::Operator;
use crate::support::app::{Plan, SOON};
use crate::support::client::Answer;
use crate::support::numbers::NUMBER;
use crate::support::raw::Connection;

async fn import(owner: &Operator, body: impl Into<reqwest::Body>) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", owner.key).parse().unwrap());
    headers.insert("content-type", "application/x-ndjson".parse().unwrap());
    owner.client.send(Method::POST, "/admin/import/users", headers, body).await
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[async_test]
async fn each_line_makes_a_user_or_is_told() {
    let mut app = Plan::new().start().await;
    let owner = Operator::of(&mut app, "owner").await;
    app.sign_in("Asha", NUMBER).await;
    let line = |name: &str, number: &str| json!({"name": name, "phone_number": number}).to_string();
    let body = [
        line("Ravi", "98765 43211"),
        line("Asha again", NUMBER),
        String::new(),
        "no JSON".to_owned(),
        line("", "+919876543212"),
        line("A", "12"),
        line("Ravi again", "+919876543211"),
        r#"["A", "+919876543213"]"#.to_owned(),
        r#"{"name": "A", "phone_number": "+919876543213", "admin": true}"#.to_owned(),
        line(&"a".repeat(5_000), "+919876543213"),
        line("Zoë", "+919876543214"),
    ]
    .join("\n");
    let answer = import(&owner, body).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let told = lines(&answer);
    let codes: Vec<_> =
        told.iter().map(|line| (line["line"].as_i64(), line["code"].as_str())).collect();
    assert_eq!(
        codes,
        [
            (Some(2), Some("phone_number_taken")),
            (Some(4), Some("invalid_payload")),
            (Some(5), Some("invalid_name")),
            (Some(6), Some("invalid_phone_number")),
            (Some(7), Some("phone_number_taken")),
            (Some(8), Some("invalid_payload")),
            (Some(9), Some("invalid_payload")),
            (Some(10), Some("payload_too_large")),
            (None, None),
        ]
    );
    let summary = json!({"lines": 11, "imported": 2, "refused": 8, "complete": true});
    assert_eq!(told.last().unwrap(), &summary);
    let names: Vec<_> =
        owner.all("/admin/users", 20).await.iter().map(|user| user["name"].clone()).collect();
    assert_eq!(names, ["Zoë", "Ravi", "Asha"]);
    let actions = owner.all("/admin/actions?kind=users_imported", 20).await;
    let subjects: Vec<_> = actions.iter().map(|action| action["subject"].clone()).collect();
    assert_eq!(subjects, ["2 imported, 8 refused", "begun"]);
    let signed_in = app.sign_in("Other", "+919876543211").await;
    assert_eq!(signed_in.body["data"]["name"], "Ravi");
    let nothing = lines(&import(&owner, "").await.expect(200));
    assert_eq!(nothing, [json!({"lines": 0, "imported": 0, "refused": 0, "complete": true})]);
}

#[async_test]
async fn lines_are_imported_as_they_come_and_the_answer_comes_meanwhile() {
    let mut app = Plan::new().workers(0).start().await;
    let owner = Operator::of(&mut app, "owner").await;
    let mut connection = Connection::open(owner.client.address());
    let head = format!(
        "POST /admin/import/users HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        owner.key
    );
    connection.write(head.as_bytes());
    let mut write = |from: usize, to: usize| {
        let line =
            |n| json!({"name": format!("User {n}"), "phone_number": format!("+9198765{n:05}")});
        let lines: String = (from..to).map(|n| format!("{}\n", line(n))).collect();
        let lines = if from == 0 { format!("no JSON\n{lines}") } else { lines };
        connection.write(format!("{:x}\r\n{lines}\r\n", lines.len()).as_bytes());
    };
    write(0, 1_000);
    write(1_000, 1_500);
    let told = connection.read_until(SOON, "\"line\":1}");
    assert!(told.starts_with("HTTP/1.1 200") && !told.contains("complete"), "{told}");
    let users = async || app.database.column::<i64>("SELECT id FROM users").await.len();
    assert_eq!(users().await, 1_000);
    connection.write(b"0\r\n\r\n");
    connection.read_until(SOON, "\"complete\":true,\"imported\":1500");
    assert_eq!(users().await, 1_500);
}

#[async_test]
async fn a_database_that_fails_ends_it_and_that_is_told() {
    let mut app = Plan::new().workers(0).start().await;
    let owner = Operator::of(&mut app, "owner").await;
    let line = json!({"name": "Asha", "phone_number": NUMBER}).to_string();
    app.database.refuse("INSERT", "users").await;
    let told = lines(&import(&owner, line.clone()).await.expect(200));
    assert_eq!(told[0]["code"], "unavailable");
    assert_eq!((&told[1]["complete"], &told[1]["imported"]), (&false.into(), &0.into()));
    app.database.allow("users").await;
    let told = lines(&import(&owner, line).await.expect(200));
    assert_eq!((told.len(), &told[0]["imported"]), (1, &1.into()));
}
