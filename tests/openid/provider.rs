//! Where the provider is, and what discovery says of it.

use serde_json::json;

use super::{DISCOVERY, ISSUER, Provider, clients};
use crate::documentation::project;
use crate::support::app::{Plan, SOON};
use crate::support::process::Process;
use crate::support::settings::{OTP_SECRET, Settings};

const PATHS: [&str; 5] =
    [DISCOVERY, "/oauth/authorize", "/oauth/continue", "/oauth/userinfo", "/oauth/end_session"];

#[async_test]
async fn without_a_public_url_or_a_page_the_routes_are_not_there() {
    for plan in [
        Plan::new(),
        Plan::new().set("PUBLIC_URL", ISSUER).set("SIGN_IN_PAGE", "off"),
        // No keys.
        Plan::new()
            .set("PUBLIC_URL", ISSUER)
            .set("APP_ENV", "production")
            .set("TRUSTED_PROXIES", "none")
            .set("SIGN_IN_PAGE", "on"),
    ] {
        let app = plan.workers(0).start().await;
        for path in PATHS {
            app.client().get(path, None).await.expect_code(404, "not_found");
        }
        app.client().post("/oauth/token", &json!({})).await.expect_code(404, "not_found");
    }
}

#[async_test]
async fn discovery_says_what_there_is() {
    let provider = Provider::start().await;
    let answer = provider.client().get(DISCOVERY, None).await.expect(200);
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let told = &answer.body;
    for (field, value) in [
        ("issuer", json!(ISSUER)),
        ("authorization_endpoint", json!(format!("{ISSUER}/oauth/authorize"))),
        ("token_endpoint", json!(format!("{ISSUER}/oauth/token"))),
        ("userinfo_endpoint", json!(format!("{ISSUER}/oauth/userinfo"))),
        ("end_session_endpoint", json!(format!("{ISSUER}/oauth/end_session"))),
        ("jwks_uri", json!(format!("{ISSUER}/oauth/jwks"))),
        ("introspection_endpoint", json!(format!("{ISSUER}/oauth/introspect"))),
        ("revocation_endpoint", json!(format!("{ISSUER}/oauth/revoke"))),
        ("response_types_supported", json!(["code"])),
        ("response_modes_supported", json!(["query", "form_post"])),
        ("grant_types_supported", json!(["authorization_code"])),
        ("subject_types_supported", json!(["public"])),
        ("id_token_signing_alg_values_supported", json!(["RS256"])),
        ("scopes_supported", json!(["openid", "profile", "phone", "email"])),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("authorization_response_iss_parameter_supported", json!(true)),
        ("request_uri_parameter_supported", json!(false)),
    ] {
        assert_eq!(told[field], value, "{field}");
    }
    // What it names is there.
    for (name, url) in told.as_object().unwrap() {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let path = url.as_str().unwrap().strip_prefix(ISSUER).unwrap();
            assert_ne!(provider.client().get(path, None).await.status, 404, "{name}");
        }
    }
    let answer = provider.client().post(DISCOVERY, &json!({})).await;
    assert_eq!(answer.header("allow"), "GET, HEAD");
    answer.expect_code(405, "method_not_allowed");
}

#[async_test]
async fn a_public_url_that_is_no_issuer_keeps_the_api_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clients.json");
    std::fs::write(&path, clients().to_string()).unwrap();
    let key = project().join("tests/support/keys/rsa.pem");
    for (environment, url, told) in [
        (
            "development",
            "https://example.com/auth",
            "PUBLIC_URL: may have no path where CLIENTS_FILE has redirect_uris",
        ),
        (
            "production",
            "http://signin.example.com",
            "PUBLIC_URL: has to start with https:// when APP_ENV=production, but for this machine \
             itself",
        ),
    ] {
        let settings: Settings = [
            ("PORT", "0"),
            ("METRICS_ADDR", "off"),
            ("APP_ENV", environment),
            ("DATABASE_URL", "sqlite::memory:"),
            ("OTP_SECRET", OTP_SECRET),
            ("REDIS_URL", "redis://127.0.0.1:1"),
            ("SIGN_IN_PAGE", "on"),
            ("TRUSTED_PROXIES", "none"),
            ("SIGNING_KEY_FILES", key.to_str().unwrap()),
            ("CLIENTS_FILE", path.to_str().unwrap()),
            ("PUBLIC_URL", url),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let mut api = Process::spawn("api", "api", &[], &settings, folder.path());
        assert_eq!(api.ended(SOON).await.code(), Some(2));
        assert_eq!(api.stderr().trim_end(), told);
    }
}

#[async_test]
async fn clients_that_users_cannot_sign_in_to_keep_the_api_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clients.json");
    std::fs::write(&path, clients().to_string()).unwrap();
    let mut settings: Settings = [
        ("PORT", "0"),
        ("METRICS_ADDR", "off"),
        ("REDIS_URL", "redis://127.0.0.1:1"),
        ("SIGN_IN_PAGE", "off"),
        ("CLIENTS_FILE", path.to_str().unwrap()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for (change, missing) in [
        (("SIGN_IN_PAGE", "off"), &["PUBLIC_URL", "SIGN_IN_PAGE=on"][..]),
        (("PUBLIC_URL", ISSUER), &["SIGN_IN_PAGE=on"]),
    ] {
        settings.insert(change.0.to_owned(), change.1.to_owned());
        let mut api = Process::spawn("api", "api", &[], &settings, folder.path());
        assert_eq!(api.ended(SOON).await.code(), Some(2));
        let told: Vec<String> = api.stderr().lines().map(str::to_owned).collect();
        let expected: Vec<String> = missing
            .iter()
            .map(|name| format!("CLIENTS_FILE: has redirect_uris, which need {name}"))
            .collect();
        assert_eq!(told, expected);
    }
}
