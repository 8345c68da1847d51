//! `worker dead-letters`: what ended without being sent.

use std::collections::HashSet;
use std::process::Command;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use redis::Commands;

use crate::support::app::{App, Plan, SOON};
use crate::support::eventually;
use crate::support::fake_twilio::Reply;
use crate::support::numbers::numbers;
use crate::support::process::{Process, path_of};

const KEPT: usize = 1_000;

async fn table(app: &App) -> Vec<String> {
    let mut program =
        Process::spawn("table", "worker", &["dead-letters"], &app.settings, app.folder());
    let status = program.ended(SOON).await;
    assert!(status.success(), "{status}: {}", program.stderr());
    program.stdout().lines().map(str::to_owned).collect()
}

#[async_test]
async fn the_last_thousand_are_kept_newest_first_without_a_number_or_a_code() {
    // Codes so long that none is in the output by chance.
    let app = Plan::new().set("OTP_LENGTH", "10").start().await;
    assert!(app.dead_letters().await.is_empty());
    assert_eq!(table(&app).await.len(), 1, "only the headings");

    app.twilio.otherwise(Reply::error(400, 21211));
    let (first, last) = ("+919876543210", "+919876543221");
    let first_id = app.ask(first).await;
    app.delivery_is(&first_id, "failed", SOON).await;
    let client = app.keep_alive(0);
    let numbers = numbers(KEPT + 100);
    let asks = stream::iter(&numbers).map(|number| client.ask("Asha", number)).buffer_unordered(16);
    let ids: HashSet<String> = asks
        .map(|asked| asked.expect(200).body["delivery_id"].as_str().unwrap().to_owned())
        .collect()
        .await;
    eventually(Duration::from_secs(60), "all tries", async || {
        (app.twilio.counts().len() > numbers.len()).then_some(())
    })
    .await;
    app.no_job_is_left(SOON).await;
    app.twilio.script(last, [Reply::error(400, 21610)]);
    let last_id = app.ask(last).await;
    app.delivery_is(&last_id, "failed", SOON).await;

    let letters = app.dead_letters().await;
    assert_eq!(letters.len(), KEPT);
    assert_eq!(letters[0]["delivery_id"], last_id, "newest first");
    assert_eq!(
        (&letters[0]["reason"], &letters[0]["provider_code"]),
        (&"opted_out".into(), &21610.into())
    );
    assert_eq!(letters[0]["number"], "+91********21");
    let at: Vec<i64> = letters.iter().map(|letter| letter["at"].as_i64().unwrap()).collect();
    // The instant is when a worker told of the end, and the order is that of Redis hearing of it.
    assert!(at.windows(2).all(|two| two[0] + 1_000 > two[1]), "{at:?}");
    let kept: HashSet<String> =
        letters.iter().map(|letter| letter["delivery_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kept.len(), KEPT);
    assert!(!kept.contains(&first_id), "the oldest is gone");
    assert!(kept.iter().all(|id| ids.contains(id) || *id == last_id));
    let length: usize = app.redis.connection().llen("{cheershare}:dead_letters").unwrap();
    assert_eq!(length, KEPT, "nor is more kept than is printed");

    let table = table(&app).await;
    assert_eq!(table.len(), 1 + KEPT);
    let columns: Vec<_> = table[0].split_whitespace().collect();
    assert_eq!(columns, ["TIME", "DELIVERY", "NUMBER", "STATUS", "REASON", "PROVIDER", "CODE"]);
    let row: Vec<_> = table[1].split_whitespace().collect();
    assert_eq!(
        row[1..],
        [last_id.as_str(), "+91********21", "failed", "opted_out", "twilio", "21610"]
    );
    assert!(row[0].ends_with('Z') && row[0].len() == 20, "RFC 3339 in UTC: {}", row[0]);

    let printed = serde_json::to_string(&letters).unwrap() + &table.concat();
    for number in numbers.iter().map(String::as_str).chain([first, last]) {
        assert!(!printed.contains(&number[3..]), "a whole number");
        assert!(!printed.contains(&app.twilio.tries(number)[0].code()), "a code");
    }
}

#[async_test]
async fn who_reads_no_further_ends_the_program_quietly() {
    let app = App::start().await;
    // More than a pipe holds.
    let mut redis = app.redis.connection();
    let letter = r#"{"at":1700000000000,"delivery_id":"x","number":"+91********10","status":"failed","reason":"rejected","provider":null,"provider_code":null}"#;
    let _: () = redis.rpush("{cheershare}:dead_letters", vec![letter; KEPT]).unwrap();
    for arguments in ["", "--json"] {
        let line =
            format!("'{}' dead-letters {arguments} | head -n 1", path_of("worker").display());
        let output = Command::new("sh")
            .args(["-c", &line])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("REDIS_URL", app.redis.url())
            .current_dir(app.folder())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments}");
    }
}

#[async_test]
async fn without_redis_the_operator_is_told_so() {
    let mut app = Plan::new().workers(0).start().await;
    app.redis.stop();
    let mut program =
        Process::spawn("none", "worker", &["dead-letters"], &app.settings, app.folder());
    let status = program.ended(SOON).await;
    assert!(!status.success());
    assert!(program.stderr().contains("REDIS_URL"), "{}", program.stderr());
    assert_eq!(program.stdout(), "");
}
