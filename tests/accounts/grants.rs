//! Codes and access tokens of OpenID clients.

use common::accounts::{MOST_OF_A_SESSION, NewGrant};
use common::domain::ids::SessionId;
use common::domain::openid::AuthorizationCode;
use common::domain::token::Token;
use sea_orm::ConnectionTrait;
use time::{Duration, OffsetDateTime};

use crate::support::accounts::AccountStores;
use crate::support::database::connect;
use crate::support::numbers::NUMBER;

/// Keeps a code that is given then, and expires a minute later.
async fn grant(accounts: &AccountStores, user_id: i64, session_id: &SessionId, at: OffsetDateTime) {
    let new = NewGrant {
        session_id,
        user_id,
        client_id: "shop",
        redirect_uri: "https://shop.example.com/callback",
        scope: "openid",
        nonce: None,
        code_challenge: None,
        auth_time: accounts.now,
    };
    assert!(accounts.stores[0].grant(&AuthorizationCode::random(), new, at).await.unwrap());
}

async fn signed_in(accounts: &AccountStores) -> (i64, SessionId) {
    let session = AccountStores::session(&Token::random(), accounts.now + Duration::HOUR);
    let id = session.id.clone();
    (accounts.sign_in_with(0, NUMBER, session, 0).await.unwrap().user.id, id)
}

#[async_test]
async fn a_session_has_so_many_grants_and_no_more() {
    let accounts = AccountStores::new().await;
    let (user_id, session) = signed_in(&accounts).await;
    let (_, other) = signed_in(&accounts).await;
    grant(&accounts, user_id, &other, accounts.now - Duration::MINUTE).await;
    for second in 0..MOST_OF_A_SESSION + 5 {
        let at = accounts.now + Duration::seconds(second);
        grant(&accounts, user_id, &session, at).await;
    }
    let count = |of: &SessionId, since: i64| {
        let since = accounts.now + Duration::seconds(since);
        let since = since.format(&time::format_description::well_known::Rfc3339).unwrap();
        let since = since.trim_end_matches('Z').replace('T', " ");
        format!(
            "SELECT COUNT(*) FROM grants WHERE session_id = '{of}' AND created_at >= '{since}+00:00'"
        )
    };
    for (of, since, expected) in
        [(&session, -60, MOST_OF_A_SESSION), (&session, 5, MOST_OF_A_SESSION), (&other, -60, 1)]
    {
        let found = accounts.database.column::<i64>(&count(of, since)).await;
        assert_eq!(found, [expected], "since {since}");
    }
}

/// Whoever tidies up beside a session's end must neither wait for it nor be waited for in a circle.
#[async_test]
async fn tidying_up_passes_over_grants_that_somebody_else_has_locked() {
    let accounts = AccountStores::new().await;
    let (user_id, session) = signed_in(&accounts).await;
    for _ in 0..2 {
        grant(&accounts, user_id, &session, accounts.now - Duration::MINUTE).await;
    }
    if !accounts.database.is_postgres() {
        return; // SQLite knows one lock, for all.
    }
    let other = connect(&accounts.database.url()).await;
    let lock = "BEGIN; SELECT 1 FROM grants LIMIT 1 FOR UPDATE";
    other.execute_unprepared(lock).await.unwrap();
    assert_eq!(accounts.stores[0].prune_expired_grants(accounts.now, 9).await.unwrap(), 1);
    other.execute_unprepared("ROLLBACK").await.unwrap();
    assert_eq!(accounts.stores[0].prune_expired_grants(accounts.now, 9).await.unwrap(), 1);
}
