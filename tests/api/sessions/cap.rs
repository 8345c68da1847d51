//! How many sessions a user may have.

use futures_util::future::join_all;

use super::{NUMBER, OTP, SignedIn, plan};
use crate::support::client::Client;

/// Signs in, however often somebody else takes the code of this number.
async fn sign_in_among_others(client: Client) -> String {
    loop {
        client.ask("Asha", NUMBER).await.expect(200);
        let answer = client.verify(NUMBER, OTP).await;
        if answer.status == 200 {
            return answer.token().to_owned();
        }
        answer.expect_code(401, "invalid_otp");
    }
}

#[async_test]
async fn twenty_simultaneous_sign_ins_end_with_the_cap() {
    let app = plan(2).set("SESSIONS_PER_USER", "5").start().await;
    let mut before = Vec::new();
    for _ in 0..5 {
        before.push(SignedIn::with(app.client(), NUMBER, "before").await);
    }
    let tokens = join_all(app.clients_in_turn().take(20).map(sign_in_among_others)).await;
    let mut live = Vec::new();
    for token in &tokens {
        let one = before[0].holding(token);
        if one.get("/protected").await.status == 200 {
            live.push(one);
        }
    }
    assert_eq!(live.len(), 5, "as many as the setting says");
    assert_eq!(live[0].sessions().await.len(), 5);
    for one in &before {
        one.is_out().await;
    }
    let events = live[0].list("/me/events").await;
    let ends: Vec<_> =
        events.iter().filter(|event| event["details"]["reason"] == "session_limit").collect();
    assert_eq!(ends.len(), 20, "{events:?}");
    let mut ids: Vec<_> = ends.iter().map(|event| event["session_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20, "each end is written down once");
}

#[async_test]
async fn what_was_used_least_recently_goes_first() {
    let app = plan(1).set("SESSIONS_PER_USER", "3").start().await;
    let sign_in = async |device| SignedIn::with(app.client(), NUMBER, device).await;
    let (first, second, third) =
        (sign_in("first").await, sign_in("second").await, sign_in("third").await);
    // The first one was used last.
    let times = if app.database.is_postgres() {
        "UPDATE tokens SET last_used_at = last_used_at - interval '1 day' WHERE device <> 'first'"
    } else {
        "UPDATE tokens SET last_used_at = '2001-01-01T00:00:00Z' WHERE device <> 'first'"
    };
    app.database.execute(times).await;
    let fourth = sign_in("fourth").await;
    second.is_out().await;
    let devices: Vec<_> =
        fourth.sessions().await.into_iter().map(|session| session["device"].clone()).collect();
    assert_eq!(devices, ["fourth", "third", "first"]);
    for one in [&first, &third, &fourth] {
        one.is_in().await;
    }
    // A burst within a second: the last ones stay, the newest one always.
    for _ in 0..5 {
        sign_in("burst").await.is_in().await;
    }
    assert_eq!(sign_in("last").await.sessions().await.len(), 3);
}
