//! `POST /tokens/current/jwt` and `GET /oauth/jwks`. `tests/backends/` has them checked by the
//! libraries that programs use.

use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use http::Method;
use ring::rsa::PublicKeyComponents;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::api::sessions::{self, SignedIn};
use crate::documentation::project;
use crate::support::app::{App, Plan, SOON};
use crate::support::client::Client;
use crate::support::durations::HOUR;
use crate::support::eventually;
use crate::support::in_process::{BEGIN, Setup};
use crate::support::numbers::{NUMBER, OTHER_NUMBER};

const JWT: &str = "/tokens/current/jwt";
const JWKS: &str = "/oauth/jwks";

fn key_file(name: &str) -> PathBuf {
    project().join("tests/support/keys").join(name)
}

/// Keys as the setting names them.
fn key_files(names: &[&str]) -> String {
    let names = names.iter().map(|name| key_file(name).to_str().unwrap().to_owned());
    names.collect::<Vec<_>>().join(",")
}

async fn jwt(client: &Client, token: &str, body: Value) -> Value {
    let answer = client.post_as(token, JWT, &body).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.body["success"], true);
    answer.body
}

async fn jwks(client: &Client) -> Vec<Value> {
    let answer = client.get(JWKS, None).await.expect(200);
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    answer.body["keys"].as_array().unwrap().clone()
}

fn bytes(part: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()
}

fn member(jwk: &Value, name: &str) -> Vec<u8> {
    bytes(jwk[name].as_str().unwrap_or_else(|| panic!("no {name}: {jwk}")))
}

/// Header and claims, once the signature is checked by the key that the header names.
fn checked(jwt: &str, keys: &[Value]) -> (Value, Value) {
    let parts: Vec<&str> = jwt.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("no JWT: {jwt}") };
    let signed = format!("{header}.{claims}");
    let [header, claims] =
        [header, claims].map(|part| serde_json::from_slice(&bytes(part)).unwrap());
    let header: Value = header;
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).expect("a key of that name");
    assert_eq!((&key["alg"], &key["use"]), (&header["alg"], &json!("sig")));
    if key["kty"] == "RSA" {
        let key = PublicKeyComponents { n: member(key, "n"), e: member(key, "e") };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &bytes(signature)).unwrap();
    } else {
        assert_eq!((&key["kty"], &key["crv"]), (&json!("EC"), &json!("P-256")));
        let point = [vec![4], member(key, "x"), member(key, "y")].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(signed.as_bytes(), &bytes(signature))
            .unwrap();
    }
    (header, claims)
}

#[async_test]
async fn a_jwt_says_who_is_signed_in() {
    let plan = Plan::new().set("SIGNING_KEY_FILES", &key_files(&["p256.pem", "rsa.pem"]));
    let app = plan.set("PUBLIC_URL", "https://signin.example.com/").start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let authorization = format!("Bearer {token}");
    let session = app.client().get("/tokens", Some(&authorization)).await.expect(200).body;
    let me = app.client().get("/me", Some(&authorization)).await.expect(200).body;

    let audience = "https://orders.example.com";
    let answer = jwt(app.client(), &token, json!({ "audience": audience })).await;
    let keys = jwks(app.client()).await;
    assert_eq!(keys.len(), 2);
    let (header, mut claims) = checked(answer["token"].as_str().unwrap(), &keys);
    // ID tokens say `JWT`.
    assert_eq!((&header["alg"], header.get("typ")), (&json!("RS256"), None));
    let times = ["iat", "exp", "auth_time"]
        .map(|name| claims.as_object_mut().unwrap().remove(name).unwrap().as_i64().unwrap());
    let [issued, expires, signed_in] = times;
    assert_eq!(expires, issued + 300);
    assert!((signed_in..signed_in + 60).contains(&issued), "{times:?}");
    let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(jti.as_str().unwrap().len(), 26);
    assert_eq!(
        claims,
        json!({
            "iss": "https://signin.example.com",
            "sub": me["data"]["id"].to_string(),
            "aud": audience,
            "sid": session["data"][0]["id"],
            "amr": ["otp", "sms"],
            "phone_number": NUMBER,
            "phone_number_verified": true,
        })
    );
    let again = jwt(app.client(), &token, json!({ "audience": audience })).await;
    assert_ne!(again["token"], answer["token"], "each has an id of its own");
    assert!(!app.logs().contains(answer["token"].as_str().unwrap()));
}

#[async_test]
async fn development_makes_a_key_that_all_processes_use() {
    let app = Plan::new().apis(2).start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let keys = jwks(app.client_of(0)).await;
    assert_eq!(jwks(app.client_of(1)).await, keys);
    for api in [0, 1] {
        let answer = jwt(app.client_of(api), &token, json!({})).await;
        let (header, claims) = checked(answer["token"].as_str().unwrap(), &keys);
        assert_eq!(header["alg"], "ES256");
        assert!(claims.get("aud").is_none() && claims.get("iss").is_none(), "{claims}");
    }
}

#[async_test]
async fn production_has_no_key_of_its_own() {
    let app = Plan::new().set("APP_ENV", "production").set("TRUSTED_PROXIES", "none").start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let told = "This service signs no JWTs: SIGNING_KEY_FILES is not set";
    let answer = app.client().post_as(&token, JWT, &json!({})).await;
    answer.expect_error(404, told, "no_signing_keys");
    app.client().get(JWKS, None).await.expect_error(404, told, "no_signing_keys");
}

#[async_test]
async fn only_a_live_session_gets_one() {
    let app = Plan::new().start().await;
    let client = app.client();
    client.post(JWT, &json!({})).await.expect_code(401, "unauthorized");
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    for body in [json!({ "audience": 7 }), json!({ "aud": "a" }), json!([])] {
        client.post_as(&token, JWT, &body).await.expect_code(400, "invalid_payload");
    }
    let longest = "ä".repeat(255);
    for audience in ["", "a\nb", "\u{0}", &format!("{longest}a")] {
        let body = json!({ "audience": audience });
        client.post_as(&token, JWT, &body).await.expect_code(400, "invalid_audience");
    }
    let keys = jwks(client).await;
    for audience in [json!(longest), Value::Null] {
        let answer = jwt(client, &token, json!({ "audience": audience })).await;
        let (_, claims) = checked(answer["token"].as_str().unwrap(), &keys);
        assert_eq!(claims["aud"], audience);
    }
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    client.send(http::Method::DELETE, "/tokens/current", headers, "").await.expect(204);
    let answer = client.post_as(&token, JWT, &json!({})).await;
    answer.expect_code(401, "invalid_authorization_header");
}

mod in_process {
    use super::*;

    #[async_test]
    async fn it_lives_no_longer_than_its_token() {
        let app = Setup::limits_off().set("TOKEN_TTL_HOURS", 1).set("JWT_TTL_SECONDS", 600);
        let app = app.start().await;
        let caller = app.at("203.0.113.7");
        let token = caller.sign_in(NUMBER).await.token().to_owned();
        let begin = BEGIN / 1000;
        for (at, expires) in [(0, 600), (3000, 3600), (3599, 3600)] {
            let elapsed = app.clock.unix_ms() / 1000 - begin;
            app.advance(Duration::from_secs(at - u64::try_from(elapsed).unwrap()));
            let answer = caller.post_as(&token, JWT, &json!({})).await.expect(200);
            let claims = answer.body["token"].as_str().unwrap().split('.').nth(1).unwrap();
            let claims: Value = serde_json::from_slice(&bytes(claims)).unwrap();
            let times =
                ["auth_time", "iat", "exp"].map(|name| claims[name].as_i64().unwrap() - begin);
            assert_eq!(times, [0, i64::try_from(at).unwrap(), expires]);
        }
        app.advance(HOUR);
        caller.post_as(&token, JWT, &json!({})).await.expect(401);
    }
}

/// Copies a key to where the setting looks for it.
fn put(from: &str, to: &Path) {
    std::fs::copy(key_file(from), to).unwrap();
}

async fn hang_up(app: &App, event: &str, times: usize) {
    app.apis[0].signal("HUP");
    eventually(SOON, event, async || {
        let told = app.apis[0].events(event);
        (told.iter().filter(|line| line["setting"] == "SIGNING_KEY_FILES").count() == times)
            .then_some(())
    })
    .await;
}

#[async_test]
async fn keys_are_rotated_and_what_was_signed_stays_good() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first.pem", "second.pem"].map(|name| folder.path().join(name));
    put("rsa.pem", &first);
    put("p256.pem", &second);
    let files = format!("{},{}", first.display(), second.display());
    let app = Plan::new().set("SIGNING_KEY_FILES", &files).start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    let kid_of = async |client: &Client, keys: &[Value]| {
        let answer = jwt(client, &token, json!({})).await;
        checked(answer["token"].as_str().unwrap(), keys).0["kid"].clone()
    };
    let before = jwks(app.client()).await;
    let old = jwt(app.client(), &token, json!({})).await["token"].as_str().unwrap().to_owned();

    // The new one is published first, and signs then.
    put("rsa_new.pem", &second);
    hang_up(&app, "setting_reloaded", 1).await;
    let both = jwks(app.client()).await;
    assert_eq!(kid_of(app.client(), &both).await, before[0]["kid"]);
    put("rsa_new.pem", &first);
    put("rsa.pem", &second);
    hang_up(&app, "setting_reloaded", 2).await;
    let swapped = jwks(app.client()).await;
    assert_eq!(kid_of(app.client(), &both).await, both[1]["kid"], "whoever kept the keys knows it");
    checked(&old, &swapped);
    assert_eq!((&swapped[0], &swapped[1]), (&both[1], &both[0]));

    // A faulty file changes nothing.
    put("public.pem", &first);
    hang_up(&app, "setting_not_reloaded", 1).await;
    let told = app.apis[0].events("setting_not_reloaded").remove(0);
    let expected = format!("SIGNING_KEY_FILES: {}: has no private key in PEM", first.display());
    assert_eq!(told["error"], expected);
    assert_eq!(jwks(app.client()).await, swapped);
    kid_of(app.client(), &swapped).await;
    let key = std::fs::read_to_string(key_file("rsa_new.pem")).unwrap();
    assert!(key.lines().skip(1).take(20).all(|line| !app.logs().contains(line)));
}

#[async_test]
async fn a_user_who_asks_for_many_is_in_nobodys_way() {
    let app = sessions::plan(1).set("SIGNING_KEY_FILES", &key_files(&["rsa.pem"])).start().await;
    let greedy = SignedIn::with(app.client(), NUMBER, "").await;
    let other = SignedIn::with(app.client(), OTHER_NUMBER, "").await;
    let mut flood = JoinSet::new();
    for _ in 0..64 {
        let greedy = greedy.clone();
        flood.spawn(async move {
            let mut refused = 0;
            for _ in 0..10 {
                let answer = greedy.call(Method::POST, JWT, Some(&json!({}))).await;
                if answer.status != 200 {
                    answer.expect_code(503, "overloaded");
                    refused += 1;
                }
            }
            refused
        });
    }
    for _ in 0..20 {
        other.call(Method::POST, JWT, Some(&json!({}))).await.expect(200);
    }
    let refused: usize = flood.join_all().await.into_iter().sum();
    assert!((1..640).contains(&refused), "{refused} of 640 at once");
}
