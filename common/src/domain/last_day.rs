//! The last day on which something works, as settings and requests name it.

use time::macros::{format_description, time};
use time::{Date, OffsetDateTime, PrimitiveDateTime};

/// When that day ends (UTC), of a text like `2027-01-31`.
#[must_use]
pub fn end_of(text: &str) -> Option<OffsetDateTime> {
    let day = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
    Some(PrimitiveDateTime::new(day.next_day()?, time!(0:00)).assume_utc())
}

/// The same of a day that is not over at `now`.
#[must_use]
pub fn end_after(now: OffsetDateTime, text: &str) -> Option<OffsetDateTime> {
    end_of(text).filter(|end| *end > now)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_day_ends_when_the_next_one_begins() {
        assert_eq!(end_of("2026-12-31"), Some(datetime!(2027-01-01 00:00 UTC)));
        for text in ["", "2027-02-30", "2027-1-3", "31.01.2027", "2027-01-31T00:00", "9999-12-31"] {
            assert_eq!(end_of(text), None, "{text}");
        }
    }
}
