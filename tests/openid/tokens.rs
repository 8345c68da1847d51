//! `POST /oauth/token`, and how access tokens end.

use std::time::Duration;

use common::accounts::Accounts;
use common::runtime::clock::Clock;
use http::Method;
use serde_json::{Value, json};

use super::{
    BACKEND, NATIVE, OLD, Provider, Rp, SHOP, TOKEN, asking_with, basic, id_token, is_dead,
    is_error, parameters, post, redeem, redeem_form, redemption, user_info,
};
use crate::api::sessions::{NUMBER, OTHER_NUMBER, SignedIn};
use crate::operators;
use crate::support::durations::HOUR;

#[async_test]
async fn a_code_becomes_an_access_token_and_an_id_token() {
    let provider = Provider::start().await;
    let (mut browser, user) = provider.signed_in().await;
    let code = browser.code(SHOP).await;
    let answer = redeem(provider.client(), SHOP, &code).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let tokens = &answer.body;
    let access_token = tokens["access_token"].as_str().unwrap();
    assert_eq!(access_token.len(), 43);
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(tokens["scope"], "openid profile phone");

    let mut claims = id_token(provider.client(), tokens).await;
    let mut time = |name: &str| claims.as_object_mut().unwrap().remove(name).unwrap();
    let [iat, exp, auth_time] =
        ["iat", "exp", "auth_time"].map(|name| time(name).as_i64().unwrap());
    assert_eq!(exp, iat + 600);
    assert!((auth_time..auth_time + 60).contains(&iat));
    let me = user.get("/me").await.expect(200).body["data"]["id"].to_string();
    assert_eq!(
        claims,
        json!({
            "iss": super::ISSUER,
            "sub": me,
            "aud": SHOP.id,
            "sid": user.session_id().await,
            "nonce": "a nonce",
            "amr": ["otp", "sms"],
        })
    );
    // It opens what it is for and nothing else.
    user_info(provider.client(), access_token).await.expect(200);
    for path in ["/protected", "/me", "/tokens"] {
        let answer = provider.client().get(path, Some(&format!("Bearer {access_token}"))).await;
        answer.expect_code(401, "invalid_authorization_header");
    }
    let places = [provider.app.database.everything().await, provider.app.redis.everything()];
    for secret in [code.as_str(), access_token] {
        assert!(!provider.app.logs().contains(secret));
        for place in &places {
            let bytes = secret.as_bytes();
            assert!(!place.windows(bytes.len()).any(|window| window == bytes));
        }
    }
}

#[async_test]
async fn a_client_says_who_it_is_as_it_was_registered() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    let client = provider.client();
    let (id, secret) = (SHOP.id, SHOP.secret.unwrap());
    let header = basic((id, secret));
    let in_body = [("client_id", id), ("client_secret", secret)];
    for (authorization, fields) in
        [(Some(&*header), &[][..]), (Some(&*header), &[("client_id", id)]), (None, &in_body)]
    {
        let code = browser.code(SHOP).await;
        let form = [redemption(SHOP, &code), fields.to_vec()].concat();
        post(client, TOKEN, authorization, &form).await.expect(200);
    }
    let code = browser.code(SHOP).await;
    for (authorization, fields) in [
        (None, &[][..]),
        (None, &[("client_id", id)]),
        (None, &[("client_id", id), ("client_secret", "wrong")]),
        (None, &[("client_id", "stranger"), ("client_secret", secret)]),
        (Some(&*basic((id, "wrong"))), &[]),
        (Some(&*basic((NATIVE.id, ""))), &[]),
    ] {
        let form = [redemption(SHOP, &code), fields.to_vec()].concat();
        is_error(&post(client, TOKEN, authorization, &form).await, 401, "invalid_client");
    }
    // Nobody who failed to say it has ended the code.
    redeem(client, SHOP, &code).await.expect(200);
    let code = browser.code(NATIVE).await;
    redeem(client, NATIVE, &code).await.expect(200);
    let form = redemption(SHOP, &code);
    is_error(&post(client, TOKEN, Some(&basic(BACKEND)), &form).await, 400, "unauthorized_client");
}

#[async_test]
async fn a_request_that_is_none_is_told_so() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    let code = browser.code(SHOP).await;
    let without = |name: &str| {
        let mut form = redemption(SHOP, &code);
        form.retain(|(field, _)| *field != name);
        form
    };
    for name in ["grant_type", "code", "redirect_uri"] {
        let answer = redeem_form(provider.client(), SHOP, without(name)).await;
        is_error(&answer, 400, "invalid_request");
    }
    for grant_type in ["refresh_token", "password", "client_credentials", "implicit"] {
        let mut form = without("grant_type");
        form.push(("grant_type", grant_type));
        let answer = redeem_form(provider.client(), SHOP, form).await;
        is_error(&answer, 400, "unsupported_grant_type");
    }
    redeem(provider.client(), SHOP, &code).await.expect(200);
}

/// Asserts that a code is refused, and is good for nothing then.
async fn ends_the_code(provider: &Provider, code: &str, rp: Rp, form: Vec<(&'static str, &str)>) {
    let answer = redeem_form(provider.client(), rp, form).await;
    is_error(&answer, 400, "invalid_grant");
    is_error(&redeem(provider.client(), SHOP, code).await, 400, "invalid_grant");
}

#[async_test]
async fn whoever_shows_a_code_in_vain_has_ended_it() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    for (name, value) in [
        ("redirect_uri", "https://shop.example.com/other"),
        ("redirect_uri", "https://shop.example.com/callback/"),
        ("code_verifier", ""),
        ("code_verifier", "another"),
        ("code_verifier", super::CHALLENGE),
    ] {
        let code = browser.code(SHOP).await;
        let mut form = redemption(SHOP, &code);
        form.retain(|(field, _)| *field != name);
        form.push((name, value));
        ends_the_code(&provider, &code, SHOP, form).await;
    }
    // Another client's.
    for thief in [OLD, NATIVE] {
        let code = browser.code(SHOP).await;
        ends_the_code(&provider, &code, thief, redemption(SHOP, &code)).await;
    }
    for code in ["", "a", &"A".repeat(43)] {
        let answer = redeem(provider.client(), SHOP, code).await;
        is_error(&answer, 400, if code.is_empty() { "invalid_request" } else { "invalid_grant" });
    }
    let told = provider.app.apis[0].events("code_refused");
    assert!(!told.is_empty() && told[0]["client_id"].is_string(), "{told:?}");
}

#[async_test]
async fn a_client_without_pkce_gets_no_verifier_past() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    let none = [("code_challenge", ""), ("code_challenge_method", "")];
    let without = async |browser: &mut super::Browser| {
        let answer = browser.authorize(&asking_with(OLD, &none)).await;
        parameters(&answer, OLD.redirect_uri)["code"].clone()
    };
    let code = without(&mut browser).await;
    let mut form = redemption(OLD, &code);
    form.retain(|(name, _)| *name != "code_verifier");
    redeem_form(provider.client(), OLD, form).await.expect(200);
    // RFC 9700, 2.1.1: or an attacker could leave the challenge out and nobody would see it.
    let code = without(&mut browser).await;
    let answer = redeem_form(provider.client(), OLD, redemption(OLD, &code)).await;
    is_error(&answer, 400, "invalid_grant");
    // With a challenge it is checked.
    let code = browser.code(OLD).await;
    let mut form = redemption(OLD, &code);
    form.retain(|(name, _)| *name != "code_verifier");
    is_error(&redeem_form(provider.client(), OLD, form).await, 400, "invalid_grant");
}

#[async_test]
async fn a_second_use_ends_what_the_first_one_brought() {
    let provider = Provider::start().await;
    let (mut browser, user) = provider.signed_in().await;
    let code = browser.code(SHOP).await;
    let tokens = redeem(provider.client(), SHOP, &code).await.expect(200).body;
    let token = tokens["access_token"].as_str().unwrap();
    user_info(provider.client(), token).await.expect(200);
    is_error(&redeem(provider.client(), SHOP, &code).await, 400, "invalid_grant");
    is_dead(provider.client(), token).await;
    user.is_in().await;
}

#[async_test]
async fn an_access_token_goes_with_its_session() {
    let provider = Provider::start_as(|plan| plan, 2).await;
    let (mut browser, user) = provider.signed_in().await;
    let tokens = browser.tokens(SHOP).await;
    let token = tokens["access_token"].as_str().unwrap();
    let [here, there] = [provider.app.client_of(0), provider.app.client_of(1)];
    user_info(there, token).await.expect(200);
    // A renewal keeps it.
    let renewed = user.renew().await.expect(200);
    user_info(here, token).await.expect(200);
    let unused = {
        let mut browser = provider.browser();
        browser.sign_in(crate::api::sessions::NUMBER).await;
        browser.tokens(SHOP).await["access_token"].as_str().unwrap().to_owned()
    };
    user.holding(renewed.token()).delete("/tokens/current").await.expect(204);
    for client in [here, there] {
        is_dead(client, token).await;
        user_info(client, &unused).await.expect(200);
    }
    let left = provider.app.database.column::<i64>("SELECT COUNT(*) FROM grants").await;
    assert_eq!(left, [1]);
}

#[async_test]
async fn an_access_token_goes_whoever_ends_its_session() {
    const OTP: &str = "471147";
    let provider = Provider::start_as(|plan| plan.set("SESSIONS_PER_USER", "2"), 2).await;
    let (app, client) = (&provider.app, provider.client());
    let accounts = Accounts::connect(&app.database.url().into(), 1).await.unwrap();
    for way in ["cap", "operator", "number_changed", "user_deleted", "expired"] {
        let (mut browser, user) = provider.signed_in().await;
        let tokens = browser.tokens(SHOP).await;
        let token = tokens["access_token"].as_str().unwrap();
        user_info(app.client_of(1), token).await.expect(200);
        let post = async |user: &SignedIn, path: &str, body: Value| {
            user.call(Method::POST, path, Some(&body)).await.expect(200);
        };
        match way {
            "cap" => {
                for _ in 0..2 {
                    SignedIn::with(client, NUMBER, "another").await;
                }
            }
            "operator" => {
                operators::json(app, &format!("api sessions end {NUMBER}")).await;
            }
            "number_changed" => {
                let other = SignedIn::with(client, NUMBER, "another").await;
                let (path, to) = ("/me/phone-number", OTHER_NUMBER);
                post(&other, path, json!({"phone_number": to})).await;
                let codes = json!({"phone_number": to, "current_otp": OTP, "new_otp": OTP});
                post(&other, path, codes).await;
            }
            "user_deleted" => {
                post(&user, "/me/deletion", json!({})).await;
                post(&user, "/me/deletion", json!({"otp": OTP})).await;
            }
            // As a worker removes it.
            _ => {
                let now = Clock::default().now() + Duration::from_secs(72 * 60 * 60);
                assert!(accounts.prune_expired_tokens(now, 1_000).await.unwrap() > 0);
            }
        }
        for api in [0, 1] {
            is_dead(app.client_of(api), token).await;
        }
        let left = app.database.column::<i64>("SELECT COUNT(*) FROM grants").await;
        assert_eq!(left, [0], "{way}");
    }
}

#[async_test]
async fn a_code_goes_with_its_session_too() {
    let provider = Provider::start().await;
    let (mut browser, user) = provider.signed_in().await;
    let code = browser.code(SHOP).await;
    user.delete("/tokens/current").await.expect(204);
    is_error(&redeem(provider.client(), SHOP, &code).await, 400, "invalid_grant");
}

#[async_test]
async fn a_client_that_is_taken_off_the_list_has_nothing_left() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    let tokens = browser.tokens(SHOP).await;
    let token = tokens["access_token"].as_str().unwrap();
    let mut clients = super::clients();
    clients.as_array_mut().unwrap().remove(0);
    provider.change_clients(&clients).await;
    is_dead(provider.client(), token).await;
    let answer =
        post(provider.client(), "/oauth/introspect", Some(&basic(BACKEND)), &[("token", token)])
            .await;
    assert_eq!(answer.body, json!({"active": false}));
}

#[async_test]
async fn introspection_and_revocation_know_access_tokens() {
    let provider = Provider::start().await;
    let (mut browser, user) = provider.signed_in().await;
    let tokens = browser.tokens(SHOP).await;
    let token = tokens["access_token"].as_str().unwrap();
    let form = [("token", token)];
    let client = provider.client();
    let introspect = async |authorization: &str| {
        post(client, "/oauth/introspect", Some(authorization), &form).await.expect(200).body
    };
    let shop = basic((SHOP.id, SHOP.secret.unwrap()));
    let told = introspect(&shop).await;
    for (field, value) in [
        ("active", json!(true)),
        ("client_id", json!(SHOP.id)),
        ("scope", json!("openid profile phone")),
        ("sid", json!(user.session_id().await)),
        ("token_type", json!("Bearer")),
        ("phone_number", json!(crate::api::sessions::NUMBER)),
    ] {
        assert_eq!(told[field], value, "{field}");
    }
    assert_eq!(told["exp"].as_i64().unwrap() - told["iat"].as_i64().unwrap(), 3600);
    // It opens no backend of the service's own sign-in, and nothing of another client.
    for other in [BACKEND, (OLD.id, OLD.secret.unwrap())] {
        assert_eq!(introspect(&basic(other)).await, json!({"active": false}));
    }

    // A client ends its own tokens alone, and no session.
    let old = basic((OLD.id, OLD.secret.unwrap()));
    post(client, "/oauth/revoke", Some(&old), &form).await.expect(200);
    post(client, "/oauth/revoke", Some(&old), &[("token", user.token())]).await.expect(200);
    user_info(client, token).await.expect(200);
    post(client, "/oauth/revoke", Some(&shop), &form).await.expect(200);
    is_dead(client, token).await;
    user.is_in().await;
    // One that keeps no secret, too.
    let tokens = browser.tokens(NATIVE).await;
    let token = tokens["access_token"].as_str().unwrap();
    let form = [("token", token), ("client_id", NATIVE.id)];
    post(client, "/oauth/revoke", None, &form).await.expect(200);
    is_dead(client, token).await;
}

mod in_process {
    use common::accounts::{NewGrant, Redemption};
    use common::crypto::signing_keys::SigningKeys;
    use common::domain::openid::{AccessToken, AuthorizationCode};
    use common::domain::token::{Scope, Token};

    use super::*;
    use crate::documentation::project;
    use crate::support::in_process::{InProcess, Setup};
    use crate::support::numbers::NUMBER;

    /// A code, and the expiry of its session in seconds from now.
    async fn code(app: &InProcess) -> AuthorizationCode {
        let token = app.at("203.0.113.7").sign_in(NUMBER).await.token().to_owned();
        let token = Token::parse(&token).unwrap();
        let now = app.clock.now();
        let accounts = &app.state.accounts;
        let found = accounts.session_of(token.hash(), Scope::Authentication, now).await.unwrap();
        let (user, session) = found.unwrap();
        let code = AuthorizationCode::random();
        let new = NewGrant {
            session_id: &session.id,
            user_id: user.id,
            client_id: "shop",
            redirect_uri: "https://a.example",
            scope: "openid",
            nonce: None,
            code_challenge: None,
            auth_time: session.created_at,
        };
        assert!(accounts.grant(&code, new, now).await.unwrap());
        code
    }

    async fn lives(app: &InProcess, code: &AuthorizationCode) -> Option<(AccessToken, i64)> {
        let redemption = Redemption {
            code,
            client_id: "shop",
            redirect_uri: "https://a.example",
            code_challenge: None,
        };
        let (token, now) = (AccessToken::random(), app.clock.now());
        let expires_at = app.state.accounts.redeem(&redemption, &token, now).await.unwrap();
        expires_at.map(|expires_at| (token, (expires_at - now).whole_seconds()))
    }

    #[async_test]
    async fn a_code_lives_for_a_minute_and_an_access_token_for_an_hour() {
        let app = Setup::limits_off().set("TOKEN_TTL_HOURS", 2).start().await;
        let (in_time, late) = (code(&app).await, code(&app).await);
        app.advance(Duration::from_secs(59));
        let (token, life) = lives(&app, &in_time).await.expect("a code in time");
        assert_eq!(life, 3600);
        app.advance(Duration::from_secs(1));
        assert!(lives(&app, &late).await.is_none());
        let live = async || {
            let now = app.clock.now();
            app.state.accounts.access_grant(&token, now).await.unwrap().is_some()
        };
        app.advance(HOUR - Duration::from_secs(2));
        assert!(live().await);
        app.advance(Duration::from_secs(1));
        assert!(!live().await);
        let pruned = app.state.accounts.prune_expired_grants(app.clock.now(), 10).await.unwrap();
        assert_eq!(pruned, 1, "the other one went when it was shown");
    }

    #[async_test]
    async fn a_code_that_nothing_was_signed_for_is_good_still() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clients.json");
        std::fs::write(&file, super::super::clients().to_string()).unwrap();
        let setup = Setup::limits_off().set("PUBLIC_URL", super::super::ISSUER);
        let app = setup.set("CLIENTS_FILE", file.to_str().unwrap()).start().await;
        let code = code(&app).await;
        let redeem = async || {
            let form = [
                ("grant_type", "authorization_code"),
                ("code", code.expose()),
                ("redirect_uri", "https://a.example"),
            ];
            let request = poem::Request::builder()
                .method(http::Method::POST)
                .uri_str(TOKEN)
                .content_type(super::super::FORM)
                .header("authorization", basic((SHOP.id, SHOP.secret.unwrap())));
            app.call(request.body(super::super::encoded(&form))).await
        };
        let keys = &app.state.jwts.keys;
        keys.replace("SIGNING_KEY_FILES", Ok(None));
        assert_ne!(redeem().await.status, 200);
        let file = project().join("tests/support/keys/rsa.pem");
        keys.replace("SIGNING_KEY_FILES", Ok(Some(SigningKeys::read(&[file]).unwrap())));
        redeem().await.expect(200);
        is_error(&redeem().await, 400, "invalid_grant");
    }

    #[async_test]
    async fn no_access_token_lives_longer_than_its_sessions_own() {
        let app = Setup::limits_off().set("TOKEN_TTL_HOURS", 1).start().await;
        let code = code(&app).await;
        app.advance(Duration::from_secs(30));
        let (_, life) = lives(&app, &code).await.expect("a code in time");
        assert_eq!(life, 3570);
    }
}
