//! `GET|POST /oauth/authorize`, and the way over the sign-in page.

use serde_json::json;

use super::{
    AUTHORIZE, Browser, ISSUER, NATIVE, OLD, Provider, Rp, SHOP, asking, asking_with, encoded,
    is_page, parameters, redeem, sign_in_page,
};
use crate::api::sessions::{NUMBER, OTHER_NUMBER};

/// Asserts that the client is told that error; returns its description.
async fn refused(
    browser: &mut Browser,
    rp: Rp,
    changes: &[(&'static str, &'static str)],
    error: &str,
) {
    let answer = browser.authorize(&asking_with(rp, changes)).await;
    let told = parameters(&answer, rp.redirect_uri);
    assert_eq!(told["error"], error, "{changes:?} {told:?}");
    assert_eq!((told["state"].as_str(), told["iss"].as_str()), ("a state&more", ISSUER));
    let description = &told["error_description"];
    assert!(!description.is_empty() && !description.contains(['"', '\\']), "{description}");
    assert!(!told.contains_key("code"));
}

#[async_test]
async fn a_browser_that_is_signed_in_costs_no_sms() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    for rp in [SHOP, OLD, NATIVE] {
        let answer = browser.authorize(&asking(rp)).await;
        let told = parameters(&answer, rp.redirect_uri);
        assert_eq!((told["state"].as_str(), told["iss"].as_str()), ("a state&more", ISSUER));
        let code = &told["code"];
        let plain = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
        assert!(code.len() == 43 && code.chars().all(plain), "{code}");
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        redeem(provider.client(), rp, code).await.expect(200);
    }
    assert!(!provider.app.logs().contains("a nonce"));
    // RFC 8707 has one twice that nobody reads here.
    let resources = [("resource", "https://a.example"), ("resource", "https://b.example")];
    let answer = browser.authorize(&[asking(SHOP), resources.to_vec()].concat()).await;
    assert!(parameters(&answer, SHOP.redirect_uri).contains_key("code"));
}

#[async_test]
async fn whoever_is_not_signed_in_is_led_over_the_sign_in_page() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let request = sign_in_page(&browser.authorize(&asking(SHOP)).await);
    let nobody = json!({
        "data": null,
        "asking": {"name": "The Shop", "number": null, "is_enough": false},
    });
    assert_eq!(browser.told(&request).await, nobody);
    // Too early, it leads back to the page.
    assert_eq!(sign_in_page(&browser.go_on(&request).await), request);
    browser.sign_in(NUMBER).await;
    let told = browser.told(&request).await;
    assert_eq!(
        (&told["asking"]["is_enough"], &told["data"]["name"]),
        (&json!(true), &json!("Asha"))
    );
    let told = parameters(&browser.go_on(&request).await, SHOP.redirect_uri);
    assert_eq!(told["state"], "a state&more");
    redeem(provider.client(), SHOP, &told["code"]).await.expect(200);
    // Once it is answered it is forgotten.
    is_page(&browser.go_on(&request).await, 400);
}

#[async_test]
async fn several_tabs_sign_in_beside_each_other() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let first = sign_in_page(&browser.authorize(&asking(SHOP)).await);
    let second = sign_in_page(&browser.authorize(&asking(OLD)).await);
    browser.sign_in(NUMBER).await;
    for (request, rp) in [(first, SHOP), (second, OLD)] {
        let told = parameters(&browser.go_on(&request).await, rp.redirect_uri);
        redeem(provider.client(), rp, &told["code"]).await.expect(200);
    }
}

#[async_test]
async fn a_login_hint_is_a_number_that_the_page_begins_with() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    for (hint, number) in [
        (NUMBER, json!(NUMBER)),
        ("98765 43210", json!("+919876543210")),
        ("asha@example.com", json!(null)),
        ("<script>", json!(null)),
    ] {
        let asked = asking_with(SHOP, &[("login_hint", hint)]);
        let request = sign_in_page(&browser.authorize(&asked).await);
        assert_eq!(browser.told(&request).await["asking"]["number"], number, "{hint}");
    }
}

#[async_test]
async fn a_prompt_for_login_takes_a_new_sign_in() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    for changes in [&[("prompt", "login")][..], &[("max_age", "0")]] {
        let request = sign_in_page(&browser.authorize(&asking_with(SHOP, changes)).await);
        assert_eq!(browser.told(&request).await["asking"]["is_enough"], false);
        assert_eq!(sign_in_page(&browser.go_on(&request).await), request);
        browser.sign_in(NUMBER).await;
        assert_eq!(browser.told(&request).await["asking"]["is_enough"], true);
        let told = parameters(&browser.go_on(&request).await, SHOP.redirect_uri);
        redeem(provider.client(), SHOP, &told["code"]).await.expect(200);
    }
    // What is young enough is taken.
    for changes in [&[("max_age", "10000")][..], &[("prompt", "consent select_account")]] {
        let answer = browser.authorize(&asking_with(SHOP, changes)).await;
        assert!(parameters(&answer, SHOP.redirect_uri).contains_key("code"), "{changes:?}");
    }
}

#[async_test]
async fn an_id_token_hint_says_who_it_has_to_be() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    let hint = browser.tokens(SHOP).await["id_token"].as_str().unwrap().to_owned();
    let mut asked = asking(SHOP);
    asked.push(("id_token_hint", &hint));
    let answer = browser.authorize(&asked).await;
    assert!(parameters(&answer, SHOP.redirect_uri).contains_key("code"));

    let mut other = provider.browser();
    other.sign_in(OTHER_NUMBER).await;
    let mut silent = asked.clone();
    silent.push(("prompt", "none"));
    let told = parameters(&other.authorize(&silent).await, SHOP.redirect_uri);
    assert_eq!(told["error"], "login_required");
    // Signed in as somebody else, the client is told so.
    let request = sign_in_page(&other.authorize(&asked).await);
    let told = parameters(&other.go_on(&request).await, SHOP.redirect_uri);
    assert_eq!(told["error"], "login_required");

    let of_another = browser.tokens(OLD).await["id_token"].as_str().unwrap().to_owned();
    for wrong in ["a", "a.b.c", &hint[1..], &of_another] {
        let mut asked = asking(SHOP);
        asked.push(("id_token_hint", wrong));
        let told = parameters(&browser.authorize(&asked).await, SHOP.redirect_uri);
        assert_eq!(told["error"], "invalid_request", "{wrong}");
    }
}

#[async_test]
async fn a_post_means_what_a_get_means() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    let answer = browser.post_from_elsewhere(AUTHORIZE, &asking(SHOP)).await;
    assert_eq!(answer.status, 303);
    let location = answer.header("location").strip_prefix(ISSUER).unwrap().to_owned();
    let answer = browser.get(&location).await;
    assert!(parameters(&answer, SHOP.redirect_uri).contains_key("code"));
    for (type_, body) in [
        ("application/json", "{}".to_owned()),
        ("", encoded(&asking(SHOP))),
        (super::FORM, "client_id=a&client_id=b".to_owned()),
    ] {
        let headers = [("content-type", type_)];
        let answer = browser.send(http::Method::POST, AUTHORIZE, &headers, body).await;
        super::is_error(&answer, 400, "invalid_request");
    }
}

#[async_test]
async fn an_answer_may_come_as_a_form() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    let post = ("response_mode", "form_post");
    let page = browser.authorize(&asking_with(SHOP, &[post])).await;
    is_page(&page, 200);
    let form = format!("<form method=\"post\" action=\"{}\">", SHOP.redirect_uri);
    assert!(page.text.contains(&form), "{}", page.text);
    assert!(page.text.contains("name=\"state\" value=\"a state&amp;more\""), "{}", page.text);
    let (_, rest) = page.text.split_once("name=\"code\" value=\"").unwrap();
    redeem(provider.client(), SHOP, &rest[..43]).await.expect(200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'sha256-") && !policy.contains("form-action"), "{policy}");
    // What an app says is text.
    let asked = asking_with(SHOP, &[post, ("state", "\"><script>alert(1)</script>")]);
    let page = browser.authorize(&asked).await;
    assert!(!page.text.contains("<script>alert"), "{}", page.text);
    // Errors go the same way.
    let asked = asking_with(SHOP, &[post, ("response_type", "token")]);
    let page = browser.authorize(&asked).await;
    is_page(&page, 200);
    assert!(page.text.contains("value=\"unsupported_response_type\""), "{}", page.text);
}

#[async_test]
async fn what_is_wrong_is_told_to_the_client() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    for (changes, error) in [
        (&[("response_type", "")][..], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "code id_token")], "unsupported_response_type"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("scope", "")], "invalid_scope"),
        (&[("scope", "profile openid2")], "invalid_scope"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("max_age", "soon")], "invalid_request"),
        (&[("max_age", "-1")], "invalid_request"),
        (&[("code_challenge", ""), ("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("request", "eyJhbGciOiJub25lIn0.e30.")], "request_not_supported"),
        (&[("request_uri", "https://shop.example.com/r")], "request_uri_not_supported"),
    ] {
        refused(&mut browser, SHOP, changes, error).await;
    }
    let mut nobody = provider.browser();
    refused(&mut nobody, SHOP, &[("prompt", "none")], "login_required").await;
    refused(&mut nobody, OLD, &[("code_challenge_method", "")], "invalid_request").await;
    assert!(nobody.cookies.is_empty(), "nothing was begun");
}

/// What is kept of them while somebody signs in is bounded.
#[async_test]
async fn a_state_or_nonce_that_is_too_long_is_refused() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let (long, longest) = ("a".repeat(1_024), "a".repeat(2_048));
    let longer = format!("{longest}a");
    // Six bytes of JSON each.
    let costly = "\u{1}".repeat(400);
    for (state, nonce, is_good) in [
        (&*longest, &*long, true),
        (&longer, "a", false),
        ("a", &longest, false),
        (&costly, &costly, false),
    ] {
        let mut asked = asking_with(SHOP, &[("state", ""), ("nonce", "")]);
        asked.extend([("state", state), ("nonce", nonce)]);
        let answer = browser.authorize(&asked).await;
        if is_good {
            sign_in_page(&answer);
        } else {
            let told = parameters(&answer, SHOP.redirect_uri);
            assert_eq!((&*told["error"], &*told["state"]), ("invalid_request", state));
        }
    }
}

/// The file of clients may change while somebody signs in.
#[async_test]
async fn what_a_client_may_not_ask_for_any_more_goes_no_further() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    let old = [("prompt", "login"), ("code_challenge", ""), ("code_challenge_method", "")];
    let asked = [asking_with(SHOP, &[old[0]]), asking_with(OLD, &old), asking_with(OLD, &old[..1])];
    let mut requests = Vec::new();
    for asked in &asked {
        requests.push(sign_in_page(&browser.authorize(asked).await));
    }
    let mut clients = super::clients();
    clients[0]["redirect_uris"] = json!(["https://shop.example.com/other"]);
    clients[1]["pkce"] = json!("required");
    provider.change_clients(&clients).await;
    browser.sign_in(NUMBER).await;
    for request in &requests[..2] {
        is_page(&browser.go_on(request).await, 400);
    }
    let told = parameters(&browser.go_on(&requests[2]).await, OLD.redirect_uri);
    assert!(told.contains_key("code"));
}

#[async_test]
async fn until_the_client_is_known_people_are_told() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    let twice = [asking(SHOP), vec![("state", "another")]].concat();
    let long = "a".repeat(9_000);
    let too_long = [asking(SHOP), vec![("state", &long)]].concat();
    for asked in [
        vec![],
        asking_with(SHOP, &[("client_id", "")]),
        asking_with(SHOP, &[("client_id", "stranger")]),
        asking_with(SHOP, &[("client_id", "backend")]),
        asking_with(SHOP, &[("client_id", "cheershare")]),
        asking_with(SHOP, &[("redirect_uri", "")]),
        asking_with(SHOP, &[("redirect_uri", OLD.redirect_uri)]),
        twice,
        too_long,
    ] {
        let answer = browser.authorize(&asked).await;
        is_page(&answer, 400);
        assert!(!answer.text.contains("stranger"));
    }
    assert!(browser.cookies.keys().all(|name| !name.contains("browser")));
}

#[async_test]
async fn stores_that_are_away_are_told_of() {
    let mut provider = Provider::start().await;
    let mut browser = provider.browser();
    let request = sign_in_page(&browser.authorize(&asking(SHOP)).await);
    provider.app.redis.kill();
    refused(&mut browser, SHOP, &[], "temporarily_unavailable").await;
    is_page(&browser.go_on(&request).await, 503);
}
