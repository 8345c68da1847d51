//! What a command says that cannot do what it is asked to.

use futures_util::future::join_all;

use super::{Ended, NUMBER, run_with, settings_of};
use crate::support::app::{App, Plan};

/// Ends with exit code 2 and one line that names what is wrong.
async fn fails(app: &App, line: &str, name: &str) {
    let Ended { code, stdout, stderr } = run_with(app, &settings_of(app), line).await;
    assert_eq!((code, stdout.as_str()), (2, ""), "{line}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{line}: {stderr}");
    assert!(stderr.starts_with(name), "{line}: {stderr}");
}

#[async_test]
async fn wrong_arguments_are_named() {
    let app = Plan::new().workers(0).start().await;
    for (line, name) in [
        ("api number show 12345", "NUMBER: is not a phone number"),
        ("api number unlock nobody", "NUMBER: is not a phone number"),
        ("api number block +9198765", "NUMBER: is not a phone number"),
        ("api number unblock x", "NUMBER: is not a phone number"),
        ("api sessions end x", "NUMBER: is not a phone number"),
        ("api bucket reset range x", "NUMBER: is not a phone number"),
        ("api number show", "NUMBER: is not set"),
        ("api number block +919876543210 --minutes 0", "--minutes: "),
        ("api number block +919876543210 --minutes soon", "--minutes: "),
        ("api sessions end --user Asha", "--user: "),
        ("api bucket show", "KIND: is not set"),
        (
            "api bucket reset planet",
            "KIND: has to be one of address, network, range, country, service",
        ),
        ("api bucket reset address nowhere", "OF: has to be an IP address"),
        ("api bucket reset address", "OF: is missing"),
        ("api bucket reset country XX", "OF: has to be the two-letter code"),
        ("api bucket reset service IN", "OF: there is one"),
        ("worker breaker reset pigeon", "PROVIDER: has to be one of twilio, webhook, console"),
        ("worker breaker reset", "PROVIDER: is not set"),
        ("api numbers", "numbers: is no command"),
        ("api number lock +919876543210", "lock: is no command"),
        ("worker queue --yaml", "--yaml: is no option"),
    ] {
        fails(&app, line, name).await;
    }
}

#[async_test]
async fn a_store_that_is_away_is_named() {
    let mut app = Plan::new().workers(0).start().await;
    app.redis.stop();
    let lines = [
        format!("api number show {NUMBER}"),
        format!("api number unlock {NUMBER} --json"),
        format!("api number block {NUMBER}"),
        format!("api number unblock {NUMBER}"),
        "api bucket reset service".to_owned(),
        "worker queue".to_owned(),
        "worker breaker show --json".to_owned(),
        "worker breaker reset twilio".to_owned(),
        "worker dead-letters".to_owned(),
    ];
    join_all(lines.iter().map(|line| fails(&app, line, "REDIS_URL: "))).await;

    app.settings
        .insert("DATABASE_URL".to_owned(), "postgres://nobody@127.0.0.1:1/nothing".to_owned());
    fails(&app, &format!("api sessions end {NUMBER}"), "DATABASE_URL: ").await;
    app.settings.remove("DATABASE_URL");
    fails(&app, &format!("api sessions end {NUMBER}"), "DATABASE_URL: is not set").await;
}
