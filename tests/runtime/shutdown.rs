//! How the programs stop.

use std::time::{Duration, Instant};

use crate::support::app::{App, Plan, SOON};
use crate::support::fake_twilio::Reply;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};
use crate::support::operators::operators_client;
use crate::support::process::Process;
use crate::support::{eventually, raw};

const BODY: &[u8] = br#"{"name":"Asha","phone_number":"+919876543210"}"#;

/// Far less than the time that a program has for what it still does.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Sends a request but for the end of its body.
fn begin_request(app: &App) -> raw::Connection {
    let mut connection = raw::Connection::open(app.client().address());
    let head = format!(
        "POST /signup HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        BODY.len()
    );
    connection.write(head.as_bytes());
    connection.write(&BODY[..10]);
    connection
}

/// Does any worker hold jobs? apalis-redis keeps their ids in a set for each worker.
fn is_held(app: &App) -> bool {
    app.job_records().iter().any(|key| key.contains(":inflight:"))
}

/// Waits until the program has seen the signal.
async fn is_stopping(process: &mut Process) {
    process.wait_for_event("stopping", SOON).await;
}

#[async_test]
async fn the_api_finishes_what_it_has() {
    for signal in ["TERM", "INT"] {
        let mut app = Plan::new().workers(0).start().await;
        let address = app.client().address().to_owned();
        let mut idle = raw::Connection::open(&address);
        idle.write(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n");
        idle.read_until(SOON, "\r\n\r\n");
        let mut open = begin_request(&app);
        // The API has read the first part when a later request on another connection was answered.
        app.client().get("/healthz", None).await.expect(200);

        app.apis[0].signal(signal);
        is_stopping(&mut app.apis[0]).await;
        eventually(SOON, "an API that takes no more connections", async || {
            raw::Connection::try_open(&address).is_err().then_some(())
        })
        .await;
        assert!(app.apis[0].is_running(), "a request is open");
        open.write(&BODY[10..]);
        let answer = open.read_until(SOON, "OTP sent successfully");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let status = app.apis[0].ended(SOON).await;
        assert!(status.success(), "{status}");
        assert!(!app.job_records().is_empty(), "the job was written");
    }
}

#[async_test]
async fn the_api_says_that_it_stops_before_it_does() {
    const DELAY: Duration = Duration::from_secs(3);
    let mut app =
        Plan::new().workers(0).set("SHUTDOWN_DELAY", &DELAY.as_secs().to_string()).start().await;
    let client = app.client().clone();
    let ready = client.get("/readyz", None).await.expect(200);
    assert_eq!(
        (&ready.body["ready"], &ready.body["stopping"]),
        (&true.into(), &false.into()),
        "{ready:?}"
    );

    let told = Instant::now();
    app.apis[0].signal("TERM");
    is_stopping(&mut app.apis[0]).await;
    let ready = client.get("/readyz", None).await.expect(503);
    assert_eq!(
        (&ready.body["ready"], &ready.body["stopping"]),
        (&false.into(), &true.into()),
        "{ready:?}"
    );
    assert!(ready.body["redis"]["ok"] == true && ready.body["database"]["ok"] == true, "{ready:?}");
    // Who has not heard of it yet is served, and sent elsewhere.
    let asked = client.ask("Asha", NUMBER).await.expect(200);
    assert_eq!(asked.header("connection"), "close", "{asked:?}");
    eventually(SOON, "an API that takes no more connections", async || {
        raw::Connection::try_open(client.address()).is_err().then_some(())
    })
    .await;
    assert!(told.elapsed() >= DELAY, "{:?}", told.elapsed());
    let status = app.apis[0].ended(SOON).await;
    assert!(status.success(), "{status}");
}

#[async_test]
async fn a_worker_says_that_it_stops_while_it_finishes() {
    let mut app = App::start().await;
    let client = operators_client(&mut app.workers[0]).await;
    assert_eq!(client.get("/readyz", None).await.status, 200);
    app.twilio.script(NUMBER, [Reply::accept_after(Duration::from_secs(3))]);
    app.client().ask("Asha", NUMBER).await.expect(200);
    app.twilio.wait_for_tries(NUMBER, 1, SOON).await;
    app.workers[0].signal("TERM");
    is_stopping(&mut app.workers[0]).await;
    let ready = client.get("/readyz", None).await;
    assert_eq!(
        (ready.status, &ready.body["stopping"], ready.retry_after()),
        (503, &true.into(), 1),
        "{ready:?}"
    );
    assert_eq!(client.get("/healthz", None).await.status, 200);
    assert_eq!(app.twilio.accepted(NUMBER).len(), 0, "it still sends");
    app.workers[0].ended(SOON).await;
    assert_eq!(app.twilio.accepted(NUMBER).len(), 1);
}

#[async_test]
async fn a_second_signal_ends_the_api_at_once() {
    let mut app = Plan::new().workers(0).start().await;
    let _open = begin_request(&app);
    app.client().get("/healthz", None).await.expect(200);
    app.apis[0].signal("TERM");
    is_stopping(&mut app.apis[0]).await;
    assert!(app.apis[0].is_running(), "a request is open");
    app.apis[0].signal("INT");
    app.apis[0].ended(AT_ONCE).await;
}

#[async_test]
async fn a_worker_finishes_what_it_sends() {
    for signal in ["TERM", "INT"] {
        let mut app = App::start().await;
        app.twilio.script(NUMBER, [Reply::accept_after(Duration::from_secs(3))]);
        app.client().ask("Asha", NUMBER).await.expect(200);
        let code = app.twilio.wait_for_tries(NUMBER, 1, SOON).await[0].code();
        app.workers[0].signal(signal);
        let status = app.workers[0].ended(SOON).await;
        assert!(status.success(), "{status}");
        assert_eq!(app.twilio.accepted(NUMBER).len(), 1, "sent before the worker ended");
        assert!(
            app.job_records().is_empty(),
            "nothing is left of the job: {:?}",
            app.job_records()
        );

        app.start_worker().await;
        app.code_for("Ravi", OTHER_NUMBER).await;
        assert_eq!(app.twilio.tries(NUMBER).len(), 1, "nobody sends it again");
        app.client().verify(NUMBER, &code).await.expect(200);
    }
}

#[async_test]
async fn a_worker_gives_back_what_it_has_not_begun() {
    let mut app = Plan::new().set("WORKER_CONCURRENCY", "4").start().await;
    let numbers: Vec<String> = (10..30).map(|last| format!("+9198765432{last}")).collect();
    app.twilio.otherwise(Reply::accept_after(Duration::from_secs(2)));
    for number in &numbers {
        app.client().ask("Asha", number).await.expect(200);
    }
    eventually(SOON, "four open calls", async || (app.twilio.counts().len() >= 4).then_some(()))
        .await;
    assert!(is_held(&app), "the worker has jobs");
    app.workers[0].signal("TERM");
    let status = app.workers[0].ended(SOON).await;
    assert!(status.success(), "{status}");
    assert!(app.twilio.counts().len() < numbers.len(), "it stopped before all were sent");
    // What it gave back does not wait until it counts as dead.
    assert!(!is_held(&app), "the worker that ended holds jobs: {:?}", app.job_records());
    assert!(!app.job_records().is_empty(), "the others have something to do");

    app.twilio.otherwise(Reply::Accept);
    app.start_worker().await;
    for number in &numbers {
        app.twilio.wait_for_sms(number, 1, SOON).await;
    }
    app.no_job_is_left(SOON).await;
    assert!(
        app.twilio.counts().values().all(|counts| *counts == (1, 1)),
        "{:?}",
        app.twilio.counts()
    );
}

#[async_test]
async fn a_worker_does_not_wait_for_ever() {
    let mut app = Plan::new().set("SHUTDOWN_GRACE", "1").start().await;
    app.twilio.script(NUMBER, [Reply::Never]);
    app.client().ask("Asha", NUMBER).await.expect(200);
    app.twilio.wait_for_tries(NUMBER, 1, SOON).await;
    app.workers[0].signal("TERM");
    app.workers[0].ended(Duration::from_secs(6)).await;
}

#[async_test]
async fn a_second_signal_ends_a_worker_at_once() {
    let mut app = App::start().await;
    app.twilio.script(NUMBER, [Reply::Never]);
    app.client().ask("Asha", NUMBER).await.expect(200);
    app.twilio.wait_for_tries(NUMBER, 1, SOON).await;
    app.workers[0].signal("TERM");
    is_stopping(&mut app.workers[0]).await;
    assert!(app.workers[0].is_running(), "it still sends");
    app.workers[0].signal("TERM");
    app.workers[0].ended(AT_ONCE).await;
}
