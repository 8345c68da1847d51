//! What attackers try (RFC 9700, RFC 6819).

use futures_util::future::join_all;
use http::Method;
use serde_json::json;

use super::{
    AUTHORIZE, NATIVE, Provider, SHOP, TOKEN, asking, asking_with, encoded, is_dead, is_error,
    is_page, parameters, redeem, sign_in_page, user_info,
};
use crate::api::sessions::{NUMBER, OTHER_NUMBER};
use crate::support::client::Client;

#[async_test]
async fn a_code_that_two_processes_redeem_at_once_is_good_for_nothing() {
    let provider = Provider::start_as(|plan| plan, 2).await;
    let (mut browser, _) = provider.signed_in().await;
    let clients: Vec<Client> = provider.app.clients_in_turn().take(2).collect();
    for round in 0..20 {
        let code = browser.code(SHOP).await;
        let tries = (0..6).map(|index| redeem(&clients[index % 2], SHOP, &code));
        let answers = join_all(tries).await;
        let got: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(got.len(), 1, "round {round}: {answers:?}");
        for answer in &answers {
            if answer.status != 200 {
                is_error(answer, 400, "invalid_grant");
            }
        }
        for answer in got {
            is_dead(&clients[1], answer.body["access_token"].as_str().unwrap()).await;
        }
    }
    let left = provider.app.database.column::<i64>("SELECT COUNT(*) FROM grants").await;
    assert_eq!(left, [0]);
}

/// Mix-up (RFC 9700, 4.4): every answer says by whom it is, and no other client redeems a code.
#[async_test]
async fn a_mixed_up_client_sees_whose_answer_it_has() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    for changes in [&[][..], &[("response_type", "token")], &[("scope", "x")]] {
        let answer = browser.authorize(&asking_with(SHOP, changes)).await;
        assert_eq!(parameters(&answer, SHOP.redirect_uri)["iss"], super::ISSUER);
    }
    let code = browser.code(SHOP).await;
    is_error(&redeem(provider.client(), super::OLD, &code).await, 400, "invalid_grant");
}

/// PKCE downgrade (RFC 9700, 2.1.1 and 4.8): see also
/// `a_client_without_pkce_gets_no_verifier_past`.
#[async_test]
async fn no_code_without_a_challenge_for_whoever_has_to_send_one() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    for rp in [SHOP, NATIVE] {
        for changes in [
            &[("code_challenge", ""), ("code_challenge_method", "")][..],
            &[("code_challenge_method", "plain")],
            &[("code_challenge_method", "S512")],
        ] {
            let answer = browser.authorize(&asking_with(rp, changes)).await;
            let told = parameters(&answer, rp.redirect_uri);
            assert_eq!(told["error"], "invalid_request", "{changes:?}");
        }
    }
}

#[async_test]
async fn no_browser_is_led_to_what_nearly_matches() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    for uri in [
        "https://shop.example.com/CALLBACK",
        "https://SHOP.example.com/callback",
        "HTTPS://shop.example.com/callback",
        "https://shop.example.com./callback",
        "https://shop.example.com/callback/",
        "https://shop.example.com/callback?",
        "https://shop.example.com/callback#",
        "https://shop.example.com/callback?next=https://evil.example",
        "https://shop.example.com/x/../callback",
        "https://shop.example.com/callback/..",
        "https://shop.example.com/%63allback",
        "https://shop.example.com%2Fcallback",
        "https://shop.example.com:443/callback",
        "https://user@shop.example.com/callback",
        "https://shop.example.com@evil.example/callback",
        "https://shop.example.com\\@evil.example/callback",
        "https://evil.example/https://shop.example.com/callback",
        "https://shop.example.com.evil.example/callback",
        "http://shop.example.com/callback",
        "//shop.example.com/callback",
        "/callback",
        "javascript:alert(1)//https://shop.example.com/callback",
        " https://shop.example.com/callback",
        "https://shop.example.com/callback\r\nLocation: https://evil.example",
        "https://shop.example.com/callback\u{0}",
    ] {
        let asked = asking_with(SHOP, &[("redirect_uri", uri)]);
        is_page(&browser.authorize(&asked).await, 400);
        let asked = asking_with(SHOP, &[("redirect_uri", uri), ("prompt", "none")]);
        is_page(&browser.authorize(&asked).await, 400);
    }
    for uri in
        ["http://127.0.0.1.evil.example/callback", "http://127.0.0.1:1@evil.example/callback"]
    {
        is_page(&browser.authorize(&asking_with(NATIVE, &[("redirect_uri", uri)])).await, 400);
    }
    let uri = "http://127.0.0.1:53124/callback";
    let answer = browser.authorize(&asking_with(NATIVE, &[("redirect_uri", uri)])).await;
    assert!(parameters(&answer, uri).contains_key("code"));
}

/// An attacker begins, and sends the link of the sign-in page to somebody.
#[async_test]
async fn nobody_ends_what_another_browser_has_begun() {
    let provider = Provider::start().await;
    let mut mallory = provider.browser();
    let request = sign_in_page(&mallory.authorize(&asking(SHOP)).await);
    let mut asha = provider.browser();
    // With an own request in another tab, too.
    for _ in 0..2 {
        asha.sign_in(NUMBER).await;
        assert_eq!(asha.told(&request).await.get("asking"), None);
        is_page(&asha.go_on(&request).await, 400);
        let other = asking_with(SHOP, &[("prompt", "login")]);
        sign_in_page(&asha.authorize(&other).await);
    }
    // Nor does whoever has begun get what the other one signed in for.
    assert_eq!(sign_in_page(&mallory.go_on(&request).await), request);
    for wrong in ["", "a", &request.to_uppercase(), &"a".repeat(26), "../../"] {
        is_page(&mallory.go_on(wrong).await, 400);
    }
    mallory.sign_in(OTHER_NUMBER).await;
    let told = parameters(&mallory.go_on(&request).await, SHOP.redirect_uri);
    let tokens = redeem(provider.client(), SHOP, &told["code"]).await.expect(200).body;
    let told = user_info(provider.client(), tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(told.body["phone_number"], OTHER_NUMBER);
}

/// Login CSRF: what a browser holds is set by the service's own page alone, and what it is asked
/// by others goes on with its own session. See `tests/api/browser_session.rs`.
#[async_test]
async fn a_foreign_page_signs_nobody_in() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    let mut mallory = provider.browser();
    let user = mallory.sign_in(OTHER_NUMBER).await;
    let bearer = format!("Bearer {}", user.token());
    let headers = [("authorization", &*bearer), ("sec-fetch-site", "cross-site")];
    let answer = browser.send(Method::POST, "/session", &headers, String::new()).await;
    assert_eq!((answer.status, answer.header("set-cookie")), (403, ""));
    let tokens = browser.tokens(SHOP).await;
    let told = user_info(provider.client(), tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(told.body["phone_number"], NUMBER);
}

#[async_test]
async fn a_request_that_is_too_long_is_refused() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let long = "a".repeat(1_000_000);
    for path in [AUTHORIZE, TOKEN, super::END_SESSION, super::USER_INFO] {
        let mut headers = http::HeaderMap::new();
        headers.insert("content-type", super::FORM.parse().unwrap());
        let body = format!("{}&more={long}", encoded(&asking(SHOP)));
        let answer = provider.client().send(Method::POST, path, headers, body).await;
        assert_eq!(answer.status, 413, "{path}");
    }
    let path = format!("{AUTHORIZE}?{}&more={}", encoded(&asking(SHOP)), &long[..20_000]);
    let answer = browser.client.send(Method::GET, &path, http::HeaderMap::new(), "").await;
    assert_eq!(answer.status, 431);
    for length in [8_000, 12_000] {
        let long = "a".repeat(length);
        let form = [asking(SHOP), vec![("more", &long)]].concat();
        is_page(&browser.post_own(AUTHORIZE, &form).await, 400);
        is_page(&browser.authorize(&form).await, 400);
    }
}

/// Server-side request forgery: nothing is fetched that a request names.
#[async_test]
async fn a_request_uri_is_asked_for_by_nobody() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let inside = format!("http://{}/request", listener.local_addr().unwrap());
    for uri in [&*inside, "http://169.254.169.254/latest/meta-data", "file:///etc/passwd"] {
        let mut asked = asking(SHOP);
        asked.push(("request_uri", uri));
        let told = parameters(&browser.authorize(&asked).await, SHOP.redirect_uri);
        assert_eq!(told["error"], "request_uri_not_supported");
    }
    let waited = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(waited, listener.accept()).await.is_err(), "it was asked");
}

/// The keys of ID tokens sign what users ask for, too.
#[async_test]
async fn what_a_user_asks_for_is_no_id_token() {
    let provider = Provider::start().await;
    let (mut browser, user) = provider.signed_in().await;
    for id in [SHOP.id, NATIVE.id] {
        let body = json!({"audience": id});
        let answer = user.call(Method::POST, "/tokens/current/jwt", Some(&body)).await;
        answer.expect_code(400, "invalid_audience");
    }
    let body = json!({"audience": "https://orders.example.com"});
    let jwt = user.call(Method::POST, "/tokens/current/jwt", Some(&body)).await.expect(200);
    let jwt = jwt.body["token"].as_str().unwrap().to_owned();
    let mut asked = asking(SHOP);
    asked.push(("id_token_hint", &jwt));
    let told = parameters(&browser.authorize(&asked).await, SHOP.redirect_uri);
    assert_eq!(told["error"], "invalid_request");
    // Nor is an ID token, or an access token of a client, a token of the service.
    let tokens = browser.tokens(SHOP).await;
    for token in ["id_token", "access_token"].map(|name| tokens[name].as_str().unwrap()) {
        let bearer = format!("Bearer {token}");
        let answer = provider.client().get("/auth/verify", Some(&bearer)).await;
        answer.expect_code(401, "invalid_authorization_header");
    }
}

#[async_test]
async fn an_address_has_so_many_requests_and_no_more() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let mut requests = Vec::new();
    for _ in 0..103 {
        requests.push(sign_in_page(&browser.authorize(&asking(SHOP)).await));
    }
    let lives = provider.app.redis.lives();
    let kept: Vec<_> = lives.keys().filter(|key| key.contains("authorization:")).collect();
    assert_eq!(kept.len(), 103, "a hundred, and the lists of address, network and all");
    for key in kept {
        assert!(lives[key].is_some_and(|life| life <= 600_000), "{key}");
    }
    browser.sign_in(NUMBER).await;
    is_page(&browser.go_on(&requests[0]).await, 400);
    let newest = requests.last().unwrap();
    let told = parameters(&browser.go_on(newest).await, SHOP.redirect_uri);
    assert!(told.contains_key("code"));
}
