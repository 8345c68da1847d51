//! `GET /tokens`

use serde_json::Value;

use super::{NUMBER, OTHER_NUMBER, SignedIn, checks_its_parameters, keys, seconds, start};

#[async_test]
async fn users_see_where_they_are_signed_in() {
    let app = start().await;
    let long = format!("  Phone/1.0 \t ({})", "x".repeat(300));
    let mut all = Vec::new();
    for device in ["", "curl/8.5.0", "Mozilla/5.0 \t  (X11)", &long] {
        all.push(SignedIn::with(app.client(), NUMBER, device).await);
    }
    let other = SignedIn::with(app.client(), OTHER_NUMBER, "other").await;

    let newest = all.last().unwrap();
    let sessions = newest.sessions().await;
    let devices: Vec<_> =
        sessions.iter().map(|session| session["device"].as_str().unwrap()).collect();
    let cut = format!("Phone/1.0 ({}", "x".repeat(189));
    assert_eq!(devices, [&cut, "Mozilla/5.0 (X11)", "curl/8.5.0", ""]);
    let current: Vec<_> =
        sessions.iter().map(|session| session["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [true, false, false, false]);
    for session in &sessions {
        assert_eq!(
            keys(session),
            ["created_at", "current", "device", "expires_at", "id", "last_used_at"]
        );
        let id = session["id"].as_str().unwrap();
        let base32 = |byte: u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte);
        assert!(id.len() == 26 && id.bytes().all(base32), "{id}");
        let [created, used, expires] =
            ["created_at", "last_used_at", "expires_at"].map(|time| seconds(&session[time]));
        assert_eq!((used, expires), (created, created + 48 * 60 * 60), "{session}");
    }
    let theirs = other.sessions().await;
    assert_eq!(theirs.len(), 1, "{theirs:?}");
    assert!(sessions.iter().all(|session| session["id"] != theirs[0]["id"]));

    // In pages of every size the list is the same.
    for limit in 1..=5 {
        let (mut paged, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = newest.get(&format!("/tokens?limit={limit}{cursor}")).await.expect(200).body;
            paged.extend(page["data"].as_array().unwrap().clone());
            pages += 1;
            let Value::String(next) = &page["next_cursor"] else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!((paged, pages), (sessions.clone(), 4_usize.div_ceil(limit)), "{limit} a page");
    }
    checks_its_parameters(newest, "/tokens").await;

    // A session that expired is not one, and neither is a token of another scope.
    let expired = if app.database.is_postgres() {
        "now() - interval '1 minute'"
    } else {
        "'2001-01-01T00:00:00Z'"
    };
    app.database
        .execute(&format!("UPDATE tokens SET expiry = {expired} WHERE device = 'curl/8.5.0'"))
        .await;
    app.database.execute("UPDATE tokens SET scope = 'password-reset' WHERE device = ''").await;
    let live = newest.sessions().await;
    assert_eq!(live.len(), 2, "{live:?}");
    for (index, way) in [(1, "expired"), (0, "of another scope")] {
        println!("{way}");
        all[index].is_out().await;
        let id = sessions[3 - index]["id"].as_str().unwrap();
        newest.delete(&format!("/tokens/{id}")).await.expect_code(404, "not_found");
    }
}
