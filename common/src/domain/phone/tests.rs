use super::*;

fn india() -> Country {
    "in".parse().unwrap()
}

#[test]
fn usual_spellings_are_one_number() {
    for spelling in [
        "+919876543210",
        "9876543210",
        "09876543210",
        "00919876543210",
        "+91 98765 43210",
        "+91-98765-43210",
        "(+91) 98765.43210",
        "tel:+91-98765-43210",
        " +91 (98765) 43210 ",
        "＋９１９８７６５４３２１０",
    ] {
        let number = PhoneNumber::parse(spelling, india());
        assert_eq!(number.as_ref().map(|number| number.e164().as_str()), Ok("+919876543210"), "{spelling}");
    }
}

#[test]
fn what_cannot_be_a_number_is_refused() {
    let long = "9".repeat(10_000);
    for text in [
        "",
        "+",
        "12",
        "hello",
        "+91987654321",
        "+9198765432100000",
        "98765 43210 ext. 5",
        "9876543210\0",
        "+999123456789",
        &long,
    ] {
        assert_eq!(PhoneNumber::parse(text, india()), Err(InvalidPhoneNumber), "{text}");
    }
}

#[test]
fn neither_display_nor_debug_shows_the_whole_number() {
    let number = PhoneNumber::parse("9876543210", india()).unwrap();
    assert_eq!(format!("{number} {number:?}"), "+91********10 PhoneNumber(+91********10)");
}

#[test]
fn the_country_and_the_kind_come_from_the_numbering_plan() {
    let cases = [
        ("+919876543210", "IN", true),
        ("+911800123456", "IN", false),
        ("+12025550143", "US", true),
        ("+442079460000", "GB", false),
    ];
    for (text, country, takes_sms) in cases {
        let number = PhoneNumber::parse(text, india()).unwrap();
        assert_eq!((number.country().unwrap().code(), number.takes_sms()), (country, takes_sms), "{text}");
    }
}

/// The examples of every country's numbering plan, read in two countries whose trunk prefixes are 0 and 1.
#[test]
fn a_number_with_a_country_code_is_the_same_everywhere() {
    let examples = DATABASE.iter().filter_map(|plan| {
        let example = plan.descriptors().mobile()?.example()?;
        Some(format!("+{}{example}", plan.country_code()))
    });
    let mut count = 0;
    for e164 in examples {
        for default_country in ["IN", "US"] {
            let number = PhoneNumber::parse(&e164, default_country.parse().unwrap());
            let read = number.as_ref().map(|number| (number.e164().as_str(), number.takes_sms()));
            assert_eq!(read, Ok((e164.as_str(), true)), "{e164} in {default_country}");
            count += 1;
        }
    }
    assert!(count > 400, "{count} examples");
}

#[test]
fn a_number_may_begin_with_the_digits_of_its_country_code() {
    for (spelling, country, e164) in [
        ("9123456789", "IN", "+919123456789"),
        ("09123456789", "IN", "+919123456789"),
        ("919123456789", "IN", "+919123456789"),
        ("91 91234 56789", "IN", "+919123456789"),
        ("7012345678", "KZ", "+77012345678"),
        ("87012345678", "KZ", "+77012345678"),
        ("89161234567", "RU", "+79161234567"),
        ("79161234567", "RU", "+79161234567"),
        ("12025550143", "US", "+12025550143"),
        ("07400 123456", "GB", "+447400123456"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("312 345 6789", "IT", "+393123456789"),
        ("06 20 123 4567", "HU", "+36201234567"),
    ] {
        let number = PhoneNumber::parse(spelling, country.parse().unwrap());
        assert_eq!(number.as_ref().map(|number| number.e164().as_str()), Ok(e164), "{spelling} in {country}");
    }
}

#[test]
fn the_trunk_prefix_does_not_make_another_number() {
    for (spelling, e164) in [
        ("+91 0 98765 43210", "+919876543210"),
        ("+91 (0) 98765 43210", "+919876543210"),
        ("0091 098765 43210", "+919876543210"),
        ("+44 (0)7400 123456", "+447400123456"),
        // In these countries the zero is part of the number.
        ("+225 01 23 45 67 89", "+2250123456789"),
        ("+241 06 03 12 34", "+24106031234"),
    ] {
        let number = PhoneNumber::parse(spelling, india());
        assert_eq!(number.as_ref().map(|number| number.e164().as_str()), Ok(e164), "{spelling}");
    }
}

#[test]
fn numbers_that_cost_extra_or_get_no_sms() {
    for (kind, numbers) in [
        ("premium rate", &["+19002345678", "+449012345678", "+979123456789"][..]),
        ("toll free", &["+18002345678", "+911800123456", "+448001234567", "+80012345678"]),
        ("shared cost", &["+9118601234567", "+448431234567", "+80812345678"]),
        ("personal", &["+447012345678", "+15002345678"]),
        ("fixed line", &["+912223456789", "+442079460000", "+390612345678", "+33123456789"]),
        ("pager", &["+447640123456"]),
        ("company", &["+445512345678"]),
    ] {
        for number in numbers {
            let read = PhoneNumber::parse(number, india()).map(|number| number.takes_sms());
            assert_eq!(read, Ok(false), "{kind} {number}");
        }
    }
    for number in ["+919876543210", "+12025550143", "+447400123456", "+881612345678"] {
        assert!(PhoneNumber::parse(number, india()).unwrap().takes_sms(), "{number}");
    }
}

#[test]
fn allowed_countries_are_a_list_or_all() {
    let number = PhoneNumber::parse("+12025550143", india()).unwrap();
    assert!(!AllowedCountries::only(india()).allow(&number));
    assert!("in, us".parse::<AllowedCountries>().unwrap().allow(&number));
    assert!("*".parse::<AllowedCountries>().unwrap().allow(&number));
    assert!("in,xx".parse::<AllowedCountries>().is_err());
}

#[test]
fn a_plan_groups_an_example_that_takes_sms() {
    let plan = |code: &str| NumberingPlan::of(code.parse().unwrap()).unwrap();
    let india = plan("IN");
    assert_eq!((india.calling_code, india.trunk_prefix.as_str(), india.example.as_str()), (91, "0", "81234 56789"));
    assert_eq!(india.example_number(), "+918123456789");
    assert_eq!(plan("US").example, "201-555-0123");
    assert!(plan("US").is_main && !plan("CA").is_main);
}

#[test]
fn plans_of_all_countries() {
    let plans = AllowedCountries::from_str("*").unwrap().plans();
    assert!(plans.len() > 200, "{}", plans.len());
    for plan in &plans {
        println!("{} +{} {} {}", plan.country, plan.calling_code, plan.trunk_prefix, plan.example);
        let plain = |char: char| char.is_ascii_digit() || " -.".contains(char);
        assert!(plan.example.chars().all(plain) && plan.example.starts_with(|char: char| char.is_ascii_digit()));
        assert!(plan.trunk_prefix.bytes().all(|byte| byte.is_ascii_digit()));
    }
    let some = AllowedCountries::from_str("LK,IN,IN").unwrap().plans();
    assert_eq!(some.iter().map(|plan| plan.country.to_string()).collect::<Vec<_>>(), ["IN", "LK"]);
}

#[test]
fn an_account_keeps_a_number_that_its_plan_has_dropped() {
    for (dropped, country) in [("+91123", "IN"), ("+12005550143", "US")] {
        assert!(PhoneNumber::parse(dropped, india()).is_err(), "{dropped}");
        let number = PhoneNumber::from_account(&dropped.parse().unwrap());
        assert_eq!(number.e164().as_str(), dropped);
        assert_eq!(number.country(), Some(country.parse().unwrap()));
        assert!(number.takes_sms());
    }
    let known = PhoneNumber::parse("+919876543210", india()).unwrap();
    assert_eq!(PhoneNumber::from_account(known.e164()), known);
}
