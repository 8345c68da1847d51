//! How mobile numbers were written before their countries changed their plans, or are still written
//! at home. Each of these spellings leads to one number of today, and to no other one.

const MEXICO: i32 = 52;
const ARGENTINA: i32 = 54;
const BRAZIL: i32 = 55;
const BENIN: i32 = 229;

/// The national number of today that an old one became.
pub(super) fn of_today(code: i32, national: &str) -> Option<String> {
    match code {
        // Until August 2019 calls to mobiles needed a 1 from abroad, 044 or 045 at home; 01 began
        // calls to other towns.
        MEXICO => {
            let rest = ["1", "044", "045", "01"]
                .iter()
                .find_map(|prefix| national.strip_prefix(prefix))?;
            has_digits(rest, 10).then(|| rest.to_owned())
        }
        // From 2012 to 2016 mobiles got a 9 after the area code. What began with 7 may be of a
        // network that got none.
        BRAZIL => {
            let (area, subscriber) = national.split_at_checked(2)?;
            let is_mobile = subscriber.starts_with(['6', '8', '9']) && has_digits(subscriber, 8);
            is_mobile.then(|| format!("{area}9{subscriber}"))
        }
        // On 30 November 2024 all numbers got 01 before their eight digits.
        BENIN => has_digits(national, 8).then(|| format!("01{national}")),
        _ => None,
    }
}

/// In Argentina a mobile is written without its 9 too, which makes it look like a fixed line. An
/// SMS can mean the mobile only.
pub(super) fn mobile_of_fixed(code: i32, national: &str) -> Option<String> {
    (code == ARGENTINA).then(|| format!("9{national}"))
}

fn has_digits(text: &str, count: usize) -> bool {
    text.len() == count
}
