//! Metrics, health and readiness as Prometheus and a load balancer meet them, and the pages and
//! rules that name metrics.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;

use crate::support::app::{App, Plan, SOON};
use crate::support::client::Answer;
use crate::support::eventually;
use crate::support::fake_twilio::Reply;
use crate::support::markdown::{headings, table};
use crate::support::numbers::{NUMBER, OTHER_NUMBER};
use crate::support::operators::{Scraped, operators_client, scrape};

const OPERATIONS: &str = include_str!("../../docs/operations.md");
const ALERTS: &str = include_str!("../../deploy/prometheus/alerts.yml");
const DASHBOARD: &str = include_str!("../../deploy/grafana/cheershare.json");

/// Asks, guesses wrong, signs in, is refused, and meets a provider that fails once.
async fn conversation() -> (App, Scraped, Scraped) {
    let mut app = Plan::new().set("SEND_COOLDOWN_SECONDS", "30").start().await;
    app.twilio.script(NUMBER, [Reply::error(500, 20500)]);
    let code = app.code_for("Asha", NUMBER).await;
    app.client().ask("Asha", NUMBER).await.expect(429);
    app.client().verify(NUMBER, "0000000").await.expect(401);
    app.client().verify(NUMBER, &code).await.expect(200);
    let token = app.sign_in("Ravi", OTHER_NUMBER).await.token().to_owned();
    app.client().protected(&token).await.expect(200);
    app.client().get("/deliveries/no-such-delivery", None).await.expect(404);
    app.client().get("/no/+919876543210/such", None).await.expect(404);
    app.client()
        .send(Method::from_bytes(b"ASHA").unwrap(), "/signup", http::HeaderMap::new(), "")
        .await
        .expect(405);
    upload(&app, &token).await;
    app.no_job_is_left(SOON).await;
    let api = scrape(&mut app.apis[0]).await;
    // A job is counted after Redis has its outcome.
    let worker = eventually(SOON, "the count of both SMS and of their three jobs", async || {
        let worker = scrape(&mut app.workers[0]).await;
        let sent = worker.value("cheershare_jobs_total", &[("outcome", "sent")]);
        let removed = worker.value("cheershare_housekeeping_removed_total", &[("what", "jobs")]);
        (sent >= 2.0 && removed >= 3.0).then_some(worker)
    })
    .await;
    (app, api, worker)
}

/// A file in one request, one in two, and one too many of its bytes.
async fn upload(app: &App, token: &str) {
    let send = async |method: Method, path: &str, tus: &[(&'static str, &str)], body: &str| {
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        for (name, value) in tus {
            headers.insert(*name, value.parse().unwrap());
        }
        app.client().send(method, path, headers, body.to_owned()).await
    };
    send(Method::POST, "/files", &[], "hello").await.expect(201);
    let tus = ("tus-resumable", "1.0.0");
    let announced = send(Method::POST, "/files", &[tus, ("upload-length", "4")], "").await;
    let path = announced.expect(201).header("location").to_owned();
    for (offset, body, status) in [("0", "ab", 204), ("2", "cde", 413), ("2", "cd", 204)] {
        let piece = ("content-type", "application/offset+octet-stream");
        let headers = [tus, piece, ("upload-offset", offset)];
        assert_eq!(send(Method::PATCH, &path, &headers, body).await.status, status);
    }
}

#[async_test]
async fn a_conversation_is_counted() {
    let (_app, api, worker) = conversation().await;
    let requests = |labels: &[(&str, &str)]| api.value("cheershare_http_requests_total", labels);
    assert_eq!(requests(&[("route", "/signup"), ("method", "POST"), ("status", "200")]), 4.0);
    assert_eq!(requests(&[("route", "/signup"), ("status", "429")]), 1.0);
    assert_eq!(requests(&[("route", "/signup"), ("status", "401")]), 1.0);
    assert_eq!(requests(&[("route", "/signup"), ("method", "other"), ("status", "405")]), 1.0);
    assert_eq!(requests(&[("route", "/protected"), ("method", "GET"), ("status", "200")]), 1.0);
    assert_eq!(requests(&[("route", "/deliveries/{delivery_id}"), ("status", "404")]), 1.0);
    assert_eq!(requests(&[("route", "other"), ("status", "404")]), 1.0);
    let timed = api.value("cheershare_http_request_duration_seconds_count", &[]);
    assert_eq!(timed, requests(&[]), "every request is timed");
    for (name, labels, value) in [
        ("cheershare_http_requests_in_flight", vec![], 0.0),
        ("cheershare_otps_queued_total", vec![("kind", "sms")], 2.0),
        ("cheershare_sends_refused_total", vec![("limit", "cooldown")], 1.0),
        ("cheershare_sends_refused_total", vec![("limit", "service")], 0.0),
        ("cheershare_verifications_total", vec![("result", "right")], 2.0),
        ("cheershare_verifications_total", vec![("result", "wrong")], 1.0),
        ("cheershare_verifications_total", vec![("result", "expired")], 0.0),
        ("cheershare_sign_ups_total", vec![], 2.0),
        ("cheershare_tokens_issued_total", vec![], 2.0),
        ("cheershare_uploads_total", vec![("result", "announced")], 1.0),
        ("cheershare_uploads_total", vec![("result", "kept")], 1.0),
        ("cheershare_uploads_total", vec![("result", "complete")], 2.0),
        ("cheershare_uploads_total", vec![("result", "too_many_bytes")], 1.0),
        ("cheershare_upload_bytes_total", vec![], 9.0),
        ("cheershare_file_store_errors_total", vec![], 0.0),
    ] {
        assert_eq!(api.value(name, &labels), value, "{name} {labels:?}");
    }
    for (name, labels, value) in [
        ("cheershare_jobs_total", vec![("outcome", "sent")], 2.0),
        ("cheershare_jobs_total", vec![("outcome", "retried")], 1.0),
        (
            "cheershare_provider_calls_total",
            vec![("provider", "twilio"), ("class", "accepted")],
            2.0,
        ),
        (
            "cheershare_provider_calls_total",
            vec![("provider", "twilio"), ("class", "transient")],
            1.0,
        ),
        ("cheershare_sms_request_to_accepted_seconds_count", vec![], 2.0),
        ("cheershare_sms_tries_count", vec![], 2.0),
        ("cheershare_sms_tries_sum", vec![], 3.0),
        ("cheershare_breaker_state", vec![("provider", "twilio"), ("state", "closed")], 1.0),
        ("cheershare_breaker_state", vec![("provider", "twilio"), ("state", "open")], 0.0),
        ("cheershare_queue_jobs", vec![], 0.0),
        ("cheershare_queue_oldest_waiting_seconds", vec![], 0.0),
        ("cheershare_dead_letters", vec![], 0.0),
    ] {
        assert_eq!(worker.value(name, &labels), value, "{name} {labels:?}");
    }
    // The jobs of the SMS, and that of the files' sweep, once it has ended.
    let removed = worker.value("cheershare_housekeeping_removed_total", &[]);
    assert!((3.0..=4.0).contains(&removed), "{removed}");
    for program in [&api, &worker] {
        assert_eq!(program.value("cheershare_store_up", &[]), 2.0, "Redis and the database");
        let open = program.value("cheershare_database_connections_open", &[]);
        assert!((1.0..=10.0).contains(&open), "{open}");
        assert_eq!(program.value("cheershare_database_connections_limit", &[]), 10.0);
    }
}

#[async_test]
async fn metrics_keep_the_rules_and_the_pages_name_those_that_there_are() {
    let (_app, api, worker) = conversation().await;
    for program in [&api, &worker] {
        assert_eq!(
            program.names(),
            program.help.keys().map(String::as_str).collect(),
            "each has help"
        );
        for (name, kind) in &program.types {
            assert!(name.starts_with("cheershare_"), "{name}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
            assert!(program.help[name].len() > 20, "{name}: {}", program.help[name]);
        }
        for sample in &program.samples {
            program.family_of(&sample.name);
            for (label, value) in sample.labels.iter().filter(|(label, _)| *label != "le") {
                let digits = value.bytes().filter(u8::is_ascii_digit).count();
                assert!(digits <= 3 && value.len() < 40, "{} {label}={value}", sample.name);
                for name in ["Asha", "ASHA", "Ravi", "such"] {
                    assert!(!value.contains(name), "{} {label}={value}", sample.name);
                }
            }
        }
    }
    let there: BTreeSet<&str> = api.names().union(&worker.names()).copied().collect();
    let told = table(OPERATIONS, "Metrics");
    let told: BTreeSet<&str> = told.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(told, there, "docs/operations.md lists every metric");
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut expressions = String::new();
    for target in dashboard["panels"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
    {
        for target in target {
            expressions += target["expr"].as_str().unwrap();
            expressions.push('\n');
        }
    }
    assert_eq!(
        queried_in(&expressions, &[&api, &worker]),
        there,
        "the dashboard shows every metric"
    );
    assert!(queried_in(ALERTS, &[&api, &worker]).len() >= 5);
    for name in names_in(OPERATIONS) {
        assert!(there.contains(name), "docs/operations.md names {name}, which no program tells");
    }
}

fn names_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("cheershare_"))
}

/// The metrics that expressions ask for, each by the name of a sample.
fn queried_in<'a>(expressions: &str, programs: &[&'a Scraped]) -> BTreeSet<&'a str> {
    names_in(expressions)
        .map(|name| {
            let program = programs
                .iter()
                .find(|program| program.samples.iter().any(|sample| sample.name == name));
            program.unwrap_or_else(|| panic!("no program tells {name}")).family_of(name)
        })
        .collect()
}

#[test]
fn every_alert_is_explained() {
    let alerts: Vec<&str> =
        ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 5, "{alerts:?}");
    let headings = headings(OPERATIONS);
    for alert in &alerts {
        assert!(headings.contains(alert), "docs/operations.md has no heading {alert}");
        let runbook = format!("runbook: docs/operations.md#{}\n", alert.to_lowercase());
        assert!(ALERTS.contains(&runbook), "{runbook}");
    }
}

fn assert_ready(answer: &Answer, missing: Option<&str>) {
    assert_eq!(answer.status, if missing.is_some() { 503 } else { 200 }, "{answer:?}");
    assert_eq!(answer.body["ready"], missing.is_none(), "{answer:?}");
    for store in ["redis", "database"] {
        assert_eq!(answer.body[store]["ok"], Some(store) != missing, "{answer:?}");
        assert!(
            answer.body[store]["time_ms"].as_f64().is_some_and(|time| time <= 1000.0),
            "{answer:?}"
        );
    }
}

#[async_test]
async fn a_worker_tells_that_it_lives_and_what_it_misses() {
    let mut app = App::start().await;
    let client = operators_client(&mut app.workers[0]).await;
    assert_eq!(client.get("/healthz", None).await.status, 200);
    assert_eq!(client.get("/else", None).await.status, 404);
    assert_ready(&client.get("/readyz", None).await, None);

    app.redis.pause();
    assert_ready(&client.get("/readyz", None).await, Some("redis"));
    assert_eq!(client.get("/healthz", None).await.status, 200);
    let worker = scrape(&mut app.workers[0]).await;
    assert_eq!(worker.value("cheershare_store_up", &[("store", "redis")]), 0.0);
    assert_eq!(worker.value("cheershare_store_up", &[("store", "database")]), 1.0);
    assert!(
        worker.value("cheershare_queue_jobs", &[("state", "waiting")]).is_nan(),
        "nobody knows"
    );
    app.redis.resume();
    eventually(SOON, "a worker that is ready again", async || {
        (client.get("/readyz", None).await.status == 200).then_some(())
    })
    .await;
}

#[async_test]
async fn metrics_that_cannot_be_shown_are_a_warning() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let app = Plan::new().set("METRICS_ADDR", &address).start().await;
    app.sign_in("Asha", NUMBER).await;
    for process in app.apis.iter().chain(&app.workers) {
        let warnings = process.events("metrics_not_listening");
        assert_eq!(warnings.len(), 1, "{}", process.log());
        assert_eq!(warnings[0]["setting"], "METRICS_ADDR");
        assert_eq!(warnings[0]["address"], address.as_str());
        assert!(process.events("metrics_listening").is_empty());
    }
    let app = Plan::new().set("METRICS_ADDR", "off").start().await;
    app.client().get("/metrics", None).await.expect_code(404, "not_found");
    for process in app.apis.iter().chain(&app.workers) {
        assert!(!process.log().contains("metrics_"), "{}", process.log());
    }
}
