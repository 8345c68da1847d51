//! What cannot be a phone number is a client's mistake, never the server's.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::in_process::Setup;
use crate::support::numbers::address;

/// Countries whose numbers have at least seven digits after the country code.
const COUNTRY_CODES: [u16; 20] =
    [1, 7, 20, 27, 30, 31, 33, 34, 39, 41, 44, 49, 55, 61, 65, 81, 86, 91, 234, 971];

fn too_short() -> impl Iterator<Item = String> {
    COUNTRY_CODES
        .into_iter()
        .flat_map(|code| [format!("+{code}"), format!("+{code}12"), format!("00{code}9")])
}

fn too_long() -> impl Iterator<Item = String> {
    COUNTRY_CODES
        .into_iter()
        .flat_map(|code| [format!("+{code}98765432109876"), format!("+{code} {}", "9".repeat(40))])
}

/// Country codes that nobody has.
fn unassigned() -> impl Iterator<Item = String> {
    [0, 210, 214, 259, 280, 384, 422, 671, 696, 802, 830, 851, 890, 967_000, 990, 997, 999]
        .into_iter()
        .map(|code| format!("+{code}9876543210"))
}

/// Signs that are in no spelling of a number, at its begin, its end and within.
fn strange_signs() -> impl Iterator<Item = String> {
    let signs = [
        '\0',
        '\u{7}',
        '\u{1b}',
        '\u{7f}',
        '\u{202e}',
        '\u{fffd}',
        '\u{1f600}',
        'A',
        'o',
        'l',
        'é',
        'ß',
        'x',
        '#',
        '*',
        ':',
        '=',
        '?',
        '!',
        '@',
        '%',
        '&',
        '$',
        '\'',
        '"',
        '`',
        '\\',
        '|',
        '<',
        '>',
        '{',
        '}',
        '[',
        ']',
        '~',
        '^',
        '_',
        '\u{966}',
        '\u{660}',
        '\u{2460}',
        '½',
    ];
    signs.into_iter().flat_map(|sign| {
        [
            format!("{sign}+919876543210"),
            format!("+9198765{sign}43210"),
            format!("+919876543210{sign}"),
        ]
    })
}

fn others() -> impl Iterator<Item = String> {
    let written = [
        "+",
        "++",
        "+ +",
        "-",
        "()",
        "(((((((",
        ".",
        "/",
        " ",
        "   ",
        "\t",
        "0",
        "00",
        "000000000000",
        "+0",
        "+00",
        "+0000000000",
        "1",
        "12",
        "123",
        "12345",
        "98765\n43210",
        "98765 4321",
        "+91 98765 4321",
        "98765432101",
        "0123456789",
        "null",
        "undefined",
        "NaN",
        "true",
        "1e10",
        "0x9876543210",
        "9.876543210e9",
        "-9876543210",
        "+91-98765-43210 ext. 5",
        "+91-98765-43210;ext=5",
        "tel:",
        "tel:+",
        "tel:+91",
        "TEL:",
        "tel:tel:9876543210",
        ",+919876543210",
        "+9198765,43210",
        ";+919876543210",
        "+9198765;43210",
        "\u{200b}",
        "\u{feff}\u{ad}",
        "tel:98765;phone-context=+91",
        ";phone-context=+91",
        "+dwPAA;phone-context=AA",
        "sip:9876543210@example.org",
        "whatsapp:+919876543210",
        "mailto:a@example.org",
        "a@example.org",
        "https://example.org/9876543210",
        "+919876543210,+919876543211",
        "+919876543210 +919876543211",
        "9876543210 9876543211",
        "98765+43210",
        "+91+9876543210",
        "{}",
        "[]",
        "' OR 1=1 --",
        "../../etc/passwd",
        "%00",
        "\\u0000",
        "$(id)",
        "+1800FLOWERS",
        "1-800-FLOWERS",
        "नौ आठ सात छह पाँच",
        "\u{260e}",
    ];
    let long = [
        "9".repeat(65),
        "9".repeat(5_000),
        "+".repeat(64),
        " ".repeat(5_000),
        "\u{fdfa}".repeat(21),
    ];
    written.into_iter().map(str::to_owned).chain(long)
}

#[async_test]
async fn hundreds_of_invalid_numbers_of_many_kinds() {
    let app = Setup::defaults().set("ALLOWED_COUNTRIES", "*").start().await;
    let client = app.at(&address(0));
    let invalid: BTreeSet<String> = too_short()
        .chain(too_long())
        .chain(unassigned())
        .chain(strange_signs())
        .chain(others())
        .collect();
    assert!(invalid.len() >= 200, "{}", invalid.len());
    for number in invalid {
        for field in ["name", "otp"] {
            let body = json!({"phone_number": number, field: "123456"});
            let answer = client.post(body.to_string()).await;
            assert_eq!(answer.status, 400, "{number:?} {answer:?}");
            answer.expect_code(400, "invalid_phone_number");
        }
    }
    let keys = app.redis.lives();
    assert!(keys.is_empty(), "{keys:?}");
}
