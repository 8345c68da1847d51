//! 20,000 jobs wait for a provider that is down, half of them for codes that end meanwhile.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};

use crate::reconciliation::{Promise, Reconciliation};
use crate::support::app::Plan;
use crate::support::client::Client;
use crate::support::eventually;
use crate::support::fake_twilio::Reply;

const EACH: usize = 10_000;
const SHORT: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(600);

async fn ask(client: &Client, number: String) -> Promise {
    let asked = Instant::now();
    let answer = client.ask("Asha", &number).await.expect(200);
    let id = answer.body["delivery_id"].as_str().unwrap().to_owned();
    Promise { number, id, asked, answered: Instant::now() }
}

#[async_test]
async fn of_twenty_thousand_that_wait_the_live_are_sent_and_the_dead_are_not() {
    let mut app =
        Plan::new().workers(2).set("OTP_TTL_SECONDS", &LONG.as_secs().to_string()).start().await;
    app.settings.insert("OTP_TTL_SECONDS".to_owned(), SHORT.as_secs().to_string());
    app.start_api().await;
    app.twilio.otherwise(Reply::error(503, 20503));

    let start = Instant::now();
    let clients = [app.keep_alive(0), app.keep_alive(1)];
    let asks = (0..2 * EACH).map(|index| ask(&clients[index % 2], format!("+9197{index:08}")));
    let promises: Vec<Promise> = stream::iter(asks).buffered(32).collect().await;
    println!("{} asked for in {:.0?}", promises.len(), start.elapsed());
    let (long, short): (Vec<_>, Vec<_>) =
        promises.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
    let [long, short] =
        [long, short].map(|half| half.into_iter().map(|(_, promise)| promise).collect::<Vec<_>>());

    let last = short.last().unwrap().answered;
    tokio::time::sleep_until((last + SHORT).into()).await;
    let calls = app.twilio.instants().len();
    println!("{calls} calls while the provider was down for {:.0?}", start.elapsed());
    app.twilio.otherwise(Reply::Accept);
    let back = Instant::now();
    let patience = Duration::from_secs(120);
    eventually(patience, "all live SMS", async || {
        (app.twilio.accepted_in_all() >= EACH).then_some(())
    })
    .await;
    println!("{EACH} live ones accepted {:.0?} after the provider is back", back.elapsed());
    app.no_job_is_left(patience).await;

    let sent = Reconciliation::draw(&app, &long, LONG).await;
    assert_eq!(sent.told("sent"), EACH, "{:?}", sent.ends);
    assert_eq!(sent.duplicates, 0);
    let ended = Reconciliation::draw(&app, &short, SHORT).await;
    println!("those that ended: {:?}", ended.ends);
    assert!(ended.latencies.is_empty(), "nothing is sent after its end");
    assert_eq!(
        ended.told("dropped expired") + ended.told("failed provider_unavailable"),
        EACH,
        "{:?}",
        ended.ends
    );
    assert!(calls < 300, "a provider that is down is left alone");
    assert_eq!(app.worker_events("breaker_opened").len(), 1);
}
