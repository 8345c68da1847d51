//! The console: its files, the session that a browser has there, and whose pages may use it.

use http::{HeaderMap, HeaderName, Method};
use serde_json::json;

use super::Operator;
use crate::operators::text;
use crate::support::app::{Plan, SOON};
use crate::support::client::{Answer, Client};
use crate::support::numbers::NUMBER;
use crate::support::raw::Connection;

const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");

/// A browser that holds a cookie.
struct Browser {
    client: Client,
    cookie: String,
}

impl Browser {
    async fn of(operator: &Operator) -> Self {
        let set = begin(operator, &[OWN]).await.expect(204);
        let cookie = set.header("set-cookie").split(';').next().unwrap().to_owned();
        Self { client: operator.client.clone(), cookie }
    }

    async fn send(&self, method: Method, path: &str, more: &[(&str, &str)], body: &str) -> Answer {
        let mut headers = headers(more);
        headers.insert("cookie", self.cookie.parse().unwrap());
        headers.insert("content-type", "application/json".parse().unwrap());
        self.client.send(method, path, headers, body.to_owned()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[OWN], "").await
    }
}

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    list.iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
        .collect()
}

async fn begin(operator: &Operator, more: &[(&str, &str)]) -> Answer {
    let mut headers = headers(more);
    headers.insert("authorization", format!("Bearer {}", operator.key).parse().unwrap());
    operator.client.send(Method::POST, "/admin/session", headers, "").await
}

#[async_test]
async fn a_browser_is_signed_in_for_twelve_hours_and_does_not_hold_the_key() {
    let mut app = Plan::new().workers(0).start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    let set = begin(&viewer, &[("origin", "https://admin.internal")]).await.expect(204);
    let set = set.header("set-cookie").to_owned();
    assert!(set.starts_with("__Host-cheershare-console="), "{set}");
    assert!(set.ends_with("; Max-Age=43200; Path=/; HttpOnly; SameSite=Strict; Secure"), "{set}");
    let by_https = Browser {
        client: viewer.client.clone(),
        cookie: set.split(';').next().unwrap().to_owned(),
    };
    by_https.get("/admin/key").await.expect(200);
    let browser = Browser::of(&viewer).await;
    assert!(!browser.cookie.contains(&viewer.key[4..]) && !set.contains(&viewer.key[4..]));
    let me = browser.get("/admin/key").await.expect(200).body;
    assert_eq!(me["data"]["name"], "viewer");
    browser.get("/admin/keys").await.expect_code(403, "role_too_low");
    let kept = String::from_utf8_lossy(&app.database.everything().await).into_owned();
    let token = browser.cookie.split_once('=').unwrap().1;
    assert!(!kept.contains(token) && !app.logs().contains(token));

    // It would never end.
    let again = browser.send(Method::POST, "/admin/session", &[OWN], "").await;
    again.expect_code(401, "unauthorized");
    let past = "UPDATE admin_sessions SET expires_at = '2026-01-01T00:00:00Z'";
    app.database.execute(past).await;
    browser.get("/admin/key").await.expect_code(401, "unauthorized");
    // What is over goes with the next one.
    Browser::of(&viewer).await;
    assert_eq!(app.database.column::<i64>("SELECT count(*) FROM admin_sessions").await, [1]);
}

#[async_test]
async fn its_session_ends_at_once() {
    let mut app = Plan::new().workers(0).start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    let (one, other) = (Browser::of(&viewer).await, Browser::of(&viewer).await);
    let ended = one.send(Method::DELETE, "/admin/session", &[OWN], "").await.expect(204);
    assert!(
        ended.header("set-cookie").starts_with("cheershare-console=; Max-Age=0; "),
        "{ended:?}"
    );
    one.get("/admin/key").await.expect_code(401, "unauthorized");
    other.get("/admin/key").await.expect(200);
    let twice = Browser { cookie: format!("{}; {0}", other.cookie), ..other };
    twice.get("/admin/key").await.expect_code(401, "unauthorized");

    let other = Browser::of(&viewer).await;
    let third = Browser::of(&viewer).await;
    app.database.execute("UPDATE admin_keys SET expires_at = '2026-01-01T00:00:00Z'").await;
    third.get("/admin/key").await.expect_code(401, "unauthorized");
    app.database.execute("UPDATE admin_keys SET expires_at = NULL").await;
    third.get("/admin/key").await.expect(200);
    text(&app, "api admin-key remove --name viewer").await;
    other.get("/admin/key").await.expect_code(401, "unauthorized");
    assert_eq!(app.database.column::<i64>("SELECT count(*) FROM admin_sessions").await, [0]);
}

#[async_test]
async fn no_foreign_page_does_anything_with_the_cookie() {
    let mut app = Plan::new().workers(0).set("ADMIN_HOSTS", "admin.internal").start().await;
    let owner = Operator::of(&mut app, "owner").await;
    let browser = Browser::of(&owner).await;
    let own = format!("http://{}", owner.client.address());
    let body = |n: usize| json!({"name": format!("N{n}"), "role": "owner"}).to_string();
    for page in [
        &[][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.example")],
        &[("origin", "http://127.0.0.1:3000")],
        &[("origin", "null")],
        &[("origin", &own), ("sec-fetch-site", "cross-site")],
    ] {
        let answer = browser.send(Method::POST, "/admin/keys", page, &body(0)).await;
        answer.expect_code(403, "foreign_page");
        let answer = browser.send(Method::DELETE, "/admin/session", page, "").await;
        answer.expect_code(403, "foreign_page");
        // What is typed into the address bar, and what came by http, only reads.
        let is_told = page.iter().any(|(_, value)| *value != "none");
        let answer = browser.send(Method::GET, "/admin/keys", page, "").await;
        assert_eq!(answer.status, if is_told { 403 } else { 200 }, "{page:?}");
        if is_told {
            let answer = browser.send(Method::GET, "/admin/overview/events", page, "").await;
            answer.expect_code(403, "foreign_page");
        }
    }
    for (n, page) in [OWN, ("origin", own.as_str())].into_iter().enumerate() {
        browser.send(Method::POST, "/admin/keys", &[page], &body(n)).await.expect(200);
    }
    // By a name whose address changed, with all that a browser would say.
    let (_, port) = owner.client.address().rsplit_once(':').unwrap();
    for (method, path) in [("GET", "/"), ("GET", "/admin/keys"), ("POST", "/admin/keys")] {
        for (host, is_own) in [("evil.example", false), ("admin.internal", true)] {
            let mut connection = Connection::open(owner.client.address());
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {}\r\nSec-Fetch-Site: same-origin\r\n\
                 Origin: http://{host}:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                browser.cookie
            );
            connection.write(head.as_bytes());
            let answer = connection.read_until(SOON, "\r\n\r\n").to_lowercase();
            assert_eq!(!answer.starts_with("http/1.1 403"), is_own, "{method} {path}: {answer}");
        }
    }
    // The key goes on without any of that.
    owner.post("/admin/keys", &json!({"name": "Ravi", "role": "viewer"})).await.expect(200);
}

#[async_test]
async fn its_files_run_nothing_else() {
    let mut app = Plan::new().workers(0).start().await;
    let client = super::client(&mut app.apis[0]).await;
    let page = client.get("/", None).await.expect(200);
    let policy = page.header("content-security-policy");
    for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(!page.text.contains("<style") && !page.text.contains("style="), "{}", page.text);
    let mut paths = vec!["/console/app.js".to_owned(), "/console/console.css".to_owned()];
    let mut read = 0;
    while let Some(path) = paths.get(read).cloned() {
        let file = client.get(&path, None).await.expect(200);
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        let imported = file.text.split("from \"./").skip(1).filter_map(|text| text.split_once('"'));
        for (name, _) in imported {
            let path = format!("/console/{name}");
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        read += 1;
    }
    assert!(read > 5, "{paths:?}");
    app.client().get("/console/app.js", None).await.expect_code(404, "not_found");
}

#[async_test]
async fn a_person_whose_number_is_masked_is_helped_by_their_id() {
    let mut app = Plan::new().start().await;
    let operator = Operator::of(&mut app, "operator").await;
    app.sign_in("Asha", NUMBER).await;
    let listed = operator.get("/admin/users?name=asha").await.expect(200).body;
    let path = format!("/admin/numbers/user:{}", listed["data"][0]["id"]);
    let number = operator.get(&path).await.expect(200).body["data"].clone();
    assert_eq!(
        (&number["phone_number"], &number["country"]),
        (&"+91********10".into(), &"IN".into())
    );
    assert_eq!(
        (&number["user_id"], &number["is_served"]),
        (&listed["data"][0]["id"], &true.into())
    );
    operator.post(&format!("{path}/block"), &json!({})).await.expect(200);
    app.client().ask("Asha", NUMBER).await.expect_code(403, "number_blocked");
    for nobody in ["user:999999", "user:", "user:x"] {
        let path = format!("/admin/numbers/{nobody}");
        operator.get(&path).await.expect_code(404, "user_not_found");
    }
    let abroad = operator.get("/admin/numbers/%2B33612345678").await.expect(200).body;
    assert_eq!(
        (&abroad["data"]["country"], &abroad["data"]["is_served"]),
        (&"FR".into(), &false.into())
    );
}
