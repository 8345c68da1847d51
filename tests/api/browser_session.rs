//! A browser's session: the cookie of the sign-in page, who may set it, what it opens, and where a
//! browser without one is led.

use http::{HeaderMap, HeaderName, Method};
use serde_json::json;

use super::sessions::{NUMBER, OTHER_NUMBER, SignedIn, plan};
use crate::support::app::{App, Plan};
use crate::support::client::Answer;

const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");
const HTML: (&str, &str) = ("accept", "text/html,*/*;q=0.8");

async fn ask(app: &App, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let headers = headers.iter().map(|(name, value)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap())
    });
    let headers: HeaderMap = headers.collect();
    app.client().send(method, path, headers, "").await
}

fn bearer(one: &SignedIn) -> String {
    format!("Bearer {}", one.token())
}

/// Makes a browser hold the session; returns its cookie as browsers send it.
async fn keep(app: &App, one: &SignedIn) -> String {
    let headers = [OWN, ("authorization", &*bearer(one))];
    let answer = ask(app, Method::POST, "/session", &headers).await.expect(204);
    answer.header("set-cookie").split_once(';').unwrap().0.to_owned()
}

async fn verify(app: &App, cookie: &str) -> Answer {
    ask(app, Method::GET, "/auth/verify", &[("cookie", cookie)]).await
}

fn redirecting() -> Plan {
    plan(1).set("PUBLIC_URL", "https://signin.example.com").set("SIGN_IN_REDIRECT", "on")
}

#[async_test]
async fn a_cookie_opens_what_gateways_ask_and_no_operation() {
    let app = plan(1).start().await;
    let asha = SignedIn::with(app.client(), NUMBER, "browser").await;
    let cookie = keep(&app, &asha).await;
    assert!(cookie.starts_with("cheershare=") && !cookie.contains(asha.token()), "{cookie}");
    let told = verify(&app, &cookie).await.expect(200);
    assert_eq!(told.header("x-user-phone-number"), NUMBER);
    assert_eq!(told.header("x-session-id"), asha.session_id().await);
    for (method, path) in [
        (Method::GET, "/protected"),
        (Method::GET, "/me"),
        (Method::PATCH, "/me"),
        (Method::GET, "/tokens"),
        (Method::DELETE, "/tokens"),
        (Method::DELETE, "/tokens/current"),
        (Method::POST, "/tokens/current/renewal"),
        (Method::POST, "/me/deletion"),
    ] {
        let headers = [("cookie", &*cookie), OWN, ("content-type", "application/json")];
        ask(&app, method, path, &headers).await.expect_code(401, "unauthorized");
    }
    // Where there is a header, it decides.
    for header in ["Bearer ABCDEFGHIJKLMNOPQRSTUVWXYZ", "Basic YTpi", ""] {
        let headers = [("cookie", &*cookie), ("authorization", header), HTML];
        let answer = ask(&app, Method::GET, "/auth/verify", &headers).await;
        answer.expect_code(401, "invalid_authorization_header");
    }
    let ravi = SignedIn::with(app.client(), OTHER_NUMBER, "phone").await;
    let headers = [("cookie", &*cookie), ("authorization", &*bearer(&ravi))];
    let answer = ask(&app, Method::GET, "/auth/verify", &headers).await.expect(200);
    assert_eq!(answer.header("x-user-phone-number"), OTHER_NUMBER);
}

#[async_test]
async fn it_ends_with_its_session_and_goes_on_with_a_renewed_one() {
    let app = plan(1).start().await;
    let asha = SignedIn::with(app.client(), NUMBER, "browser").await;
    let old = keep(&app, &asha).await;
    let renewed = asha.call(Method::POST, "/tokens/current/renewal", None).await.expect(200);
    verify(&app, &old).await.expect_code(401, "unauthorized");
    let asha = asha.holding(renewed.token());
    let cookie = keep(&app, &asha).await;
    verify(&app, &cookie).await.expect(200);
    asha.delete("/tokens/current").await.expect(204);
    verify(&app, &cookie).await.expect_code(401, "unauthorized");
    // A dead cookie tells nothing, and can be cleared all the same.
    let shown = ask(&app, Method::GET, "/session", &[OWN, ("cookie", &cookie)]).await.expect(200);
    assert_eq!(shown.body, json!({"data": null}));
    ask(&app, Method::DELETE, "/session", &[OWN, ("cookie", &cookie)]).await.expect(204);
}

#[async_test]
async fn a_new_sign_in_ends_the_session_that_the_browser_held() {
    let app = plan(1).start().await;
    let [old, new, phone] = [
        SignedIn::with(app.client(), NUMBER, "browser").await,
        SignedIn::with(app.client(), NUMBER, "browser").await,
        SignedIn::with(app.client(), NUMBER, "phone").await,
    ];
    let cookie = keep(&app, &old).await;
    let begin = async |cookie: &str, one: &SignedIn| {
        let headers = [OWN, ("cookie", cookie), ("authorization", &*bearer(one))];
        ask(&app, Method::POST, "/session", &headers).await.expect(204)
    };
    // The same one again is no other one.
    begin(&cookie, &old).await;
    old.is_in().await;
    begin(&cookie, &new).await;
    old.is_out().await;
    new.is_in().await;
    phone.is_in().await;
    // Nor does somebody end what another user has.
    let cookie = keep(&app, &new).await;
    let ravi = SignedIn::with(app.client(), OTHER_NUMBER, "browser").await;
    begin(&cookie, &ravi).await;
    new.is_in().await;
}

#[async_test]
async fn signing_out_ends_what_the_page_and_the_browser_hold() {
    let app = plan(1).start().await;
    let [here, elsewhere, phone] = [
        SignedIn::with(app.client(), NUMBER, "browser").await,
        SignedIn::with(app.client(), NUMBER, "browser").await,
        SignedIn::with(app.client(), NUMBER, "phone").await,
    ];
    let cookie = keep(&app, &elsewhere).await;
    let shown = ask(&app, Method::GET, "/session", &[OWN, ("cookie", &cookie)]).await.expect(200);
    assert_eq!(shown.body, json!({"data": {"name": "Asha", "phone_number": NUMBER}}));
    let headers = [OWN, ("cookie", &*cookie), ("authorization", &*bearer(&here))];
    let answer = ask(&app, Method::DELETE, "/session", &headers).await.expect(204);
    let cleared = "cheershare=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax";
    assert_eq!(answer.header("set-cookie"), cleared);
    for one in [&here, &elsewhere] {
        one.is_out().await;
    }
    verify(&app, &cookie).await.expect_code(401, "unauthorized");
    phone.is_in().await;
    // By the cookie alone, from a tab without a token.
    let cookie = keep(&app, &phone).await;
    ask(&app, Method::DELETE, "/session", &[OWN, ("cookie", &cookie)]).await.expect(204);
    phone.is_out().await;
    // Whoever has nothing is signed out already.
    ask(&app, Method::DELETE, "/session", &[OWN]).await.expect(204);
}

/// A page of an attacker's would sign its visitors in as the attacker, or out.
#[async_test]
async fn no_foreign_page_sets_reads_or_clears_it() {
    let app = plan(1).start().await;
    let mallory = SignedIn::with(app.client(), NUMBER, "browser").await;
    let cookie = keep(&app, &mallory).await;
    let token = bearer(&mallory);
    for source in [
        &[][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", "https://app.example.com")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://app.example.com")],
        &[("origin", "null")],
    ] {
        for method in [Method::POST, Method::DELETE, Method::GET] {
            let headers = [source, &[("authorization", &*token), ("cookie", &*cookie)]].concat();
            let answer = ask(&app, method, "/session", &headers).await;
            assert_eq!(answer.body["code"], "foreign_page", "{source:?} {answer:?}");
            assert_eq!((answer.status, answer.header("set-cookie")), (403, ""));
        }
    }
    verify(&app, &cookie).await.expect(200);
    // A form has no header, and the cookie is no token.
    let form = [OWN, ("cookie", &*cookie), ("content-type", "application/x-www-form-urlencoded")];
    ask(&app, Method::POST, "/session", &form).await.expect_code(401, "unauthorized");
    // Without Fetch metadata the origin has to be the one that was asked.
    let own = format!("http://{}", app.client().address());
    let headers = [("origin", &*own), ("authorization", &*token)];
    assert_eq!(ask(&app, Method::POST, "/session", &headers).await.status, 204);
}

/// What a sibling domain, or a page by http, can put beside the browser's own cookie.
#[async_test]
async fn cookies_of_others_are_not_taken() {
    let app = redirecting().start().await;
    let asha = SignedIn::with(app.client(), NUMBER, "browser").await;
    let mallory = SignedIn::with(app.client(), OTHER_NUMBER, "browser").await;
    let [own, theirs] = [keep(&app, &asha).await, keep(&app, &mallory).await];
    assert!(own.starts_with("__Host-cheershare="), "{own}");
    let value = theirs.split_once('=').unwrap().1;
    for (cookies, is_in) in [
        (own.clone(), true),
        (format!("cheershare={value}; {own}"), true),
        (format!("__Secure-cheershare={value}; {own}; a=b"), true),
        (format!("{theirs}; {own}"), false),
        (format!("{own}; {theirs}"), false),
        (format!("{own}; __Host-cheershare="), false),
        (format!("cheershare={value}"), false),
        (format!("__Secure-cheershare={value}"), false),
        (format!("__host-cheershare={value}"), false),
        (format!("__Host-cheershare={}", mallory.token()), false),
        (format!("{own}x"), false),
    ] {
        let answer = verify(&app, &cookies).await;
        if is_in {
            assert_eq!(answer.expect(200).header("x-user-phone-number"), NUMBER, "{cookies}");
        } else {
            answer.expect_code(401, "unauthorized");
        }
    }
}

#[async_test]
async fn its_attributes_follow_the_settings() {
    let secure = "Path=/; HttpOnly; SameSite=Lax; Secure";
    for (settings, name, attributes) in [
        (&[][..], "cheershare", "Path=/; HttpOnly; SameSite=Lax".to_owned()),
        (
            &[("PUBLIC_URL", "http://localhost:4000")],
            "cheershare",
            "Path=/; HttpOnly; SameSite=Lax".to_owned(),
        ),
        (&[("PUBLIC_URL", "https://signin.example.com")], "__Host-cheershare", secure.to_owned()),
        (
            &[("PUBLIC_URL", "https://signin.example.com"), ("COOKIE_DOMAIN", "example.com")],
            "__Host-cheershare",
            secure.to_owned(),
        ),
        (
            &[("APP_ENV", "production"), ("TRUSTED_PROXIES", "none"), ("SIGN_IN_PAGE", "on")],
            "__Host-cheershare",
            secure.to_owned(),
        ),
    ] {
        let mut plan = Plan::new().set("TOKEN_TTL_HOURS", "2");
        for (name, value) in settings {
            plan = plan.set(name, value);
        }
        let app = plan.start().await;
        let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
        let headers = [OWN, ("authorization", &*format!("Bearer {token}"))];
        let answer = ask(&app, Method::POST, "/session", &headers).await.expect(204);
        let set = answer.header("set-cookie").to_owned();
        assert!(set.starts_with(&format!("{name}=")), "{set}");
        let (_, rest) = set.split_once("; Max-Age=").unwrap();
        let (life, rest) = rest.split_once("; ").unwrap();
        assert_eq!(rest, attributes);
        assert!((7_100..=7_200).contains(&life.parse::<u64>().unwrap()), "{set}");
    }
    // It is the page's own, and there is none where there is no page.
    let app = plan(1).set("SIGN_IN_PAGE", "off").start().await;
    ask(&app, Method::POST, "/session", &[OWN]).await.expect_code(404, "not_found");
}

/// Whoever has a host below the domain gets the cookie for apps, and enters nothing else by it.
#[async_test]
async fn apps_of_the_domain_get_a_cookie_of_their_own() {
    let app = redirecting().set("COOKIE_DOMAIN", "example.com").start().await;
    let asha = SignedIn::with(app.client(), NUMBER, "browser").await;
    let headers = [OWN, ("authorization", &*bearer(&asha))];
    let set = ask(&app, Method::POST, "/session", &headers).await.expect(204);
    let [own, shared] = cookies(&set);
    assert!(own.starts_with("__Host-cheershare=") && shared.starts_with("__Secure-cheershare="));
    verify(&app, &shared).await.expect(200);
    verify(&app, &own).await.expect_code(401, "unauthorized");
    let shown = async |cookie: &str| {
        ask(&app, Method::GET, "/session", &[OWN, ("cookie", cookie)]).await.expect(200).body
    };
    assert_eq!(shown(&own).await["data"]["phone_number"], NUMBER);
    assert!(shown(&shared).await["data"].is_null());
    let value = shared.split_once('=').unwrap().1;
    assert!(shown(&format!("__Host-cheershare={value}")).await["data"].is_null());

    let headers = [OWN, ("cookie", &*shared)];
    let cleared = ask(&app, Method::DELETE, "/session", &headers).await.expect(204);
    assert_eq!(cookies(&cleared), ["__Host-cheershare=", "__Secure-cheershare="]);
    verify(&app, &shared).await.expect_code(401, "unauthorized");
}

/// Both cookies that an answer sets, without their attributes.
fn cookies(answer: &Answer) -> [String; 2] {
    let set = answer.headers.get_all("set-cookie").iter();
    let set: Vec<_> =
        set.map(|set| set.to_str().unwrap().split_once(';').unwrap().0.to_owned()).collect();
    set.try_into().unwrap()
}

#[async_test]
async fn a_browser_that_is_not_signed_in_is_led_to_the_page() {
    let app = redirecting().start().await;
    let from = [
        HTML,
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-uri", "/a?b=c&d=%20"),
    ];
    let page = "https://signin.example.com/";
    let there = format!("{page}?return_to=https%3A%2F%2Fapp.example.com%2Fa%3Fb%3Dc%26d%3D%2520");
    for cookie in [None, Some(("cookie", "__Host-cheershare=x"))] {
        let headers: Vec<_> = from.into_iter().chain(cookie).collect();
        let answer = ask(&app, Method::GET, "/auth/verify/x", &headers).await;
        assert_eq!((answer.status, answer.header("location")), (302, &*there), "{answer:?}");
        assert_eq!((answer.header("cache-control"), &*answer.text), ("no-store", ""));
    }
    // What a header holds is one word of the page's address, whoever sent it.
    for (told, expected) in [
        (
            "https://evil.example/#@signin.example.com",
            "https%3A%2F%2Fevil.example%2F%23%40signin.example.com",
        ),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("//evil.example", "%2F%2Fevil.example"),
        ("\\\\evil.example&return_to=a\t", "%5C%5Cevil.example%26return_to%3Da"),
    ] {
        let headers = [HTML, ("x-original-url", told)];
        let answer = ask(&app, Method::GET, "/auth/verify", &headers).await;
        assert_eq!(answer.header("location"), format!("{page}?return_to={expected}"));
    }
    // Programs, and forms that would lose what was typed, get an error.
    for headers in [
        &[("accept", "application/json")][..],
        &[HTML, ("x-forwarded-method", "POST")],
        &[HTML, ("authorization", "Bearer ABCDEFGHIJKLMNOPQRSTUVWXYZ")],
    ] {
        assert_eq!(
            ask(&app, Method::GET, "/auth/verify", headers).await.status,
            401,
            "{headers:?}"
        );
    }
    // It is off unless it is asked for.
    let app = plan(1).start().await;
    assert_eq!(ask(&app, Method::GET, "/auth/verify", &from).await.status, 401);
}
