//! One test for each module of the OpenID Foundation's conformance suite that applies, under its
//! name: Basic OP, Config OP and RP-Initiated Logout. Those that do not apply are in
//! `docs/openid.md`, with the reason.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{
    AFTER_LOGOUT, AUTHORIZE, Browser, DISCOVERY, END_SESSION, FORM, ISSUER, OLD, Provider, Rp,
    TOKEN, USER_INFO, asking_with, encoded, id_token, is_dead, is_error, is_page, parameters, post,
    redeem_form, redemption, sign_in_page, user_info,
};
use crate::api::sessions::NUMBER;
use crate::support::client::Answer;

/// As the suite's client is: with a secret, and without PKCE.
const SUITE: Rp = OLD;
const NO_PKCE: [(&str, &str); 2] = [("code_challenge", ""), ("code_challenge_method", "")];

/// What the suite sees of a sign-in.
struct Flow {
    answer: Answer,
    told: std::collections::BTreeMap<String, String>,
    tokens: Value,
    claims: Value,
}

fn asked(changes: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    asking_with(SUITE, &[&NO_PKCE[..], changes].concat())
}

fn without_verifier(code: &str) -> Vec<(&'static str, &str)> {
    let mut form = redemption(SUITE, code);
    form.retain(|(name, _)| *name != "code_verifier");
    form
}

/// Signs in where that is asked for, and redeems the code.
async fn flow(
    provider: &Provider,
    browser: &mut Browser,
    changes: &[(&'static str, &'static str)],
) -> Flow {
    let mut answer = browser.authorize(&asked(changes)).await;
    if answer.header("location").starts_with(ISSUER) {
        let request = sign_in_page(&answer);
        browser.sign_in(NUMBER).await;
        answer = browser.go_on(&request).await;
    }
    finished(provider, answer).await
}

async fn finished(provider: &Provider, answer: Answer) -> Flow {
    let told = parameters(&answer, SUITE.redirect_uri);
    assert_eq!(told["state"], "a state&more", "{told:?}");
    assert_eq!(told["iss"], ISSUER, "{told:?}");
    // More than 96 bits of Shannon's entropy.
    let code = &told["code"];
    let length = code.len() as f64;
    let entropy: f64 = code
        .chars()
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .map(|char| code.matches(char).count() as f64 / length)
        .map(|share| -share * share.log2())
        .sum();
    assert!(entropy * length > 96.0, "{code}: {}", entropy * length);
    let tokens =
        redeem_form(provider.client(), SUITE, without_verifier(code)).await.expect(200).body;
    assert_eq!(tokens["token_type"], "Bearer");
    assert!(tokens["expires_in"].as_i64().unwrap() > 0);
    let claims = id_token(provider.client(), &tokens).await;
    for (name, value) in [("iss", json!(ISSUER)), ("aud", json!(SUITE.id))] {
        assert_eq!(claims[name], value);
    }
    Flow { answer, told, tokens, claims }
}

impl Flow {
    fn access_token(&self) -> &str {
        self.tokens["access_token"].as_str().unwrap()
    }

    fn hint(&self) -> &str {
        self.tokens["id_token"].as_str().unwrap()
    }

    fn auth_time(&self) -> i64 {
        self.claims["auth_time"].as_i64().unwrap()
    }

    /// The claims of the user, which are the ID token's user.
    async fn user_info(&self, provider: &Provider) -> Value {
        let told = user_info(provider.client(), self.access_token()).await.expect(200).body;
        assert_eq!(told["sub"], self.claims["sub"]);
        told
    }
}

async fn flow_alone(changes: &[(&'static str, &'static str)]) -> (Provider, Flow) {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let flow = flow(&provider, &mut browser, changes).await;
    (provider, flow)
}

/// Times are in whole seconds.
async fn a_second_later() {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

// Basic OP

#[async_test]
async fn oidcc_server() {
    let (provider, flow) = flow_alone(&[]).await;
    assert_eq!(flow.claims["nonce"], "a nonce");
    assert_eq!(flow.answer.status, 303);
    flow.user_info(&provider).await;
}

#[async_test]
async fn oidcc_server_client_secret_post() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    let told = parameters(&browser.authorize(&asked(&[])).await, SUITE.redirect_uri);
    let mut form = without_verifier(&told["code"]);
    form.extend([("client_id", SUITE.id), ("client_secret", SUITE.secret.unwrap())]);
    let tokens = post(provider.client(), TOKEN, None, &form).await.expect(200).body;
    id_token(provider.client(), &tokens).await;
}

#[async_test]
async fn oidcc_response_type_missing() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let answer = browser.authorize(&asked(&[("response_type", "")])).await;
    assert_eq!(parameters(&answer, SUITE.redirect_uri)["error"], "invalid_request");
}

#[async_test]
async fn oidcc_idtoken_signature() {
    // `id_token` checks RS256 by the key that the header names.
    let (provider, flow) = flow_alone(&[]).await;
    assert_eq!(id_token(provider.client(), &flow.tokens).await, flow.claims);
}

#[async_test]
async fn oidcc_userinfo_get() {
    let (provider, flow) = flow_alone(&[]).await;
    flow.user_info(&provider).await;
}

#[async_test]
async fn oidcc_userinfo_post_header() {
    let (provider, flow) = flow_alone(&[]).await;
    let bearer = format!("Bearer {}", flow.access_token());
    let answer = post(provider.client(), USER_INFO, Some(&bearer), &[]).await.expect(200);
    assert_eq!(answer.body["sub"], flow.claims["sub"]);
}

#[async_test]
async fn oidcc_userinfo_post_body() {
    let (provider, flow) = flow_alone(&[]).await;
    let form = [("access_token", flow.access_token())];
    let answer = post(provider.client(), USER_INFO, None, &form).await.expect(200);
    assert_eq!(answer.body["sub"], flow.claims["sub"]);
}

#[async_test]
async fn oidcc_scope_profile() {
    let (provider, flow) = flow_alone(&[("scope", "openid profile")]).await;
    assert_eq!(flow.user_info(&provider).await["name"], "Asha");
}

#[async_test]
async fn oidcc_scope_email() {
    let (provider, flow) = flow_alone(&[("scope", "openid email")]).await;
    let told = flow.user_info(&provider).await;
    assert_eq!(told["email"], format!("{}@users.invalid", told["sub"].as_str().unwrap()));
    assert_eq!(told["email_verified"], false);
}

#[async_test]
async fn oidcc_scope_address() {
    // There are no addresses, and no scope that is unknown is an error.
    let (provider, flow) = flow_alone(&[("scope", "openid address")]).await;
    assert_eq!(flow.user_info(&provider).await.as_object().unwrap().len(), 1);
}

#[async_test]
async fn oidcc_scope_phone() {
    let (provider, flow) = flow_alone(&[("scope", "openid phone")]).await;
    let told = flow.user_info(&provider).await;
    assert_eq!(
        (&told["phone_number"], &told["phone_number_verified"]),
        (&json!(NUMBER), &json!(true))
    );
}

#[async_test]
async fn oidcc_scope_all() {
    let (provider, flow) = flow_alone(&[("scope", "openid profile email address phone")]).await;
    let told = flow.user_info(&provider).await;
    for name in ["sub", "name", "email", "email_verified", "phone_number", "phone_number_verified"]
    {
        assert!(told.get(name).is_some(), "{name}: {told}");
    }
    // Claims of scopes are not in the ID token.
    assert!(flow.claims.get("name").is_none() && flow.claims.get("phone_number").is_none());
}

#[async_test]
async fn oidcc_alternate_happy_flow() {
    let (provider, flow) = flow_alone(&[("response_mode", "query"), ("nonce", "another")]).await;
    assert_eq!(flow.claims["nonce"], "another");
    flow.user_info(&provider).await;
}

#[async_test]
async fn oidcc_display_page() {
    flow_alone(&[("display", "page")]).await;
}

#[async_test]
async fn oidcc_display_popup() {
    flow_alone(&[("display", "popup")]).await;
}

#[async_test]
async fn oidcc_prompt_login() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let first = flow(&provider, &mut browser, &[]).await;
    a_second_later().await;
    let second = flow(&provider, &mut browser, &[("prompt", "login")]).await;
    assert!(second.auth_time() > first.auth_time());
    assert_eq!(second.claims["sub"], first.claims["sub"]);
}

#[async_test]
async fn oidcc_prompt_none_logged_in() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let first = flow(&provider, &mut browser, &[]).await;
    a_second_later().await;
    let answer = browser.authorize(&asked(&[("prompt", "none")])).await;
    let second = finished(&provider, answer).await;
    assert_eq!(second.auth_time(), first.auth_time());
    assert_eq!(second.claims["sub"], first.claims["sub"]);
}

#[async_test]
async fn oidcc_prompt_none_not_logged_in() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let answer = browser.authorize(&asked(&[("prompt", "none")])).await;
    let told = parameters(&answer, SUITE.redirect_uri);
    assert_eq!(
        (told["error"].as_str(), told["state"].as_str()),
        ("login_required", "a state&more")
    );
}

#[async_test]
async fn oidcc_max_age_1() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let first = flow(&provider, &mut browser, &[]).await;
    a_second_later().await;
    a_second_later().await;
    let second = flow(&provider, &mut browser, &[("max_age", "1")]).await;
    assert!(second.auth_time() > first.auth_time());
}

#[async_test]
async fn oidcc_max_age_10000() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let first = flow(&provider, &mut browser, &[]).await;
    a_second_later().await;
    let second = flow(&provider, &mut browser, &[("max_age", "10000")]).await;
    assert_eq!(second.auth_time(), first.auth_time());
}

#[async_test]
async fn oidcc_id_token_hint() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let first = flow(&provider, &mut browser, &[]).await;
    let mut asked: Vec<(&str, &str)> = asked(&[("prompt", "none")]);
    asked.push(("id_token_hint", first.hint()));
    let second = finished(&provider, browser.authorize(&asked).await).await;
    assert_eq!(second.claims["sub"], first.claims["sub"]);
}

#[async_test]
async fn oidcc_login_hint() {
    flow_alone(&[("login_hint", NUMBER)]).await;
}

#[async_test]
async fn oidcc_ui_locales() {
    flow_alone(&[("ui_locales", "se")]).await;
}

#[async_test]
async fn oidcc_claims_locales() {
    flow_alone(&[("claims_locales", "se")]).await;
}

#[async_test]
async fn oidcc_claims_essential() {
    // `claims_parameter_supported` is false, so it may be passed over.
    let claims = r#"{"userinfo":{"name":{"essential":true}}}"#;
    let (provider, flow) = flow_alone(&[("claims", claims), ("scope", "openid profile")]).await;
    assert_eq!(flow.user_info(&provider).await["name"], "Asha");
}

#[async_test]
async fn oidcc_codereuse() {
    let (provider, flow) = flow_alone(&[]).await;
    let form = without_verifier(&flow.told["code"]);
    is_error(&redeem_form(provider.client(), SUITE, form).await, 400, "invalid_grant");
}

/// The suite waits for 30 s, and wants what the code brought to have ended. The row that says so is
/// kept for as long as that would live, so a second is as good.
#[async_test]
async fn oidcc_codereuse_30seconds() {
    let (provider, flow) = flow_alone(&[]).await;
    a_second_later().await;
    let form = without_verifier(&flow.told["code"]);
    is_error(&redeem_form(provider.client(), SUITE, form).await, 400, "invalid_grant");
    is_dead(provider.client(), flow.access_token()).await;
}

#[async_test]
async fn oidcc_ensure_registered_redirect_uri() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let uri = ("redirect_uri", "https://old.example.com/cb?tenant=1&other=2");
    is_page(&browser.authorize(&asked(&[uri])).await, 400);
}

#[async_test]
async fn oidcc_ensure_post_request_succeeds() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let headers = [("content-type", FORM)];
    let answer = browser.send(Method::POST, AUTHORIZE, &headers, encoded(&asked(&[]))).await;
    let there = answer.header("location").strip_prefix(ISSUER).unwrap().to_owned();
    let request = sign_in_page(&browser.get(&there).await);
    browser.sign_in(NUMBER).await;
    let answer = browser.go_on(&request).await;
    finished(&provider, answer).await;
}

#[async_test]
async fn oidcc_ensure_request_without_nonce_succeeds_for_code_flow() {
    let (_, flow) = flow_alone(&[("nonce", "")]).await;
    assert!(flow.claims.get("nonce").is_none());
}

#[async_test]
async fn oidcc_ensure_request_with_unknown_parameter_succeeds() {
    flow_alone(&[("extra", "foobar")]).await;
}

#[async_test]
async fn oidcc_ensure_request_with_acr_values_succeeds() {
    flow_alone(&[("acr_values", "urn:mace:incommon:iap:silver 1 2")]).await;
}

#[async_test]
async fn oidcc_ensure_request_with_valid_pkce_succeeds() {
    let provider = Provider::start().await;
    let (mut browser, _) = provider.signed_in().await;
    let tokens = browser.tokens(SUITE).await;
    id_token(provider.client(), &tokens).await;
}

#[async_test]
async fn oidcc_ensure_request_object_with_redirect_uri() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let object =
        ("request", "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2V2aWwuZXhhbXBsZSJ9.");
    let answer = browser.authorize(&asked(&[object])).await;
    assert_eq!(parameters(&answer, SUITE.redirect_uri)["error"], "request_not_supported");
}

#[async_test]
async fn oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let answer = browser.authorize(&asked(&[("request_uri", "https://suite.example/r")])).await;
    assert_eq!(parameters(&answer, SUITE.redirect_uri)["error"], "request_uri_not_supported");
}

#[async_test]
async fn oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported() {
    let provider = Provider::start().await;
    let mut browser = provider.browser();
    let answer = browser.authorize(&asked(&[("request", "eyJhbGciOiJub25lIn0.e30.")])).await;
    assert_eq!(parameters(&answer, SUITE.redirect_uri)["error"], "request_not_supported");
}

// Config OP

#[async_test]
async fn oidcc_discovery_endpoint_verification() {
    let provider = Provider::start().await;
    let told = provider.client().get(DISCOVERY, None).await.expect(200).body;
    assert_eq!(told["issuer"], ISSUER);
    for name in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"] {
        assert!(told[name].as_str().unwrap().starts_with("https://"), "{name}");
    }
    for (name, value) in [
        ("response_types_supported", "code"),
        ("subject_types_supported", "public"),
        ("id_token_signing_alg_values_supported", "RS256"),
        ("scopes_supported", "openid"),
        ("claims_supported", "sub"),
        ("grant_types_supported", "authorization_code"),
        ("token_endpoint_auth_methods_supported", "client_secret_basic"),
    ] {
        assert!(told[name].as_array().unwrap().contains(&json!(value)), "{name}");
    }
    let keys = provider.client().get("/oauth/jwks", None).await.expect(200).body;
    for key in keys["keys"].as_array().unwrap() {
        assert!(key["kid"].is_string() && key.get("d").is_none(), "{key}");
    }
}

// RP-Initiated Logout

/// Signs in at the suite's other client, which has somewhere to lead back to.
async fn signed_in_at_shop(provider: &Provider) -> (Browser, String) {
    let (mut browser, _) = provider.signed_in().await;
    let tokens = browser.tokens(super::SHOP).await;
    let hint = tokens["id_token"].as_str().unwrap().to_owned();
    (browser, hint)
}

async fn end(browser: &mut Browser, parameters: &[(&str, &str)]) -> Answer {
    browser.get(&format!("{END_SESSION}?{}", encoded(parameters))).await
}

/// Whether the browser is signed in, which the suite finds out by `prompt=none`.
async fn is_signed_in(browser: &mut Browser) -> bool {
    let answer = browser.authorize(&asked(&[("prompt", "none")])).await;
    parameters(&answer, SUITE.redirect_uri).contains_key("code")
}

#[async_test]
async fn oidcc_rp_initiated_logout() {
    let provider = Provider::start().await;
    let (mut browser, hint) = signed_in_at_shop(&provider).await;
    let asked =
        [("id_token_hint", &*hint), ("post_logout_redirect_uri", AFTER_LOGOUT), ("state", "s")];
    let answer = end(&mut browser, &asked).await;
    assert_eq!(answer.header("location"), format!("{AFTER_LOGOUT}?state=s"));
    assert!(!is_signed_in(&mut browser).await);
}

#[async_test]
async fn oidcc_rp_initiated_logout_discovery_endpoint_verification() {
    let provider = Provider::start().await;
    let told = provider.client().get(DISCOVERY, None).await.expect(200).body;
    assert_eq!(told["end_session_endpoint"], format!("{ISSUER}{END_SESSION}"));
}

#[async_test]
async fn oidcc_rp_initiated_logout_bad_post_logout_redirect_uri() {
    let provider = Provider::start().await;
    let (mut browser, hint) = signed_in_at_shop(&provider).await;
    let bad = format!("{AFTER_LOGOUT}/bad");
    let asked = [("id_token_hint", &*hint), ("post_logout_redirect_uri", &*bad)];
    is_page(&end(&mut browser, &asked).await, 400);
}

/// Asserts that the user is asked, and led nowhere after that.
async fn is_asked(browser: &mut Browser, asked: &[(&str, &str)]) {
    let page = end(browser, asked).await;
    is_page(&page, 200);
    assert!(page.text.contains("<button>Sign out</button>"), "{}", page.text);
    assert!(is_signed_in(browser).await);
    is_page(&browser.post_own(END_SESSION, &[("confirmed", "yes")]).await, 200);
    assert!(!is_signed_in(browser).await);
}

#[async_test]
async fn oidcc_rp_initiated_logout_modified_id_token_hint() {
    let provider = Provider::start().await;
    let (mut browser, hint) = signed_in_at_shop(&provider).await;
    let (signed, signature) = hint.rsplit_once('.').unwrap();
    let modified = format!("{}A.{signature}", &signed[..signed.len() - 1]);
    let asked = [("id_token_hint", &*modified), ("post_logout_redirect_uri", AFTER_LOGOUT)];
    is_asked(&mut browser, &asked).await;
}

#[async_test]
async fn oidcc_rp_initiated_logout_bad_id_token_hint() {
    let provider = Provider::start().await;
    let (mut browser, _) = signed_in_at_shop(&provider).await;
    let asked = [("id_token_hint", "no.id.token"), ("post_logout_redirect_uri", AFTER_LOGOUT)];
    is_asked(&mut browser, &asked).await;
}

#[async_test]
async fn oidcc_rp_initiated_logout_no_id_token_hint() {
    let provider = Provider::start().await;
    let (mut browser, _) = signed_in_at_shop(&provider).await;
    is_asked(&mut browser, &[("post_logout_redirect_uri", AFTER_LOGOUT), ("state", "s")]).await;
}

#[async_test]
async fn oidcc_rp_initiated_logout_no_params() {
    let provider = Provider::start().await;
    let (mut browser, _) = signed_in_at_shop(&provider).await;
    is_asked(&mut browser, &[]).await;
}

#[async_test]
async fn oidcc_rp_initiated_logout_no_post_logout_redirect_uri() {
    let provider = Provider::start().await;
    let (mut browser, hint) = signed_in_at_shop(&provider).await;
    let page = end(&mut browser, &[("id_token_hint", &hint), ("state", "s")]).await;
    is_page(&page, 200);
    assert!(page.text.contains("You are signed out"), "{}", page.text);
    assert!(!is_signed_in(&mut browser).await);
}

#[async_test]
async fn oidcc_rp_initiated_logout_no_state() {
    let provider = Provider::start().await;
    let (mut browser, hint) = signed_in_at_shop(&provider).await;
    let asked = [("id_token_hint", &*hint), ("post_logout_redirect_uri", AFTER_LOGOUT)];
    assert_eq!(end(&mut browser, &asked).await.header("location"), AFTER_LOGOUT);
    assert!(!is_signed_in(&mut browser).await);
}

#[async_test]
async fn oidcc_rp_initiated_logout_only_state() {
    let provider = Provider::start().await;
    let (mut browser, _) = signed_in_at_shop(&provider).await;
    is_asked(&mut browser, &[("state", "s")]).await;
}

#[async_test]
async fn oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri() {
    let provider = Provider::start().await;
    let (mut browser, hint) = signed_in_at_shop(&provider).await;
    let added = format!("{AFTER_LOGOUT}?foo=bar");
    let asked = [("id_token_hint", &*hint), ("post_logout_redirect_uri", &*added)];
    is_page(&end(&mut browser, &asked).await, 400);
}
