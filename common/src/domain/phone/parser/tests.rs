use phonenumber::Mode;
use rand::RngExt;

use super::super::E164;
use super::*;

const VARIANTS: usize = 40;

/// The library's own reading. It tells countries apart without the zeros that a number begins with, which lets the numbers of the
/// Vatican be Italian; so of those the country is not compared.
fn by_library(dialled: &str) -> Option<(String, Option<Option<Country>>)> {
    let number = phonenumber::parse(None, dialled).ok().filter(phonenumber::is_valid)?;
    let e164 = number.format().mode(Mode::E164).to_string();
    let country = (number.national().zeros() == 0).then(|| number.country().id().map(Country));
    e164.parse::<E164>().is_ok().then_some((e164, country))
}

/// Plan by plan: the library compiles the patterns of each anew.
#[test]
fn whatever_is_dialled_is_read_as_the_library_reads_it() {
    let mut rng = rand::rng();
    let (mut valid, mut invalid) = (0, 0);
    for plan in DATABASE.iter() {
        let examples = KINDS.into_iter().filter_map(|kind| plan.descriptors().get(kind)?.example()).map(str::to_owned);
        for example in examples.collect::<Vec<_>>() {
            for _ in 0..VARIANTS {
                let national = variant(&example, plan.national_prefix().unwrap_or("0"), &mut rng);
                // The library takes a trunk prefix away twice.
                if plan.national_prefix().is_some_and(|prefix| national.starts_with(&prefix.repeat(2))) {
                    continue;
                }
                let dialled = format!("+{}{national}", plan.country_code());
                let read = read_international(&dialled);
                let library = by_library(&dialled);
                let same = match (&read, &library) {
                    (Some(read), Some((e164, country))) => {
                        read.e164.as_str() == e164 && country.is_none_or(|country| country == read.country)
                    }
                    (None, None) => true,
                    _ => false,
                };
                assert!(
                    same,
                    "{dialled} of {}: {:?}, by the library {library:?}",
                    plan.id(),
                    read.map(|read| (read.e164.into_string(), read.country))
                );
                *(if library.is_some() { &mut valid } else { &mut invalid }) += 1;
            }
        }
    }
    assert!(valid > 10_000 && invalid > 10_000, "{valid} valid and {invalid} invalid");
}

#[test]
fn the_patterns_of_every_plan_compile() {
    for plan in DATABASE.iter() {
        assert!(Region::of(plan).is_ok(), "{}", plan.id());
    }
}

fn variant(example: &str, trunk_prefix: &str, rng: &mut rand::rngs::ThreadRng) -> String {
    let mut digits = example.to_owned();
    let digit = |rng: &mut rand::rngs::ThreadRng| char::from(rng.random_range(b'0'..=b'9'));
    match rng.random_range(0..8) {
        0 => {}
        1 => digits.insert_str(0, trunk_prefix),
        2 => drop(digits.pop()),
        3 => digits.push(digit(rng)),
        4 => digits.insert(0, digit(rng)),
        5 => drop(digits.remove(0)),
        _ => {
            for _ in 0..rng.random_range(1..5) {
                let at = rng.random_range(0..digits.len());
                digits.replace_range(at..=at, &digit(rng).to_string());
            }
        }
    }
    digits
}
