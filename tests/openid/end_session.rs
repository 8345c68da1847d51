//! `GET|POST /oauth/end_session`.

use super::{
    AFTER_LOGOUT, Browser, END_SESSION, ISSUER, OLD, Provider, SHOP, encoded, is_dead, is_page,
};
use crate::api::sessions::OTHER_NUMBER;
use crate::support::client::Answer;

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
