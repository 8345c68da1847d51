//! `api bucket`

use serde_json::json;

use super::{NUMBER, json, text};
use crate::support::app::Plan;

#[async_test]
async fn an_emptied_bucket_takes_sends_again() {
    for (setting, refusal, bucket, name) in [
        ("SENDS_PER_ADDRESS_HOUR", "address_limit", "address 127.0.0.1", "address 127.0.0.1"),
        ("SENDS_PER_NETWORK_HOUR", "network_limit", "network 127.0.0.1", "network 127.0.0.0/24"),
        ("SENDS_PER_RANGE_HOUR", "range_limit", "range +919876543999", "range of +91********99"),
        ("SENDS_PER_COUNTRY_HOUR", "country_limit", "country in", "country IN"),
        ("SENDS_PER_HOUR", "service_limit", "service", "service"),
    ] {
        let app = Plan::new().workers(0).set(setting, "2").start().await;
        for _ in 0..2 {
            app.client().ask("Asha", NUMBER).await.expect(200);
        }
        app.client().ask("Asha", NUMBER).await.expect_code(429, refusal);

        let full = json(&app, &format!("api bucket show {bucket}")).await;
        assert_eq!((&full["bucket"], &full["capacity"]), (&name.into(), &2.into()));
        assert!((1.9..=2.0).contains(&full["level"].as_f64().unwrap()), "{full}");
        assert!(
            text(&app, &format!("api bucket show {bucket}"))
                .await
                .starts_with(&format!("{name}: "))
        );
        app.client().ask("Asha", NUMBER).await.expect_code(429, refusal);

        let emptied = json(&app, &format!("api bucket reset {bucket}")).await;
        assert_eq!(emptied["emptied"]["bucket"], name);
        assert!(emptied["emptied"]["level"].as_f64().unwrap() > 1.9, "{emptied}");
        app.client().ask("Asha", NUMBER).await.expect(200);
        let told = text(&app, &format!("api bucket reset {bucket}")).await;
        assert!(
            told.starts_with(&format!("Emptied. Before, {name}: ")) && told.ends_with("of 2.\n"),
            "{told}"
        );
        assert_eq!(
            json(&app, &format!("api bucket show {bucket}")).await,
            json!({"bucket": name, "level": 0.0, "capacity": 2})
        );
    }
}
