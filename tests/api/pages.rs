//! The sign-in page and the development inbox from outside: where they are, what may run in them,
//! and live messages.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{HeaderMap, Method};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::app::{App, Plan, SOON};
use crate::support::client::Answer;
use crate::support::numbers::NUMBER;

const SCRIPT: &str = include_str!("../../api/src/pages/sign_in.js");
const UPLOADS: &str = include_str!("../../api/src/pages/upload.js");

/// Nobody sends: the console provider.
fn console() -> Plan {
    ["TWILIO_SID", "TWILIO_API_KEY", "TWILIO_PHONE_NUMBER"]
        .into_iter()
        .fold(Plan::new(), Plan::without)
}

async fn get(app: &App, path: &str) -> Answer {
    app.client().get(path, None).await
}

#[async_test]
async fn the_sign_in_page_is_small_and_runs_its_own_script_only() {
    let app = console().workers(0).set("APP_NAME", "<b>&\"Us\"").start().await;
    let page = get(&app, "/").await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text.len() < 37_000, "{} bytes", page.text.len());
    let lines = UPLOADS.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    let uploads: usize = lines.map(|line| line.len() + 1).sum();
    assert!(uploads <= 5_000, "{uploads} bytes for uploads");
    assert!(
        page.text.contains("&lt;b&gt;&amp;&quot;Us&quot;") && !page.text.contains("<b>&"),
        "what settings say is text"
    );
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'sha256-",
        "style-src 'sha256-",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(
        !policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'),
        "{policy}"
    );
    for outside in ["src=", "onclick", "style=\"", "@import", "url("] {
        assert!(!page.text.contains(outside), "{outside}");
    }
    let settings = settings_of(&page.text);
    assert_eq!(settings["otpLength"], 6);
    assert_eq!(settings["countries"], serde_json::json!([["IN", "91", "0", "81234 56789"]]));
    assert_eq!(settings["inbox"], "/dev/inbox");

    let refused = app.client().send(Method::POST, "/", HeaderMap::new(), "").await;
    assert_eq!(refused.header("allow"), "GET, HEAD");
    refused.expect_code(405, "method_not_allowed");
}

#[async_test]
async fn the_page_knows_all_countries_where_all_are_allowed() {
    let app = console()
        .workers(0)
        .set("ALLOWED_COUNTRIES", "*")
        .set("DEFAULT_COUNTRY", "GB")
        .start()
        .await;
    let settings = settings_of(&get(&app, "/").await.expect(200).text);
    assert!(settings["countries"].as_array().is_some_and(|all| all.len() > 200));
    assert_eq!(settings["country"], "GB");
}

/// What the page's script reads.
fn settings_of(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"settings\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[async_test]
async fn each_page_is_there_only_where_it_belongs() {
    let production =
        || Plan::new().workers(0).set("APP_ENV", "production").set("TRUSTED_PROXIES", "none");
    let here = console().workers(0);
    for (plan, what, sign_in, inbox) in [
        (here.clone(), "development", 200, 200),
        (here.clone().set("SIGN_IN_PAGE", "off"), "without the sign-in page", 404, 200),
        (here.set("SMS_PROVIDERS", "webhook"), "webhook", 200, 404),
        (
            Plan::new().workers(0).set("SMS_PROVIDERS", "twilio,console"),
            "the console in second place",
            200,
            404,
        ),
        (Plan::new().workers(0), "Twilio", 200, 404),
        (production(), "production", 404, 404),
        (
            production().set("SIGN_IN_PAGE", "on").set("SMS_PROVIDERS", "console"),
            "production with a page",
            200,
            404,
        ),
    ] {
        let app = plan.start().await;
        let page = get(&app, "/").await;
        assert_eq!(page.status, sign_in, "{what}");
        assert_eq!(get(&app, "/dev/inbox").await.status, inbox, "{what}");
        if inbox == 404 {
            get(&app, "/dev/inbox/events").await.expect_code(404, "not_found");
            assert!(sign_in == 404 || settings_of(&page.text)["inbox"].is_null(), "{what}");
        }
    }
}

/// A stranger's website can give a name of its own the address 127.0.0.1 (DNS rebinding).
#[async_test]
async fn the_inbox_answers_under_this_machine_s_own_names_only() {
    let app = Plan::new().workers(0).set("SMS_PROVIDERS", "console").start().await;
    let port = app.client().address().rsplit_once(':').unwrap().1.to_owned();
    let mut headers = HeaderMap::new();
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "cheershare.localhost"] {
        headers.insert("host", format!("{host}:{port}").parse().unwrap());
        app.client().send(Method::GET, "/dev/inbox", headers.clone(), "").await.expect(200);
    }
    for host in ["rebound.example", "localhost.example", "192.168.1.7", "127.0.0.1.nip.io"] {
        headers.insert("host", format!("{host}:{port}").parse().unwrap());
        for path in ["/dev/inbox", "/dev/inbox/events"] {
            let refused = app.client().send(Method::GET, path, headers.clone(), "").await;
            refused.expect_code(403, "not_this_machine");
        }
        app.client().send(Method::GET, "/", headers.clone(), "").await.expect(200);
    }
}

/// An open event stream, read line by line.
struct Events {
    stream: TcpStream,
    seen: String,
}

impl Events {
    async fn open(app: &App) -> Self {
        let mut stream = TcpStream::connect(app.client().address()).await.unwrap();
        stream
            .write_all(b"GET /dev/inbox/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut events = Self { stream, seen: String::new() };
        events.until("retry:").await;
        assert!(events.seen.contains("content-type: text/event-stream"), "{}", events.seen);
        events
    }

    /// Reads on until it has seen that text.
    async fn until(&mut self, text: &str) {
        let mut chunk = [0; 4096];
        while !self.seen.contains(text) {
            let read = timeout(SOON, self.stream.read(&mut chunk)).await;
            let count = read.unwrap_or_else(|_| panic!("no {text} in {}", self.seen)).unwrap();
            assert!(count > 0, "the stream ended without {text}: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
    }

    async fn ended(mut self) {
        let mut rest = Vec::new();
        timeout(SOON, self.stream.read_to_end(&mut rest)).await.expect("an end").unwrap();
    }
}

#[async_test]
async fn the_inbox_shows_each_message_at_once_and_to_those_who_come_later() {
    let app = console().apis(2).start().await;
    let mut first = Events::open(&app).await;
    let id = app.ask(NUMBER).await;
    first.until(NUMBER).await;
    first.until("Your one-time password is ").await;
    app.delivery_is(&id, "sent", SOON).await;
    let mut later = Events::open(&app).await;
    later.until(NUMBER).await;
    assert!(
        !app.redis.lasting_keys().iter().any(|key| key.contains("inbox")),
        "nothing stores them"
    );
}

#[async_test]
async fn an_open_inbox_does_not_hold_up_the_end_of_the_api() {
    let mut app = console().workers(0).start().await;
    let events = Events::open(&app).await;
    let began = Instant::now();
    app.apis[0].signal("TERM");
    events.ended().await;
    assert!(app.apis[0].ended(SOON).await.success());
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "well within the grace of 30 s: {:?}",
        began.elapsed()
    );
}

/// The keys of a table of a script: `const NAME = {` and a line for each.
fn table(script: &'static str, name: &str) -> BTreeSet<&'static str> {
    let (_, rest) = script.split_once(&format!("const {name} = {{\n")).unwrap();
    let (lines, _) = rest.split_once("\n};").unwrap();
    lines.lines().map(|line| line.trim().split_once(':').unwrap().0).collect()
}

/// What the page asks of the API.
const OPERATIONS: [(&str, &str); 6] = [
    ("/signup", "post"),
    ("/deliveries/{delivery_id}", "get"),
    ("/me", "get"),
    ("/tokens", "get"),
    ("/tokens", "delete"),
    ("/tokens/{token_id}", "delete"),
];

#[async_test]
async fn the_page_has_words_for_every_code_status_and_reason_that_it_may_hear() {
    let app = Plan::new().workers(0).start().await;
    let document = get(&app, "/openapi.json").await.expect(200).body;
    let codes_of = |operations: &[(&str, &str)]| {
        let mut codes = BTreeSet::new();
        for (path, method) in operations {
            let operation = &document["paths"][path][method];
            assert!(operation.is_object(), "{method} {path}");
            collect_codes(operation, &mut codes);
        }
        codes.into_iter().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let lacks = |name: &str, found: BTreeSet<String>| {
        let known: BTreeSet<_> = table(SCRIPT, name).into_iter().map(str::to_owned).collect();
        let missing: Vec<_> = found.difference(&known).collect();
        assert!(missing.is_empty(), "{name} in sign_in.js lacks {missing:?}");
    };
    let codes = codes_of(&OPERATIONS);
    assert!(codes.len() > 20, "{codes:?}");
    lacks("ERRORS", codes);
    for (name, schema) in [("STATUSES", "Status"), ("REASONS", "EndReason")] {
        let words = document["components"]["schemas"][schema]["enum"].as_array().unwrap();
        assert!(words.len() > 3, "{schema}");
        lacks(name, words.iter().map(|word| word.as_str().unwrap().to_owned()).collect());
    }
    let of_files = codes_of(&[("/files", "post"), ("/files/{file_id}", "patch")]);
    for code in table(UPLOADS, "FILE_ERRORS") {
        assert!(of_files.contains(code), "upload.js speaks of {code}");
    }
}

/// The values of every `code` of every error in the document.
fn collect_codes<'a>(value: &'a Value, codes: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            let words = value["properties"]["code"]["enum"].as_array().into_iter().flatten();
            codes.extend(words.filter_map(Value::as_str));
            fields.values().for_each(|field| collect_codes(field, codes));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_codes(item, codes)),
        _ => {}
    }
}
