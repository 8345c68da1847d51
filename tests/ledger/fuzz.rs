//! Anything at all for the parsers. Each property runs with some hundred inputs; `PROPTEST_CASES`
//! makes it more.

use std::collections::HashSet;

use common::domain::phone::{Country, PhoneNumber};
use http::HeaderValue;
use poem::http::Method;
use poem::{Body, Request};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use super::NUMBER;
use crate::support::client::Answer;
use crate::support::in_process::{InProcess, Setup};

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })
}

fn country() -> impl Strategy<Value = Country> {
    let codes = ["IN", "US", "GB", "DE", "IT", "RU", "BR", "CI", "SG", "HU"];
    prop::sample::select(codes.to_vec()).prop_map(|code| code.parse().unwrap())
}

/// Mostly what a phone number could look like.
fn number_like() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "(tel:)?\\+?(00)?[0-9 ()./-]{1,24}",
        2 => "\\+(1|7|39|44|49|86|91|225|241|979)[0-9]{6,13}",
        1 => "[+0-9;a-z=]{0,30}",
        1 => any::<String>(),
    ]
}

#[test]
fn a_number_is_refused_or_read_for_good() {
    let property = |(text, country): (String, Country)| {
        let Ok(number) = PhoneNumber::parse(&text, country) else { return Ok(()) };
        let e164 = number.e164().as_str();
        let digits = e164.strip_prefix('+').unwrap_or_default();
        prop_assert!((7..=15).contains(&digits.len()) && !digits.starts_with('0'), "{e164}");
        prop_assert!(digits.bytes().all(|digit| digit.is_ascii_digit()), "{e164}");
        for elsewhere in ["IN", "US"] {
            let again = PhoneNumber::parse(e164, elsewhere.parse().unwrap());
            prop_assert_eq!(again.as_ref(), Ok(&number), "{} in {}", e164, elsewhere);
        }
        let shown = format!("{number} {number:?}");
        prop_assert!(!shown.contains(digits), "{}", shown);
        Ok(())
    };
    runner().run(&(number_like(), country()), property).unwrap();
}

/// Blanks and signs between the digits make no other number, so no other ledger.
#[test]
fn punctuation_makes_no_other_number() {
    // Without those whose first two digits could be the calling code of a shorter number.
    let digits = "([6-8][0-9]|9[02-9])[0-9]{8}";
    let property = |(digits, seed, prefix): (String, Vec<u8>, &str)| {
        let plain = PhoneNumber::parse(&format!("+91{digits}"), "IN".parse().unwrap());
        let signs = ["", " ", "-", ".", "  ", "\u{2212}", "\t", "\u{200e}"];
        let between = digits
            .chars()
            .zip(&seed)
            .map(|(digit, n)| format!("{digit}{}", signs[usize::from(*n) % 8]));
        let spelled = format!("{prefix}{}", between.collect::<String>());
        prop_assert_eq!(PhoneNumber::parse(&spelled, "IN".parse().unwrap()), plain, "{}", spelled);
        Ok(())
    };
    let prefix =
        prop::sample::select(vec!["", "0", "+91", "+91 ", "0091", "+91 0", "(+91) ", "tel:+91-"]);
    runner().run(&(digits, prop::collection::vec(any::<u8>(), 10), prefix), property).unwrap();
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|fields| Map::from_iter(fields).into()),
        ]
    })
}

/// A field of the documented body: most often right, or nearly right, or anything, or (so often out
/// of ten times) missing.
fn field(usual: &'static [&'static str], missing: u32) -> impl Strategy<Value = Option<Value>> {
    let text = prop_oneof![
        7 => prop::sample::select(usual).prop_map(str::to_owned),
        1 => number_like(),
        1 => any::<String>(),
    ];
    let given = prop_oneof![9 => text.prop_map(Value::from), 1 => any_json()];
    prop::option::weighted(1.0 - f64::from(missing) / 10.0, given)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let fields = (
        field(&[NUMBER, "98765 43210", "+12025550143", "+919999999999"], 1),
        field(&["Asha", " ", "\u{905}\u{928}"], 1),
        field(&["471100", "123456", "1234"], 5),
        prop::option::weighted(0.1, (any::<String>(), any_json())),
    );
    let documented = fields.prop_map(|(number, name, otp, other)| {
        let fields = [("phone_number", number), ("name", name), ("otp", otp)];
        let fields = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        Value::from(Map::from_iter(fields.chain(other))).to_string().into_bytes()
    });
    let documented = documented.boxed();
    prop_oneof![
        6 => documented.clone(),
        2 => (documented, any::<prop::sample::Index>()).prop_map(|(mut body, at)| {
            body.truncate(at.index(body.len()));
            body
        }),
        1 => any_json().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..300),
    ]
}

/// Bytes that HTTP lets stand in a header.
fn header() -> impl Strategy<Value = HeaderValue> {
    let bytes = prop_oneof![
        "Bearer [A-Z2-7]{26}".prop_map(String::into_bytes),
        "([0-9.:a-f\\[\\]]{0,40}, ?){0,5}".prop_map(String::into_bytes),
        prop::collection::vec(prop_oneof![Just(b'\t'), 32..127_u8, 128..=255_u8], 0..100),
    ];
    bytes.prop_map(|bytes| HeaderValue::from_bytes(&bytes).unwrap())
}

/// An app that has seen a test number ask, and answers what HTTP can say.
fn start(runtime: &Runtime) -> InProcess {
    let setup = Setup::defaults().set("TEST_NUMBERS", "+919999999999=471100@2027-12-31");
    runtime.block_on(setup.start())
}

fn is_an_answer(answer: &Answer) -> Result<(), TestCaseError> {
    prop_assert!(
        [200, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429].contains(&answer.status),
        "{:?}",
        answer
    );
    prop_assert_eq!(answer.header("vary"), "Authorization");
    let said = if answer.status == 200 { &answer.body["message"] } else { &answer.body["code"] };
    prop_assert!(said.is_string(), "{:?}", answer);
    Ok(())
}

#[test]
fn any_body_gets_an_answer() {
    let runtime = Runtime::new().unwrap();
    let app = start(&runtime);
    let statuses = std::cell::RefCell::new(HashSet::new());
    let property = |body: Vec<u8>| {
        let answer = runtime.block_on(app.at("203.0.113.7").post(body));
        statuses.borrow_mut().insert(answer.status);
        is_an_answer(&answer)
    };
    runner().run(&body(), property).unwrap();
    let statuses = statuses.into_inner();
    // Each of them comes about once in ten times.
    assert!([200, 400, 401].iter().all(|status| statuses.contains(status)), "{statuses:?}");
}

#[test]
fn any_headers_get_an_answer() {
    let runtime = Runtime::new().unwrap();
    let app = start(&runtime);
    let names = [
        "authorization",
        "content-type",
        "x-forwarded-for",
        "forwarded",
        "idempotency-key",
        "accept",
    ];
    let headers = prop::collection::vec((prop::sample::select(names.to_vec()), header()), 0..6);
    let paths = prop::sample::select(vec!["/signup", "/protected", "/healthz", "/nothing"]);
    let methods = prop::sample::select(vec![Method::GET, Method::POST, Method::PUT]);
    let property = |(headers, path, method): (Vec<(&str, HeaderValue)>, &str, Method)| {
        let mut request =
            Request::builder().method(method).uri_str(path).content_type("application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let body = Body::from(format!(r#"{{"phone_number":"{NUMBER}","name":"Asha"}}"#));
        let answer = runtime.block_on(app.call(request.body(body)));
        if path == "/healthz" && answer.status == 200 {
            return Ok(());
        }
        is_an_answer(&answer)
    };
    runner().run(&(headers, paths, methods), property).unwrap();
}
