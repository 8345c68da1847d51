use rand::RngExt;

use super::*;

fn sign_in(digits: &str) -> Message {
    Message::Otp { kind: PurposeKind::SignIn, code: Otp::parse(digits).unwrap() }
}

fn text(template: &str, origin: Option<&str>) -> SmsText {
    let origin = origin.map(|host| host.parse().unwrap());
    SmsText { template: template.parse().unwrap(), app: "Tea & Co".to_owned(), origin }
}

#[test]
fn template_and_what_it_says() {
    let code = sign_in("123456");
    let five_minutes = Duration::from_secs(300);
    for (template, origin, expected) in [
        (DEFAULT, None, "Thank you for choosing Tea & Co! Your one-time password is 123456."),
        ("{code}", None, "123456"),
        ("{code}{code} {app}", None, "123456123456 Tea & Co"),
        ("{minutes}: {code}\n", None, "5: 123456\n"),
        ("{code}", Some("example.com"), "123456\n\n@example.com #123456"),
        (
            "{app}: {code}.\r\n \n",
            Some("Sign-In.Example.COM"),
            "Tea & Co: 123456.\n\n@sign-in.example.com #123456",
        ),
    ] {
        assert_eq!(
            text(template, origin).render(&code, five_minutes),
            expected,
            "{template:?} {origin:?}"
        );
    }
}

#[test]
fn minutes_are_rounded_up_and_never_none() {
    let code = sign_in("123456");
    let text = text("{minutes} {code}", None);
    for (left_ms, minutes) in
        [(0, "1"), (1, "1"), (60_000, "1"), (60_001, "2"), (299_000, "5"), (600_000, "10")]
    {
        let expected = format!("{minutes} 123456");
        assert_eq!(text.render(&code, Duration::from_millis(left_ms)), expected, "{left_ms}");
    }
}

#[test]
fn a_template_that_cannot_be_meant_is_refused() {
    for wrong in [
        "",
        "no placeholder",
        "{app} {minutes}",
        "{code",
        "code}",
        "{code} {",
        "{code} }",
        "{code} {}",
        "{code} {Otp}",
        "{code} { code }",
        "{code} {name}",
        "{{code}}",
        "{a{code}",
    ] {
        assert!(wrong.parse::<Template>().is_err(), "{wrong}");
    }
}

/// 50,000 texts of what templates are made of: one is taken if nothing is left of its braces
/// without the placeholders.
#[test]
fn random_templates_are_taken_or_refused_as_they_should_be() {
    const PIECES: [&str; 12] = [
        "{code}",
        "{app}",
        "{minutes}",
        "{",
        "}",
        "{code",
        "app}",
        "minutes",
        " ",
        "\n",
        "é",
        "😀",
    ];
    let mut rng = rand::rng();
    let code = sign_in("123456");
    let mut taken = 0;
    for _ in 0..50_000 {
        let length = rng.random_range(0..8);
        let text: String = (0..length).map(|_| PIECES[rng.random_range(0..PIECES.len())]).collect();
        let said =
            text.replace("{app}", "\0").replace("{minutes}", "\u{1}").replace("{code}", "\u{2}");
        let right = said.contains('\u{2}') && !said.contains(['{', '}']);
        let template = text.parse::<Template>();
        assert_eq!(template.is_ok(), right, "{text:?}");
        if let Ok(template) = template {
            let sms = SmsText { template, app: "App".to_owned(), origin: None };
            let expected =
                said.replace('\0', "App").replace('\u{1}', "2").replace('\u{2}', "123456");
            assert_eq!(sms.render(&code, Duration::from_secs(61)), expected, "{text:?}");
            taken += 1;
        }
    }
    assert!((500..49_500).contains(&taken), "both kinds came up: {taken}");
}

#[test]
fn an_origin_is_the_name_of_a_host() {
    for (right, host) in [
        ("example.com", "example.com"),
        ("Login.Example.com", "login.example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("localhost", "localhost"),
        ("1.example", "1.example"),
    ] {
        assert_eq!(right.parse::<OtpOrigin>().unwrap().0, host);
    }
    for wrong in [
        "https://example.com",
        "example.com/",
        "example.com/login",
        "example.com:443",
        "user@example.com",
        "@example.com",
        "example .com",
        " example.com",
        "example.com #1",
        "example..com",
        "example.com.",
        ".example.com",
        "-a.example",
        "a-.example",
        "a_b.example",
        "b\u{fc}cher.example",
        "xn--\u{fc}.example",
        "192.0.2.7",
        "0x7f.1",
        "[2001:db8::1]",
        "*.example.com",
        &format!("{}.example", "a".repeat(64)),
        &["a"; 128].join("."),
    ] {
        assert!(wrong.parse::<OtpOrigin>().is_err(), "{wrong}");
    }
}

#[test]
fn every_other_code_says_what_it_is_for_and_fits_one_segment() {
    // Six digits and the longest name in GSM-7, and an ordinary host.
    let sms = SmsText {
        app: "A thirty-letter name of an app".to_owned(),
        ..text("{code}", Some("sign-in.example.com"))
    };
    for (kind, purpose) in [
        (PurposeKind::DeleteAccount, "delete your"),
        (PurposeKind::LeaveNumber, "move your"),
        (PurposeKind::TakeNumber, "use this number for your"),
    ] {
        let said = sms.render(
            &Message::Otp { kind, code: Otp::parse("123456").unwrap() },
            Duration::from_secs(300),
        );
        assert!(
            said.starts_with(&format!(
                "123456 is your code to {purpose} A thirty-letter name of an app "
            )),
            "{said}"
        );
        assert!(said.ends_with(" Never share it.\n\n@sign-in.example.com #123456"), "{said}");
        assert_eq!(SmsSize::of(&said).segments, 1, "{said}");
    }
}

#[test]
fn a_notice_names_the_app_and_has_no_origin_s_line() {
    let sms = text("{code}", Some("example.com"));
    let said = sms.render(&Message::Notice(NoticeKind::NumberChanged), Duration::from_secs(3600));
    assert_eq!(
        said,
        "The phone number of your Tea & Co account was changed: this one no longer opens it. \
         Was that not you? Contact support."
    );
    let longest = SmsText { app: "A thirty-letter name of an app".to_owned(), ..sms };
    let said =
        longest.render(&Message::Notice(NoticeKind::NumberChanged), Duration::from_secs(3600));
    assert_eq!(SmsSize::of(&said).segments, 1, "{said}");
}
