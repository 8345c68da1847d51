//! `GET|POST /oauth/end_session`.

use common::crypto::signing_keys::{JwtKind, SigningKeys};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::{
    AFTER_LOGOUT, Browser, END_SESSION, ISSUER, OLD, Provider, SHOP, encoded, is_dead, is_page,
};
use crate::api::sessions::{NUMBER, OTHER_NUMBER};
use crate::documentation::project;
use crate::support::app::SOON;
use crate::support::client::Answer;
use crate::support::eventually;

async fn end(browser: &mut Browser, parameters: &[(&str, &str)]) -> Answer {
    browser.get(&format!("{END_SESSION}?{}", encoded(parameters))).await
}

#[async_test]
async fn a_client_signs_its_user_out_everywhere_that_the_session_opened() {
    let provider = Provider::start().await;
    let (mut browser, user) = provider.signed_in().await;
    let (shop, old) = (browser.tokens(SHOP).await, browser.tokens(OLD).await);
    let hint = shop["id_token"].as_str().unwrap();
    let answer = end(
        &mut browser,
        &[("id_token_hint", hint), ("post_logout_redirect_uri", AFTER_LOGOUT), ("state", "a b")],
    )
    .await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(answer.header("location"), format!("{AFTER_LOGOUT}?state=a+b"));
    assert!(browser.cookies.keys().all(|name| name != "__Host-cheershare"), "it is forgotten");
    user.is_out().await;
    for tokens in [&shop, &old] {
        is_dead(provider.client(), tokens["access_token"].as_str().unwrap()).await;
    }
    // Again, with the hint of a session that is over: there is nothing left to do.
    let again = [("id_token_hint", hint), ("post_logout_redirect_uri", AFTER_LOGOUT)];
    assert_eq!(end(&mut browser, &again).await.header("location"), AFTER_LOGOUT);
}

#[async_test]
async fn without_a_hint_the_user_is_asked() {
    let provider = Provider::start().await;
    let (mut browser, user) = provider.signed_in().await;
    let tokens = browser.tokens(SHOP).await;
    let hint = tokens["id_token"].as_str().unwrap();
    let mut modified = hint.to_owned();
    modified.replace_range(modified.len() - 5..modified.len() - 4, "!");
    for parameters in [
        &[][..],
        &[("post_logout_redirect_uri", AFTER_LOGOUT), ("client_id", SHOP.id)],
        &[("id_token_hint", &modified), ("post_logout_redirect_uri", AFTER_LOGOUT)],
        &[("id_token_hint", "a"), ("post_logout_redirect_uri", "https://evil.example")],
        &[("id_token_hint", hint), ("client_id", OLD.id)],
    ] {
        let answer = end(&mut browser, parameters).await;
        is_page(&answer, 200);
        assert!(answer.text.contains("<button>Sign out</button>"), "{parameters:?}");
        // Or browsers would post the form without saying that it is the page's own.
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        user.is_in().await;
    }
    // A page of another site cannot say it for the user.
    let confirmed = [("confirmed", "yes")];
    let answer = browser.post_from_elsewhere(END_SESSION, &confirmed).await;
    let there = answer.header("location").strip_prefix(ISSUER).unwrap().to_owned();
    is_page(&browser.get(&there).await, 200);
    user.is_in().await;
    let answer = browser.post_own(END_SESSION, &confirmed).await;
    is_page(&answer, 200);
    assert!(answer.text.contains("You are signed out"), "{}", answer.text);
    user.is_out().await;
}

/// The same ID token, as it is when it has expired.
fn expired(hint: &str) -> String {
    let claims = hint.split('.').nth(1).unwrap();
    let claims = BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap();
    let mut claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["exp"] = json!(claims["iat"].as_i64().unwrap() - 1);
    let key = project().join("tests/support/keys/rsa.pem");
    SigningKeys::read(&[key]).unwrap().sign(JwtKind::IdToken, &claims).unwrap()
}

#[async_test]
async fn an_old_hint_ends_no_session_but_that_of_the_browser_that_shows_it() {
    let provider = Provider::start().await;
    let (mut browser, user) = provider.signed_in().await;
    let tokens = browser.tokens(SHOP).await;
    let old = expired(tokens["id_token"].as_str().unwrap());
    let parameters = [("id_token_hint", &*old), ("post_logout_redirect_uri", AFTER_LOGOUT)];
    // Whoever has nothing is signed out already.
    let answer = end(&mut provider.browser(), &parameters).await;
    assert_eq!(answer.header("location"), AFTER_LOGOUT);
    user.is_in().await;
    // The same user's, at another device.
    let mut elsewhere = provider.browser();
    let there = elsewhere.sign_in(NUMBER).await;
    is_page(&end(&mut elsewhere, &parameters).await, 200);
    there.is_in().await;
    user.is_in().await;
    let answer = end(&mut browser, &parameters).await;
    assert_eq!(answer.header("location"), AFTER_LOGOUT);
    user.is_out().await;
    there.is_in().await;
}

#[async_test]
async fn a_database_that_is_away_is_told_of_on_a_page() {
    let provider = Provider::start().await;
    let (mut browser, user) = provider.signed_in().await;
    let tokens = browser.tokens(SHOP).await;
    let hint = [("id_token_hint", tokens["id_token"].as_str().unwrap())];
    let outage = provider.app.database.fail().await;
    is_page(&end(&mut browser, &hint).await, 503);
    is_page(&browser.post_own(END_SESSION, &[("confirmed", "yes")]).await, 503);
    provider.app.database.restore(outage).await;
    eventually(SOON, "the session, which lives", async || {
        (user.get("/protected").await.status == 200).then_some(())
    })
    .await;
}

#[async_test]
async fn nobody_is_led_where_the_client_did_not_say() {
    let provider = Provider::start().await;
    let (mut browser, user) = provider.signed_in().await;
    let tokens = browser.tokens(SHOP).await;
    let hint = tokens["id_token"].as_str().unwrap();
    for uri in [
        "https://evil.example/",
        SHOP.redirect_uri,
        "https://shop.example.com/bye/",
        "https://shop.example.com/bye?a=b",
        "https://shop.example.com/BYE",
    ] {
        let answer =
            end(&mut browser, &[("id_token_hint", hint), ("post_logout_redirect_uri", uri)]).await;
        is_page(&answer, 400);
        user.is_in().await;
    }
}

#[async_test]
async fn a_hint_of_another_user_ends_nothing_unasked() {
    let provider = Provider::start().await;
    let (mut browser, user) = provider.signed_in().await;
    let mut other = provider.browser();
    let stranger = other.sign_in(OTHER_NUMBER).await;
    let tokens = other.tokens(SHOP).await;
    let hint = tokens["id_token"].as_str().unwrap();
    is_page(&end(&mut browser, &[("id_token_hint", hint)]).await, 200);
    user.is_in().await;
    stranger.is_in().await;
    // A client that posts, whose cookies browsers keep back, means the same.
    let tokens = browser.tokens(SHOP).await;
    let hint = tokens["id_token"].as_str().unwrap();
    let form = [("id_token_hint", hint), ("post_logout_redirect_uri", AFTER_LOGOUT)];
    let answer = browser.post_from_elsewhere(END_SESSION, &form).await;
    let there = answer.header("location").strip_prefix(ISSUER).unwrap().to_owned();
    assert_eq!(browser.get(&there).await.header("location"), AFTER_LOGOUT);
    user.is_out().await;
    stranger.is_in().await;
}
