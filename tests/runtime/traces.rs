//! Traces: a request and its job are one, nothing in them is secret, and nobody pays for a
//! collector that is not there.

use std::time::{Duration, Instant};

use http::{HeaderMap, Method};
use serde_json::json;

use crate::support::app::{App, Plan, SOON};
use crate::support::client::{Answer, Client};
use crate::support::collector::{Collector, Span};
use crate::support::fake_twilio::Reply;
use crate::support::numbers::NUMBER;
use crate::support::{eventually, free_port};

const NAME: &str = "Ashalata";

/// OTLP's numbers of span kinds.
const SERVER: u64 = 2;
const CONSUMER: u64 = 5;

/// Of the example in W3C's recommendation.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// Spans leave as JSON, and soon.
fn plan(collector: &Collector) -> Plan {
    Plan::new()
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
        .set("OTEL_BSP_SCHEDULE_DELAY", "100")
}

async fn ask_with(client: &Client, headers: &[(&'static str, &str)]) -> Answer {
    let mut all = HeaderMap::new();
    all.insert("content-type", "application/json".parse().unwrap());
    for (name, value) in headers {
        all.insert(*name, value.parse().unwrap());
    }
    let body = json!({"name": NAME, "phone_number": NUMBER}).to_string();
    client.send(Method::POST, "/signup", all, body).await.expect(200)
}

/// Waits for that many spans of that name, in whatever trace.
async fn spans(collector: &Collector, name: &str, count: usize) -> Vec<Span> {
    eventually(SOON, name, async || {
        let spans: Vec<_> =
            collector.spans().into_iter().filter(|span| span.name == name).collect();
        (spans.len() >= count).then_some(spans)
    })
    .await
}

#[async_test]
async fn a_request_and_all_runs_of_its_job_are_one_trace() {
    let collector = Collector::start().await;
    let app = plan(&collector).start().await;
    app.twilio.script(NUMBER, [Reply::error(500, 20500), Reply::Accept]);
    let asked = ask_with(app.client(), &[("x-request-id", "find-me")]).await;
    app.twilio.wait_for_sms(NUMBER, 1, SOON).await;

    let request = spans(&collector, "POST /signup", 1).await.remove(0);
    let jobs = spans(&collector, "send_otp", 2).await;
    assert_eq!((request.service.as_str(), request.kind), ("cheershare-api", SERVER));
    assert_eq!(request.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(request.parent_span_id, "");
    assert_eq!(request.attributes["http.request.method"], "POST");
    assert_eq!(request.attributes["http.route"], "/signup");
    assert_eq!(request.attributes["http.response.status_code"], "200");
    assert_eq!(request.attributes["request_id"], "find-me");
    for job in &jobs {
        assert_eq!((job.service.as_str(), job.kind), ("cheershare-worker", CONSUMER));
        assert_eq!(
            (&job.trace_id, &job.parent_span_id),
            (&request.trace_id, &request.span_id),
            "{job:?}"
        );
        assert_eq!(job.attributes["request_id"], "find-me");
        assert_eq!(job.attributes["delivery_id"], asked.delivery_id());
    }
    let outcomes: Vec<_> = jobs.iter().map(|job| job.attributes["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["retried", "sent"]);
}

#[async_test]
async fn a_client_s_trace_goes_on() {
    let collector = Collector::start().await;
    let app = plan(&collector).start().await;
    ask_with(app.client(), &[("traceparent", &format!("00-{TRACE}-{PARENT}-01"))]).await;
    let request = spans(&collector, "POST /signup", 1).await.remove(0);
    assert_eq!((request.trace_id.as_str(), request.parent_span_id.as_str()), (TRACE, PARENT));
    let job = spans(&collector, "send_otp", 1).await.remove(0);
    assert_eq!((job.trace_id.as_str(), &job.parent_span_id), (TRACE, &request.span_id));

    for nonsense in ["", "00", "00-zz-b7ad6b7169203331-01", &format!("ff-{TRACE}-{PARENT}-01")] {
        ask_with(app.client(), &[("traceparent", nonsense)]).await;
    }
    let requests = spans(&collector, "POST /signup", 5).await;
    let fresh = requests
        .iter()
        .filter(|span| span.trace_id != TRACE && span.parent_span_id.is_empty())
        .count();
    assert_eq!(fresh, 4, "what is no trace begins one: {requests:?}");
}

#[async_test]
async fn a_trace_holds_no_number_name_code_or_token() {
    let collector = Collector::start().await;
    let app = plan(&collector).start().await;
    let session = app.sign_in(NAME, NUMBER).await;
    let code = app.twilio.accepted(NUMBER)[0].code();
    app.client().protected(session.token()).await.expect(200);
    app.client().get(&format!("/nothing/{NUMBER}"), None).await.expect(404);
    app.client().get("/healthz", None).await.expect(200);
    app.client().get("/readyz", None).await.expect(200);
    let app = stopped(app).await;

    let told = collector.spans();
    let names: Vec<_> = told.iter().map(|span| span.name.as_str()).collect();
    for name in ["POST /signup", "GET /protected", "GET other", "send_otp"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(
        !names.iter().any(|name| name.contains("healthz") || name.contains("readyz")),
        "{names:?}"
    );
    let text = told.iter().map(|span| span.json.to_string()).collect::<String>();
    for secret in [NUMBER.trim_start_matches("+91"), NAME, &code, session.token()] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert!(!app.logs().contains("otel."), "spans of traces are not for logs");
}

/// Stops both programs, and waits for their ends.
async fn stopped(mut app: App) -> App {
    for process in app.apis.iter_mut().chain(&mut app.workers) {
        process.signal("TERM");
        let status = process.ended(SOON).await;
        assert!(status.success(), "{status}");
    }
    app
}

#[async_test]
async fn an_error_is_told_as_one() {
    let collector = Collector::start().await;
    let mut app = plan(&collector).workers(0).start().await;
    app.redis.stop();
    app.client().ask(NAME, NUMBER).await.expect(503);
    let request = spans(&collector, "POST /signup", 1).await.remove(0);
    assert_eq!(request.attributes["http.response.status_code"], "503");
    assert_eq!(request.status, 2, "{request:?}");
}

/// Nothing leaves by itself within the hour that is asked for here: only at the end.
#[async_test]
async fn the_last_spans_leave_when_a_program_ends_as_protobuf_with_the_headers_asked_for() {
    let collector = Collector::start().await;
    let app = Plan::new()
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .set("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=of-the-tests")
        .set("OTEL_SERVICE_NAME", "renamed")
        .set("OTEL_BSP_SCHEDULE_DELAY", "3600000")
        .set("LOG", "error,api::startup=info,worker::startup=info")
        .start()
        .await;
    app.code_for(NAME, NUMBER).await;
    assert!(collector.exports().is_empty());
    stopped(app).await;
    let exports = collector.exports();
    assert_eq!(exports.len(), 2, "one of each program");
    for export in exports {
        assert_eq!(export.path, "/v1/traces");
        assert_eq!(
            (export.content_type.as_str(), export.api_key.as_str()),
            ("application/x-protobuf", "of-the-tests")
        );
        let body = String::from_utf8_lossy(&export.body);
        assert!(body.contains("renamed"), "{body}");
        assert!(body.contains("POST /signup") || body.contains("send_otp"), "{body}");
    }
}

#[async_test]
async fn without_a_collector_there_is_no_trace() {
    let app = Plan::new().workers(0).start().await;
    ask_with(app.client(), &[("traceparent", &format!("00-{TRACE}-{PARENT}-01"))]).await;
    let kept = String::from_utf8_lossy(&app.redis.everything()).into_owned();
    assert!(kept.contains("request_id") && !kept.contains("traceparent"), "{kept}");
}

#[async_test]
async fn a_collector_that_is_away_costs_one_warning() {
    let app = Plan::new()
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://127.0.0.1:{}", free_port()))
        .set("OTEL_BSP_SCHEDULE_DELAY", "50")
        .set("OTEL_EXPORTER_OTLP_TIMEOUT", "100")
        .start()
        .await;
    for index in 0..20 {
        let start = Instant::now();
        app.sign_in(NAME, &format!("+9198765432{index:02}")).await;
        assert!(start.elapsed() < SOON);
    }
    let warnings = eventually(SOON, "a warning of each program", async || {
        let warnings: Vec<_> = app
            .apis
            .iter()
            .chain(&app.workers)
            .map(|process| process.events("traces_not_exported"))
            .collect();
        warnings.iter().all(|warnings| !warnings.is_empty()).then_some(warnings)
    })
    .await;
    for warnings in &warnings {
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(warnings[0]["setting"], "OTEL_EXPORTER_OTLP_ENDPOINT");
    }
    let start = Instant::now();
    stopped(app).await;
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}
