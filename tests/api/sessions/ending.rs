//! `DELETE /tokens…`, seen through two API processes: what has ended in one has ended in the other.

use serde_json::Value;

use super::{NUMBER, OTHER_NUMBER, SignedIn, plan};

#[async_test]
async fn ended_sessions_stop_at_once_everywhere() {
    let app = plan(2).start().await;
    let clients: Vec<_> = app.clients_in_turn().take(2).collect();
    let sign_in = async |number| SignedIn::with(&clients[0], number, "tests").await;
    let mut mine = Vec::new();
    for _ in 0..4 {
        mine.push(sign_in(NUMBER).await);
    }
    let other = sign_in(OTHER_NUMBER).await;
    let everywhere =
        |one: &SignedIn| clients.iter().map(|client| one.at(client)).collect::<Vec<_>>();
    let are_in = async |ones: &[&SignedIn]| {
        for one in ones.iter().flat_map(|one| everywhere(one)) {
            one.is_in().await;
        }
    };
    let is_out = async |one: &SignedIn| {
        for one in everywhere(one) {
            one.is_soon_out().await;
        }
    };
    are_in(&[&mine[0], &mine[1], &mine[2], &mine[3], &other]).await;

    // Another one.
    let id = mine[1].session_id().await;
    mine[0].at(&clients[1]).delete(&format!("/tokens/{id}")).await.expect(204);
    is_out(&mine[1]).await;
    // An ended one, a malformed one, and somebody else's are not there.
    let others_id = other.session_id().await;
    for unknown in [
        &id,
        &others_id,
        "k5x2aw7nqf3c4zt6y2h4v5xk7e",
        "x",
        "1",
        "CURRENT",
        "%00",
        &"a".repeat(1000),
    ] {
        println!("{unknown}");
        mine[0].delete(&format!("/tokens/{unknown}")).await.expect_error(
            404,
            "Not found",
            "not_found",
        );
    }
    are_in(&[&mine[0], &mine[2], &mine[3], &other]).await;

    // Itself, by its id and by name.
    let id = mine[2].session_id().await;
    mine[2].delete(&format!("/tokens/{id}")).await.expect(204);
    is_out(&mine[2]).await;
    let answer = mine[3].delete("/tokens/current").await.expect(204);
    assert_eq!(answer.text, "");
    is_out(&mine[3]).await;
    are_in(&[&mine[0], &other]).await;

    // All others, and all.
    let second = sign_in(NUMBER).await;
    for wrong in ["keep=", "keep=all", "keep=Current"] {
        println!("{wrong}");
        let answer = second.delete(&format!("/tokens?{wrong}")).await;
        answer.expect_error(400, "Invalid query parameter", "invalid_parameter");
    }
    are_in(&[&mine[0], &second]).await;
    second.delete("/tokens?keep=current").await.expect(204);
    is_out(&mine[0]).await;
    are_in(&[&second, &other]).await;
    let third = sign_in(NUMBER).await;
    second.delete("/tokens").await.expect(204);
    is_out(&second).await;
    is_out(&third).await;
    are_in(&[&other]).await;

    // All of it was written down, with the reasons.
    let last = sign_in(NUMBER).await;
    let ends = last
        .list("/me/events")
        .await
        .into_iter()
        .rev()
        .filter(|event| event["kind"] == "signed_out");
    let reasons: Vec<Value> = ends.map(|event| event["details"]["reason"].clone()).collect();
    let everywhere = "signed_out_everywhere";
    assert_eq!(
        reasons,
        ["ended_elsewhere", "signed_out", "signed_out", everywhere, everywhere, everywhere]
    );
    let kinds: Vec<_> =
        other.list("/me/events").await.into_iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["signed_up"], "somebody else's events are theirs");
}
