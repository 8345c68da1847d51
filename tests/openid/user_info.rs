//! `GET|POST /oauth/userinfo`.

use http::Method;
use serde_json::json;

use super::{FORM, OLD, Provider, SHOP, USER_INFO, asking_with, parameters, redeem, user_info};
use crate::api::sessions::NUMBER;

#[async_test]
async fn claims_go_by_scope_and_client() {
    let provider = Provider::start().await;
    let (mut browser, user) = provider.signed_in().await;
    let sub = user.get("/me").await.expect(200).body["data"]["id"].to_string();
    let email = format!("{sub}@users.invalid");
    for (rp, scope, granted, claims) in [
        (SHOP, "openid", "openid", json!({"sub": sub})),
        (SHOP, "openid profile", "openid profile", json!({"sub": sub, "name": "Asha"})),
        (
            SHOP,
            "phone openid",
            "openid phone",
            json!({"sub": sub, "phone_number": NUMBER, "phone_number_verified": true}),
        ),
        // No e-mail address but for a client that is told one.
        (SHOP, "openid email address offline_access", "openid", json!({"sub": sub})),
        (
            OLD,
            "openid email",
            "openid email",
            json!({"sub": sub, "email": email, "email_verified": false}),
        ),
    ] {
        let answer = browser.authorize(&asking_with(rp, &[("scope", scope)])).await;
        let code = parameters(&answer, rp.redirect_uri)["code"].clone();
        let tokens = redeem(provider.client(), rp, &code).await.expect(200).body;
        assert_eq!(tokens["scope"], granted, "{scope}");
        let token = tokens["access_token"].as_str().unwrap();
        let told = user_info(provider.client(), token).await.expect(200);
        assert_eq!((&told.body, told.header("cache-control")), (&claims, "no-store"));
    }
}

#[async_test]
async fn it_says_what_is_true_now() {
    let provider = Provider::start().await;
    let (mut browser, user) = provider.signed_in().await;
    let tokens = browser.tokens(SHOP).await;
    let version = user.get("/me").await.expect(200).body["data"]["version"].clone();
    let body = json!({"name": "Asha Rao", "version": version});
    user.call(Method::PATCH, "/me", Some(&body)).await.expect(200);
    let token = tokens["access_token"].as_str().unwrap();
    let told = user_info(provider.client(), token).await.body;
    assert_eq!((told["name"].as_str(), told.get("picture")), (Some("Asha Rao"), None));
    let id = "p4q7n2w5zc6x3v2b7t6h4y5xke";
    let picture = format!(
        "INSERT INTO pictures (id, user_id, state, due_at, session_id, address, created_at, made_at)
        SELECT '{id}', id, 'made', 0, '', '', created_at, created_at FROM users"
    );
    provider.app.database.execute(&picture).await;
    let told = user_info(provider.client(), token).await.body;
    assert!(told["picture"].as_str().unwrap().ends_with(&format!("/pictures/{id}")), "{told}");
    assert!(told["picture"].as_str().unwrap().starts_with("http"), "{told}");
}

#[async_test]
async fn a_token_is_shown_in_one_way() {
    let provider = Provider::start().await;
    let (mut browser, user) = provider.signed_in().await;
    let tokens = browser.tokens(SHOP).await;
    let token = tokens["access_token"].as_str().unwrap();
    let (bearer, field) = (format!("Bearer {token}"), format!("access_token={token}"));
    let session = format!("Bearer {}", user.token());
    let realm = "Bearer realm=\"cheershare\"";
    let (no_request, no_token) = (
        format!("{realm}, error=\"invalid_request\""),
        format!("{realm}, error=\"invalid_token\""),
    );
    for (method, authorization, body, status, told) in [
        (Method::GET, &*bearer, "", 200, ""),
        (Method::GET, &*bearer.replace("Bearer", "bEARER"), "", 200, ""),
        (Method::POST, &*bearer, "", 200, ""),
        (Method::POST, "", &*field, 200, ""),
        (Method::GET, "", "", 401, realm),
        (Method::POST, "", "", 401, realm),
        (Method::POST, &*bearer, &*field, 400, &*no_request),
        (Method::GET, "Basic YTpi", "", 400, &*no_request),
        (Method::GET, "Bearer a", "", 401, &*no_token),
        (Method::GET, &bearer[..bearer.len() - 1], "", 401, &*no_token),
        (Method::GET, &*session, "", 401, &*no_token),
        (Method::POST, "", "access_token=a", 401, &*no_token),
    ] {
        let mut browser = provider.browser();
        let headers = [("authorization", authorization), ("content-type", FORM)];
        let answer = browser.send(method.clone(), USER_INFO, &headers, body.to_owned()).await;
        let found = (answer.status, answer.header("www-authenticate"));
        assert_eq!(found, (status, told), "{method} {authorization} {body}");
    }
    // The address is no place for it.
    let path = format!("{USER_INFO}?access_token={token}");
    assert_eq!(provider.client().get(&path, None).await.status, 401);
}
