//! `api sessions end`

use serde_json::json;

use super::{Ended, MASKED, NUMBER, json, run_with, settings_of, text};
use crate::support::app::{App, Plan};
use crate::support::numbers::OTHER_NUMBER;

#[async_test]
async fn ended_sessions_do_not_open_anything() {
    let app = Plan::new().apis(2).start().await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        tokens.push(app.sign_in("Asha", NUMBER).await.token().to_owned());
    }
    let other = app.sign_in("Ravi", OTHER_NUMBER).await.token().to_owned();
    let id = app
        .database
        .column::<i64>(&format!("SELECT id FROM users WHERE phone_number = '{NUMBER}'"))
        .await[0];

    let ended = json(&app, &format!("api sessions end {NUMBER}")).await;
    assert_eq!(ended, json!({"user_id": id, "number": MASKED, "sessions_ended": 2}));
    for client in app.clients_in_turn().take(2) {
        for token in &tokens {
            client.protected(token).await.expect_code(401, "invalid_authorization_header");
        }
        client.protected(&other).await.expect(200);
    }

    let reasons =
        app.database.column::<String>("SELECT details FROM events WHERE kind = 'signed_out'").await;
    assert_eq!(reasons, [r#"{"reason":"ended_by_operator"}"#; 2]);

    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    app.client().protected(&token).await.expect(200);
    let told = text(&app, &format!("api sessions end --user {id}")).await;
    assert_eq!(told, format!("User {id} ({MASKED}): sessions ended: 1.\n"));
    app.client().protected(&token).await.expect(401);
    assert_eq!(json(&app, &format!("api sessions end --user {id}")).await["sessions_ended"], 0);
}

#[async_test]
async fn nobody_of_that_name_is_told_so() {
    let app = Plan::new().workers(0).start().await;
    for (arguments, told) in [
        (NUMBER, format!("no user has the number {MASKED}\n")),
        ("--user 17", "no user has the id 17\n".to_owned()),
    ] {
        let Ended { code, stdout, stderr } =
            run(&app, &format!("api sessions end {arguments}")).await;
        assert_eq!((code, stdout.as_str(), stderr), (1, "", told), "{arguments}");
    }
    for arguments in ["", "+919876543210 --user 17"] {
        let Ended { code, stdout, stderr } =
            run(&app, &format!("api sessions end {arguments}")).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments}");
        assert!(stderr.contains("NUMBER") && stderr.contains("--user"), "{stderr}");
    }
}

async fn run(app: &App, line: &str) -> Ended {
    run_with(app, &settings_of(app), line).await
}
