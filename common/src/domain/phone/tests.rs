use std::str::FromStr;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberType};

use super::*;

fn india() -> Country {
    "in".parse().unwrap()
}

/// In E.164, or nothing where it is refused.
fn read_in(country: &str, text: &str) -> Option<String> {
    PhoneNumber::parse(text, country.parse().unwrap())
        .ok()
        .map(|number| number.e164().as_str().to_owned())
}

/// Example mobiles of every country, in E.164.
fn mobiles() -> impl Iterator<Item = (Country, String)> {
    Country::all().filter_map(|country| {
        let kind = PhoneNumberType::Mobile;
        let example =
            PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(country.region, kind).ok()?;
        Some((country, example.to_string()))
    })
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
        "TEL:+919876543210",
        "Tel:9876543210",
        // Native digits.
        "९८७६५४३२१०",
        "+९१ ९८७६५ ४३२१०",
        "٩٨٧٦٥٤٣٢١٠",
        "۹۸۷۶۵۴۳۲۱۰",
        "৯৮৭৬৫৪৩২১০",
        // What is not seen: as contact lists copy it, byte-order mark, soft hyphen, zero width.
        "\u{202d}+91 98765 43210\u{202c}",
        "\u{2068}9876543210\u{2069}",
        "98765\u{200e}43210",
        "\u{feff}9876543210",
        "98765\u{ad}43210",
        "98765\u{200b}43210\u{2060}",
        // Dashes and blanks.
        "98765−43210",
        "98765\u{2012}43210",
        "98765—43210",
        "98765\u{2011}43210",
        "98765\t43210",
        "（＋９１）９８７６５－４３２１０",
        "98765\u{a0}43210",
        "98765\u{202f}43210\n",
        "9876543210,",
        "9876543210; ",
        // The calling code without its plus.
        "919876543210",
        "91 0 98765 43210",
    ] {
        let number = PhoneNumber::parse(spelling, india());
        assert_eq!(
            number.as_ref().map(|number| number.e164().as_str()),
            Ok("+919876543210"),
            "{spelling}"
        );
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
        "98765,43210",
        "9876543210, 9876543211",
        "98765²3210",
        "98765+43210",
        "98765\n43210",
        "\u{202e}0123456789",
        "++919876543210",
        "tel:",
        "mailto:9876543210",
        "\u{200b}",
        "98765 43210                                                      x",
        // Digits too many, or none of the plan's.
        "+31 6 1234567890",
        "+387612087734",
        "+5511723456789",
        "+376312345123",
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
        assert_eq!(
            (number.country().unwrap().code(), number.takes_sms()),
            (country, takes_sms),
            "{text}"
        );
    }
}

#[test]
fn a_number_with_a_country_code_is_the_same_everywhere() {
    let mut count = 0;
    for (country, e164) in mobiles() {
        for elsewhere in ["IN", "US"] {
            let number = PhoneNumber::parse(&e164, elsewhere.parse().unwrap()).unwrap();
            assert_eq!(
                (number.e164().as_str(), number.takes_sms()),
                (e164.as_str(), true),
                "of {country} in {elsewhere}"
            );
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
        ("972502345678", "IL", "+972502345678"),
        ("447400123456", "GB", "+447400123456"),
        ("5511987654321", "BR", "+5511987654321"),
    ] {
        assert_eq!(read_in(country, spelling).as_deref(), Some(e164), "{spelling} in {country}");
    }
    // Of another country it needs its plus.
    assert_eq!(read_in("IN", "447400123456"), None);
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
fn old_and_national_spellings_of_mobiles_lead_to_one_number() {
    for (e164, spellings) in [
        (
            "+525512345678",
            &[
                "MX +52 1 55 1234 5678",
                "MX 55 1234 5678",
                "MX 1 55 1234 5678",
                "MX 044 55 1234 5678",
                "MX 045 55 1234 5678",
                "MX 01 55 1234 5678",
                "MX 5215512345678",
            ][..],
        ),
        (
            "+5491123456789",
            &[
                "AR 11 2345-6789",
                "AR +54 11 2345-6789",
                "AR +54 9 11 2345-6789",
                "AR 011 15 2345-6789",
                "AR 011 2345-6789",
                "AR 11 15 2345 6789",
                "AR 9 11 2345-6789",
                "AR +54 11 15 2345-6789",
            ],
        ),
        (
            "+5511987654321",
            &[
                "BR 11 8765-4321",
                "BR (011) 8765-4321",
                "BR +55 11 8765-4321",
                "BR 551187654321",
                "BR 0 21 11 98765-4321",
                "BR 11 98765-4321",
            ],
        ),
        (
            "+2290197123456",
            &["BJ 97 12 34 56", "BJ +229 97 12 34 56", "BJ 22997123456", "BJ 01 97 12 34 56"],
        ),
        (
            "+447400123456",
            &[
                "GB 07400 123456",
                "GB +44 (0)7400 123456",
                "GB 44 07400 123456",
                "US 011 44 7400 123456",
            ],
        ),
    ] {
        for (country, spelling) in spellings.iter().filter_map(|spelling| spelling.split_once(' '))
        {
            assert_eq!(
                read_in(country, spelling).as_deref(),
                Some(e164),
                "{spelling} in {country}"
            );
        }
    }
    // A fixed line, and a mobile of the network that got no ninth digit.
    assert_eq!(read_in("BR", "11 2345-6789").as_deref(), Some("+551123456789"));
    assert_eq!(read_in("BR", "11 7654-3210").as_deref(), Some("+551176543210"));
}

#[test]
fn numbers_for_films_are_numbers_that_take_no_sms() {
    for (country, spelling, e164) in [
        ("GB", "07700 900123", "+447700900123"),
        ("GB", "01632 960123", "+441632960123"),
        ("FR", "06 39 98 01 23", "+33639980123"),
        ("IE", "020 910 0123", "+353209100123"),
    ] {
        for (spelling, country) in [(spelling, country), (e164, "IN")] {
            let number = PhoneNumber::parse(spelling, country.parse().unwrap()).unwrap();
            assert_eq!((number.e164().as_str(), number.takes_sms()), (e164, false));
            assert_eq!(
                number.country().unwrap(),
                PhoneNumber::from_account(&e164.parse().unwrap()).country().unwrap()
            );
        }
    }
    assert_eq!(read_in("IN", "+12025550123").as_deref(), Some("+12025550123"));
    for beside in ["+4477009001234", "+44770090012", "+441632961123", "+33639970123"] {
        assert_eq!(read_in("IN", beside), None, "{beside}");
    }
}

#[test]
fn what_is_known_of_a_number_does_not_make_it_another_one() {
    let e164 = "+358412345678";
    let in_country = |country: &str| PhoneNumber::parse(e164, country.parse().unwrap()).unwrap();
    let (finnish, of_aland) = (in_country("FI"), in_country("AX"));
    assert_eq!(
        (finnish.country().unwrap().code(), of_aland.country().unwrap().code()),
        ("FI", "AX")
    );
    assert_eq!(finnish, of_aland);
}

/// Each of the countries that share a calling code can be the only one that is served.
#[test]
fn mobiles_of_every_default_country_are_allowed_there() {
    for (country, e164) in mobiles() {
        let allowed = AllowedCountries::only(country);
        let number = PhoneNumber::parse(&e164, country).unwrap();
        assert_eq!(number.country(), Some(country), "{e164}");
        assert!(
            allowed.allow(&number)
                && allowed.allow(&PhoneNumber::from_account(&e164.parse().unwrap())),
            "{e164} of {country}"
        );
        let elsewhere = PhoneNumber::parse(&e164, india()).unwrap();
        assert!(allowed.allow(&elsewhere), "{e164} of {country}, read in India");
    }
}

#[test]
fn countries_whose_numbers_differ_are_allowed_one_by_one() {
    let allows = |countries: &str, e164: &str| {
        let number = PhoneNumber::parse(e164, india()).unwrap();
        countries.parse::<AllowedCountries>().unwrap().allow(&number)
    };
    let (british, of_jersey, american, jamaican) =
        ("+447400123456", "+447797712345", "+12025550143", "+18762101234");
    assert!(allows("GB", british) && !allows("GB", of_jersey));
    assert!(!allows("JE", british) && allows("JE", of_jersey));
    assert!(allows("GB,JE", british) && allows("GB,JE", of_jersey));
    assert!(allows("US", american) && !allows("US", jamaican));
    assert!(!allows("CA", american) && !allows("JM", american) && allows("JM", jamaican));
}

#[test]
fn numbers_that_cost_extra_or_get_no_sms() {
    for (kind, numbers) in [
        ("premium rate", &["+19002345678", "+449012345678", "+979123456789"][..]),
        (
            "toll free",
            &["+18002345678", "+911800123456", "+448001234567", "+80012345678", "+78005553535"],
        ),
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
    for bad in ["in,xx", "001", "", "IND", "I", "*,IN"] {
        assert!(bad.parse::<AllowedCountries>().is_err(), "{bad}");
    }
}

#[test]
fn a_plan_groups_an_example_that_takes_sms() {
    let plan = |code: &str| NumberingPlan::of(code.parse().unwrap()).unwrap();
    let india = plan("IN");
    assert_eq!(
        (india.calling_code, india.trunk_prefix.as_str(), india.example.as_str()),
        (91, "0", "81234 56789")
    );
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
        assert!(
            plan.example.chars().all(plain)
                && plan.example.starts_with(|char: char| char.is_ascii_digit())
        );
        assert!(plan.trunk_prefix.bytes().all(|byte| byte.is_ascii_digit()));
    }
    let some = AllowedCountries::from_str("LK,IN,IN").unwrap().plans();
    assert_eq!(some.iter().map(|plan| plan.country.to_string()).collect::<Vec<_>>(), ["IN", "LK"]);
}

#[test]
fn an_account_keeps_a_number_that_its_plan_has_dropped() {
    // Benin's eight digits became ten in 2024.
    for (dropped, country) in [("+91123", "IN"), ("+12005550143", "US"), ("+22997123456", "BJ")] {
        assert_ne!(read_in("IN", dropped).as_deref(), Some(dropped));
        let number = PhoneNumber::from_account(&dropped.parse().unwrap());
        assert_eq!(number.e164().as_str(), dropped);
        assert_eq!(number.country(), Some(country.parse().unwrap()));
        assert!(number.takes_sms());
    }
    let of_no_country = PhoneNumber::from_account(&"+999123456789".parse().unwrap());
    assert_eq!((of_no_country.country(), of_no_country.takes_sms()), (None, true));
    let known = PhoneNumber::parse("+919876543210", india()).unwrap();
    let again = PhoneNumber::from_account(known.e164());
    assert_eq!((&again, again.country()), (&known, known.country()));
}

/// The library logs whole numbers at that level.
#[test]
fn nothing_is_logged_at_the_level_trace_by_libraries() {
    assert!(log::STATIC_MAX_LEVEL < log::LevelFilter::Trace);
}
