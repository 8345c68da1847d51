//! `POST /oauth/revoke` (RFC 7009).

use super::{BILLING, ClientsFile, NOBODY, REVOKE, basic, introspect, is_oauth_error, post_form};
use crate::support::numbers::NUMBER;

#[async_test]
async fn a_revoked_token_opens_no_door() {
    let file = ClientsFile::new();
    let app = file.plan().apis(2).start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let other = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let form = [("token", token.as_str()), ("token_type_hint", "refresh_token")];
    for _ in 0..2 {
        // The second time it is unknown.
        let answer =
            post_form(app.client(), REVOKE, Some(&basic(BILLING)), &form).await.expect(200);
        assert_eq!((answer.text.as_str(), answer.header("cache-control")), ("", "no-store"));
        for client in [app.client_of(0), app.client_of(1)] {
            client.protected(&token).await.expect_code(401, "invalid_authorization_header");
            assert_eq!(introspect(client, BILLING, &token).await["active"], false);
            client.protected(&other).await.expect(200);
        }
    }
    let told =
        app.database.column::<String>("SELECT details FROM events WHERE kind = 'signed_out'").await;
    assert_eq!(told, [r#"{"reason":"signed_out"}"#]);
    let logged = app.apis[0].events("token_revoked");
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert_eq!(logged[0]["client_id"], "billing");
    assert!(!app.logs().contains(&token));
}

#[async_test]
async fn a_client_that_may_not_ask_may_not_revoke() {
    let file = ClientsFile::new();
    let app = file.plan().start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    for token in [token.as_str(), "A"] {
        let form = [("token", token)];
        let answer = post_form(app.client(), REVOKE, Some(&basic(NOBODY)), &form).await;
        is_oauth_error(&answer, 400, "unauthorized_client");
    }
    app.client().protected(&token).await.expect(200);
}
