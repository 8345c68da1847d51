//! `api health` and `worker health`, as a container's health check runs them.

use super::{Ended, run_with};
use crate::support::app::App;
use crate::support::free_port;
use crate::support::settings::Settings;

/// The settings of the process that listens at `address`, as far as the command needs them.
fn everywhere(address: &str) -> Settings {
    let port = address.rsplit_once(':').unwrap().1;
    let metrics = format!("0.0.0.0:{port}");
    [("HOST", "0.0.0.0"), ("PORT", port), ("METRICS_ADDR", &metrics)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

#[async_test]
async fn a_program_that_lives_is_told_from_one_that_can_work() {
    let mut app = App::start().await;
    let worker =
        app.workers[0].wait_for_event("metrics_listening", crate::support::app::SOON).await;
    let programs = [
        ("api", everywhere(app.client().address())),
        ("worker", everywhere(worker["address"].as_str().unwrap())),
    ];
    for (program, settings) in &programs {
        let lives = run_with(&app, settings, &format!("{program} health")).await;
        assert_eq!(
            (lives.code, lives.stdout.as_str(), lives.stderr.as_str()),
            (0, "{\"status\":\"ok\"}\n", "")
        );
        let ready = run_with(&app, settings, &format!("{program} health --ready")).await;
        assert_eq!(ready.code, 0, "{ready:?}");
        assert!(ready.stdout.contains("\"ready\":true"), "{ready:?}");
    }
    app.redis.pause();
    for (program, settings) in &programs {
        assert_eq!(run_with(&app, settings, &format!("{program} health")).await.code, 0);
        let Ended { code, stdout, stderr } =
            run_with(&app, settings, &format!("{program} health --ready")).await;
        // An API serves without Redis what needs the database alone.
        if *program == "api" {
            assert!(code == 0 && stdout.contains("\"degraded\":true"), "{stdout} {stderr}");
            continue;
        }
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (1, "", 1), "{stderr}");
        assert!(
            stderr.contains(" answers 503") && stderr.contains("\"redis\":{\"ok\":false"),
            "{stderr}"
        );
    }
    app.redis.resume();
}

#[async_test]
async fn nobody_there_is_a_failure() {
    let app = crate::support::app::Plan::new().workers(0).start().await;
    let settings = everywhere(&format!(":{}", free_port()));
    for program in ["api", "worker"] {
        let ended = run_with(&app, &settings, &format!("{program} health")).await;
        assert_eq!(
            (ended.code, ended.stdout.as_str(), ended.stderr.lines().count()),
            (1, "", 1),
            "{ended:?}"
        );
        assert!(ended.stderr.starts_with("127.0.0.1:"), "{ended:?}");
    }
    for (line, name, value) in [
        ("api health", "PORT", "0"),
        ("worker health", "METRICS_ADDR", "off"),
        ("worker health", "METRICS_ADDR", "127.0.0.1:0"),
    ] {
        let settings = Settings::from([(name.to_owned(), value.to_owned())]);
        let ended = run_with(&app, &settings, line).await;
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.stderr.starts_with(&format!("{name}: ")), "{ended:?}");
    }
}
