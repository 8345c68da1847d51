//! The service as OpenID provider, over HTTP. `docs/openid.md` says which test holds what.

mod attacks;
mod authorization;
mod back_channel;
mod clients;
mod conformance;
mod end_session;
mod provider;
mod tokens;
mod user_info;

use std::collections::BTreeMap;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use http::{HeaderMap, HeaderName, Method};
use ring::rsa::PublicKeyComponents;
use ring::signature::RSA_PKCS1_2048_8192_SHA256;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::api::oauth::{basic, post_form as post};
use crate::api::sessions::{self, SignedIn};
use crate::documentation::project;
use crate::support::app::{App, Plan, SOON};
use crate::support::client::{Answer, Client};
use crate::support::eventually;

const AUTHORIZE: &str = "/oauth/authorize";
const TOKEN: &str = "/oauth/token";
const USER_INFO: &str = "/oauth/userinfo";
const END_SESSION: &str = "/oauth/end_session";
const DISCOVERY: &str = "/.well-known/openid-configuration";

const ISSUER: &str = "https://signin.example.com";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A client that users sign in to.
#[derive(Clone, Copy, Debug)]
struct Rp {
    id: &'static str,
    secret: Option<&'static str>,
    redirect_uri: &'static str,
}

/// A website with a server.
const SHOP: Rp = Rp {
    id: "shop",
    secret: Some("3mjUi0GPbGmVsCXlX8VrBSPs3tkAhqiCg2gtPBaV5S4"),
    redirect_uri: "https://shop.example.com/callback",
};
/// One that knows no PKCE, and wants e-mail addresses.
const OLD: Rp = Rp {
    id: "old",
    secret: Some("9w1hTSpjoMSXjY4QgDXwCe7HEkLcSgGGcJ8F6pLGVDs"),
    redirect_uri: "https://old.example.com/cb?tenant=1",
};
/// An app that keeps no secret.
const NATIVE: Rp = Rp { id: "native", secret: None, redirect_uri: "http://127.0.0.1/callback" };
/// A backend that asks about tokens; nobody signs in to it.
const BACKEND: (&str, &str) = ("backend", "Tq0bZzqFhkYw9Yc0WnYlYk1sIuOYtCq1d5E0y2b7C9A");

const AFTER_LOGOUT: &str = "https://shop.example.com/bye";

fn hash_of(secret: &str) -> String {
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(secret)))
}

fn clients() -> Value {
    json!([
        {
            "id": SHOP.id, "name": "The Shop", "secret_hashes": [hash_of(SHOP.secret.unwrap())],
            "redirect_uris": [SHOP.redirect_uri, "https://shop.example.com/other"],
            "post_logout_redirect_uris": [AFTER_LOGOUT],
        },
        {
            "id": OLD.id, "name": "The Old", "secret_hashes": [hash_of(OLD.secret.unwrap())],
            "redirect_uris": [OLD.redirect_uri], "pkce": "optional",
            "synthetic_email": "users.invalid",
        },
        {
            "id": NATIVE.id, "name": "The App",
            "redirect_uris": [NATIVE.redirect_uri, "com.example.app:/callback"],
        },
        {
            "id": BACKEND.0, "name": "The Backend", "secret_hashes": [hash_of(BACKEND.1)],
            "introspect": true, "phone_number": true,
        },
    ])
}

/// The service, with the clients above. Users sign in by test numbers.
struct Provider {
    app: App,
    folder: TempDir,
}

impl Provider {
    async fn start() -> Self {
        Self::start_as(|plan| plan, 1).await
    }

    async fn start_as(change: impl FnOnce(Plan) -> Plan, apis: usize) -> Self {
        Self::start_with(&clients(), change, apis).await
    }

    async fn start_with(clients: &Value, change: impl FnOnce(Plan) -> Plan, apis: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clients.json");
        std::fs::write(&file, clients.to_string()).unwrap();
        let key = project().join("tests/support/keys/rsa.pem");
        let plan = sessions::plan(apis)
            .set("CLIENTS_FILE", file.to_str().unwrap())
            .set("SIGNING_KEY_FILES", key.to_str().unwrap())
            .set("PUBLIC_URL", ISSUER);
        Self { app: change(plan).start().await, folder }
    }

    /// Changes the file, and waits until it has been read again.
    async fn change_clients(&self, clients: &Value) {
        let read = || {
            let told = self.app.apis[0].events("setting_reloaded");
            told.iter().filter(|line| line["setting"] == "CLIENTS_FILE").count()
        };
        let before = read();
        std::fs::write(self.folder.path().join("clients.json"), clients.to_string()).unwrap();
        self.app.apis[0].signal("HUP");
        eventually(SOON, "a new list", async || (read() > before).then_some(())).await;
    }

    fn client(&self) -> &Client {
        self.app.client()
    }

    fn browser(&self) -> Browser {
        Browser { client: self.client().clone(), cookies: BTreeMap::new() }
    }

    /// A browser whose user has signed in at the service's own page.
    async fn signed_in(&self) -> (Browser, SignedIn) {
        let mut browser = self.browser();
        let user = browser.sign_in(sessions::NUMBER).await;
        (browser, user)
    }
}

/// What keeps cookies, and follows nothing by itself.
#[derive(Clone)]
struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        let all = headers.iter().copied().chain([("cookie", &*cookies)]);
        let all = all.filter(|(_, value)| !value.is_empty()).map(|(name, value)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap())
        });
        let answer = self.client.send(method, path, all.collect::<HeaderMap>(), body).await;
        for set in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = set.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0;") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], String::new()).await
    }

    /// A form that a page of another site posts: no cookie goes with it.
    async fn post_from_elsewhere(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let headers =
            [("content-type", FORM), ("sec-fetch-site", "cross-site"), ("origin", "null")];
        let mut stranger = Self { client: self.client.clone(), cookies: BTreeMap::new() };
        stranger.send(Method::POST, path, &headers, encoded(form)).await
    }

    /// A form of the service's own page.
    async fn post_own(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let headers = [("content-type", FORM), ("sec-fetch-site", "same-origin")];
        self.send(Method::POST, path, &headers, encoded(form)).await
    }

    /// Signs in as the sign-in page does.
    async fn sign_in(&mut self, number: &str) -> SignedIn {
        let user = SignedIn::with(&self.client, number, "browser").await;
        let bearer = format!("Bearer {}", user.token());
        let headers = [("authorization", &*bearer), ("sec-fetch-site", "same-origin")];
        self.send(Method::POST, "/session", &headers, String::new()).await.expect(204);
        user
    }

    /// What the sign-in page is told.
    async fn told(&mut self, request: &str) -> Value {
        let path = format!("/session?request={request}");
        let headers = [("sec-fetch-site", "same-origin")];
        self.send(Method::GET, &path, &headers, String::new()).await.expect(200).body
    }

    async fn authorize(&mut self, parameters: &[(&str, &str)]) -> Answer {
        self.get(&format!("{AUTHORIZE}?{}", encoded(parameters))).await
    }

    async fn go_on(&mut self, request: &str) -> Answer {
        self.get(&format!("/oauth/continue?request={request}")).await
    }

    /// A code for a client, of the session that the browser has.
    async fn code(&mut self, rp: Rp) -> String {
        let answer = self.authorize(&asking(rp)).await;
        parameters(&answer, rp.redirect_uri)["code"].clone()
    }

    /// A client's tokens, of the session that the browser has.
    async fn tokens(&mut self, rp: Rp) -> Value {
        let code = self.code(rp).await;
        redeem(&self.client, rp, &code).await.expect(200).body
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn encoded(form: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

/// What a client asks for usually.
fn asking(rp: Rp) -> Vec<(&'static str, &'static str)> {
    vec![
        ("response_type", "code"),
        ("client_id", rp.id),
        ("redirect_uri", rp.redirect_uri),
        ("scope", "openid profile phone email"),
        ("state", "a state&more"),
        ("nonce", "a nonce"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

/// The same with one parameter added, changed or, where it is empty, left out.
fn asking_with(
    rp: Rp,
    changes: &[(&'static str, &'static str)],
) -> Vec<(&'static str, &'static str)> {
    let names: Vec<_> = changes.iter().map(|(name, _)| *name).collect();
    let mut all = asking(rp);
    all.retain(|(name, _)| !names.contains(name));
    all.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    all
}

/// Asserts that a browser is led to that URI; returns what is added to its query.
#[track_caller]
fn parameters(answer: &Answer, to: &str) -> BTreeMap<String, String> {
    assert_eq!(answer.status, 303, "{answer:?}");
    let location = answer.header("location");
    let added = location.strip_prefix(to).unwrap_or_else(|| panic!("to {to}: {location}"));
    let query = added.trim_start_matches(['?', '&']);
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// Asserts that a browser is led to the sign-in page; returns the id of the request.
#[track_caller]
fn sign_in_page(answer: &Answer) -> String {
    parameters(answer, &format!("{ISSUER}/"))["request"].clone()
}

/// Asserts a page for people with that status.
#[track_caller]
fn is_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.header("content-type").starts_with("text/html"), "{answer:?}");
    assert_eq!(answer.header("location"), "", "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
    assert_eq!(answer.header("x-frame-options"), "DENY", "{answer:?}");
    let policy = answer.header("content-security-policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.split("; ").any(|one| one == part), "{policy}");
    }
}

/// What a client posts for a code.
fn redemption(rp: Rp, code: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", rp.redirect_uri),
        ("code_verifier", VERIFIER),
    ]
}

/// Posts that as the client usually says who it is.
async fn redeem_form(client: &Client, rp: Rp, mut form: Vec<(&'static str, &str)>) -> Answer {
    let authorization = rp.secret.map(|secret| basic((rp.id, secret)));
    if authorization.is_none() {
        form.push(("client_id", rp.id));
    }
    post(client, TOKEN, authorization.as_deref(), &form).await
}

async fn redeem(client: &Client, rp: Rp, code: &str) -> Answer {
    redeem_form(client, rp, redemption(rp, code)).await
}

async fn user_info(client: &Client, token: &str) -> Answer {
    client.get(USER_INFO, Some(&format!("Bearer {token}"))).await
}

/// Asserts that no access token is live any more.
async fn is_dead(client: &Client, token: &str) {
    let answer = user_info(client, token).await;
    assert_eq!((answer.status, &answer.body["error"]), (401, &json!("invalid_token")));
}

/// Asserts an error as RFC 6749, 5.2, has it.
#[track_caller]
fn is_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.body["error"], code, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
}

/// The claims of an ID token, once its signature is checked by the published keys.
async fn id_token(client: &Client, tokens: &Value) -> Value {
    let (header, claims) = claims_of(client, tokens["id_token"].as_str().unwrap()).await;
    assert_eq!(header["typ"], "JWT");
    claims
}

/// Header and claims of a JWT, once its signature is checked by the published keys.
async fn claims_of(client: &Client, jwt: &str) -> (Value, Value) {
    let parts: Vec<&str> = jwt.split('.').collect();
    let bytes = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).unwrap();
    let header: Value = serde_json::from_slice(&bytes(parts[0])).unwrap();
    assert_eq!(header["alg"], "RS256");
    let keys = client.get("/oauth/jwks", None).await.expect(200).body["keys"].clone();
    let key = keys.as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let member = |name: &str| bytes(key[name].as_str().unwrap());
    let signed = format!("{}.{}", parts[0], parts[1]);
    PublicKeyComponents { n: member("n"), e: member("e") }
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &bytes(parts[2]))
        .unwrap();
    (header, serde_json::from_slice(&bytes(parts[1])).unwrap())
}
