//! Who asks: HTTP Basic, or two fields of the form (RFC 6749, 2.3.1).

use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;

use super::{BILLING, ClientsFile, INTROSPECT, ORDERS, REVOKE, basic, is_oauth_error, post_form};
use crate::support::app::Plan;
use crate::support::client::Client;

const TOKEN: (&str, &str) = ("token", "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

async fn is_refused(
    client: &Client,
    authorization: Option<&str>,
    form: &[(&str, &str)],
    (status, code): (u16, &str),
) {
    for path in [INTROSPECT, REVOKE] {
        println!("{path} {authorization:?} {form:?}");
        let answer = post_form(client, path, authorization, form).await;
        is_oauth_error(&answer, status, code);
    }
}

#[async_test]
async fn a_client_says_who_it_is_in_one_of_two_ways() {
    let file = ClientsFile::new();
    let app = file.plan().workers(0).start().await;
    let (id, secret) = BILLING;
    let header = basic(BILLING);
    let in_body = [("client_id", id), ("client_secret", secret), TOKEN];
    for (authorization, form) in [
        (Some(header.as_str()), &[TOKEN][..]),
        (Some(&header.replace("Basic", "basic")), &[TOKEN]),
        (Some(&header), &[TOKEN, ("client_id", id)]),
        (Some(&header), &[TOKEN, ("client_secret", ""), ("unknown", "1")]),
        (None, &in_body),
        (None, &[in_body[2], in_body[1], in_body[0], ("token_type_hint", "no such type")]),
    ] {
        let answer = post_form(app.client(), INTROSPECT, authorization, form).await.expect(200);
        assert_eq!(answer.body, json!({"active": false}), "{form:?}");
        post_form(app.client(), REVOKE, authorization, form).await.expect(200);
    }
}

#[async_test]
async fn everybody_else_is_refused_alike() {
    let file = ClientsFile::new();
    let app = file.plan().workers(0).start().await;
    let client = app.client();
    let ((id, secret), (other, _)) = (BILLING, ORDERS);
    let refused = (401, "invalid_client");
    for authorization in [
        "",
        "Basic",
        "Basic !!!",
        &basic((id, &secret[1..])),
        &basic((id, "")),
        &basic((other, secret)),
        &basic(("stranger", secret)),
        &basic(("", "")),
        &basic((&id.to_uppercase(), secret)),
        &basic(BILLING).replace("Basic", "Bearer"),
        "Bearer ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    ] {
        is_refused(client, Some(authorization), &[TOKEN], refused).await;
    }
    for form in [
        &[TOKEN][..],
        &[TOKEN, ("client_id", id)],
        &[TOKEN, ("client_secret", secret)],
        &[TOKEN, ("client_id", id), ("client_secret", "")],
        &[TOKEN, ("client_id", other), ("client_secret", secret)],
        // Who asks is looked at before what is asked.
        &[("client_id", other), ("client_secret", secret)],
    ] {
        is_refused(client, None, form, refused).await;
    }
}

#[async_test]
async fn what_is_no_request_is_told_so() {
    let file = ClientsFile::new();
    let app = file.plan().workers(0).start().await;
    let client = app.client();
    let (id, secret) = BILLING;
    let (header, other) = (basic(BILLING), basic(ORDERS));
    let refused = (400, "invalid_request");
    for form in [
        &[][..],
        &[("token", "")],
        &[("token_type_hint", "access_token")],
        &[TOKEN, TOKEN],
        &[TOKEN, ("token_type_hint", "a"), ("token_type_hint", "b")],
        &[TOKEN, ("client_secret", secret)],
        &[TOKEN, ("client_id", id), ("client_secret", secret)],
    ] {
        is_refused(client, Some(&header), form, refused).await;
    }
    is_refused(client, Some(&other), &[TOKEN, ("client_id", id)], refused).await;
    // What nobody reads may be there twice.
    let form = [TOKEN, ("unknown", "a"), ("unknown", "b")];
    post_form(client, INTROSPECT, Some(&header), &form).await.expect(200);

    let mut headers = HeaderMap::new();
    headers.append("authorization", header.parse().unwrap());
    for content_type in ["", "application/json", "text/plain", "multipart/form-data; boundary=a"] {
        headers.insert("content-type", HeaderValue::from_static(content_type));
        let body = "token=ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let answer = client.send(Method::POST, INTROSPECT, headers.clone(), body).await;
        is_oauth_error(&answer, 400, "invalid_request");
    }
    let form = HeaderValue::from_static("application/x-www-form-urlencoded;charset=UTF-8");
    headers.insert("content-type", form);
    let body = "token=ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    client.send(Method::POST, INTROSPECT, headers.clone(), body).await.expect(200);
    headers.append("authorization", header.parse().unwrap());
    let answer = client.send(Method::POST, INTROSPECT, headers.clone(), body).await;
    is_oauth_error(&answer, 400, "invalid_request");
    headers.remove("authorization");
    let too_long = "a".repeat(104_857);
    client
        .send(Method::POST, INTROSPECT, headers, too_long)
        .await
        .expect_code(413, "payload_too_large");
    client.get(INTROSPECT, Some(&header)).await.expect_code(405, "method_not_allowed");
    // The address is no place for a secret or a token.
    let path = format!("{INTROSPECT}?token=ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    let answer = post_form(client, &path, Some(&header), &[]).await;
    is_oauth_error(&answer, 400, "invalid_request");
}

#[async_test]
async fn without_a_file_there_are_no_clients() {
    let app = Plan::new().workers(0).start().await;
    is_refused(app.client(), Some(&basic(BILLING)), &[TOKEN], (401, "invalid_client")).await;
}

#[async_test]
async fn no_other_route_takes_a_client_for_a_user() {
    let file = ClientsFile::new();
    let app = file.plan().workers(0).start().await;
    for path in ["/protected", "/healthz", "/oauth/introspect/", "/oauth"] {
        let answer = app.client().get(path, Some(&basic(BILLING))).await;
        answer.expect_code(401, "invalid_authorization_header");
    }
}

#[async_test]
async fn what_is_refused_is_logged_once_a_second_and_without_the_secret() {
    let file = ClientsFile::new();
    let app = file.plan().workers(0).start().await;
    let (id, secret) = BILLING;
    for _ in 0..30 {
        // The two were mixed up.
        let answer =
            post_form(app.client(), INTROSPECT, Some(&basic((secret, id))), &[TOKEN]).await;
        is_oauth_error(&answer, 401, "invalid_client");
    }
    let lines = app.apis[0].events("client_refused");
    assert!((1..=10).contains(&lines.len()), "{lines:?}");
    assert_eq!(lines[0]["reason"], "unknown id");
    assert!(!app.logs().contains(secret));
}
