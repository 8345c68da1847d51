//! Reads numbers that begin with a calling code, by the library's numbering plans.
//!
//! The library keeps the patterns of the plans that were used last, a hundred of them behind one lock, and compiles all others anew:
//! numbers from many countries would cost milliseconds each. Here each calling code's patterns are compiled once, when its first
//! number comes.

use std::borrow::Cow;
use std::sync::OnceLock;

use phonenumber::Type;
use phonenumber::metadata::{DATABASE, Descriptor, Metadata};
use regex::{Error, Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::{Country, LONGEST_CODE, PhoneNumber};

/// A national number of less digits, or a number whose digits without the plus are no more, does not exist.
const SHORTEST: usize = 2;

/// All that a valid number may be.
const KINDS: [Type; 10] = [
    Type::Mobile,
    Type::Voip,
    Type::FixedLine,
    Type::PremiumRate,
    Type::TollFree,
    Type::SharedCost,
    Type::PersonalNumber,
    Type::Pager,
    Type::Uan,
    Type::Voicemail,
];

/// By calling code.
static REGIONS: [OnceLock<Vec<Region>>; 1000] = [const { OnceLock::new() }; 1000];

/// The countries and territories of a calling code, those first that the library asks first.
fn regions(code: u16) -> &'static [Region] {
    let Some(regions) = REGIONS.get(usize::from(code)) else { return &[] };
    regions.get_or_init(|| {
        let plans: Vec<&Metadata> = match DATABASE.region(&code).as_deref() {
            // No country's: satellite phones and the like.
            Some(["001"]) => DATABASE.by_code(&code).into_iter().flatten().take(1).collect(),
            Some(regions) => regions.iter().filter_map(|id| DATABASE.by_id(*id)).collect(),
            None => Vec::new(),
        };
        // The plans are a part of the program; the tests compile all of them.
        plans.into_iter().filter_map(|plan| Region::of(plan).ok()).collect()
    })
}

/// Compiles the patterns of a country.
pub(super) fn prepare(country: Country) {
    if let Some(plan) = DATABASE.by_id(country.code()) {
        regions(plan.country_code());
    }
}

/// Reads `+` and digits.
pub(super) fn read_international(dialled: &str) -> Option<PhoneNumber> {
    let digits = dialled.strip_prefix('+').filter(|digits| digits.len() > SHORTEST)?;
    let code_and_regions = |length| {
        let code = digits.get(..length)?.parse().ok()?;
        Some(regions(code)).filter(|regions| !regions.is_empty()).map(|regions| (length, regions))
    };
    let (code_length, regions) = (1..=LONGEST_CODE).find_map(code_and_regions)?;
    let (code, national) = digits.split_at_checked(code_length).filter(|_| !digits.starts_with('0'))?;

    // The zeros of a trunk prefix are not what tells countries apart.
    let national = match region_of(regions, national.trim_start_matches('0')) {
        Some(region) => region.without_trunk_prefix(national),
        None => national.into(),
    };
    let region = region_of(regions, &national).filter(|_| national.len() >= SHORTEST)?;
    let kinds = region.kinds_of(&national);
    // The library knows numbers that are longer than E.164 has them.
    let e164 = format!("+{code}{national}").parse().ok()?;
    (!kinds.is_empty()).then(|| PhoneNumber { e164, country: region.country, takes_sms: takes_sms(&kinds) })
}

fn takes_sms(kinds: &[Type]) -> bool {
    let may = |kind: &Type| matches!(kind, Type::Mobile | Type::Voip);
    kinds.iter().any(may) && kinds.iter().all(|kind| may(kind) || *kind == Type::FixedLine)
}

fn region_of<'a>(regions: &'a [Region], national: &str) -> Option<&'a Region> {
    match regions {
        [only] => Some(only),
        several => several.iter().find(|region| match &region.leading_digits {
            Some(pattern) => pattern.is_match(national),
            None => !region.kinds_of(national).is_empty(),
        }),
    }
}

/// The numbering plan of a country or territory.
#[derive(Debug)]
struct Region {
    country: Option<Country>,
    /// What its numbers begin with, where that tells them from those of others.
    leading_digits: Option<Regex>,
    general: Pattern,
    kinds: RegexSet,
    /// What each of `kinds` stands for, and how long numbers of it are.
    kinds_and_lengths: Vec<(Type, &'static [u16])>,
    trunk_prefix: Option<&'static str>,
    /// What people write before a national number, and what becomes of the number without it.
    trunk_pattern: Option<(Regex, Option<&'static str>)>,
    /// How long numbers are that are dialled within a town.
    local_lengths: &'static [u16],
}

/// What a number is made of, and how long it is; empty where that is not said.
#[derive(Debug)]
struct Pattern {
    regex: Regex,
    lengths: &'static [u16],
}

impl Pattern {
    fn is_match(&self, national: &str) -> bool {
        fits(self.lengths, national) && self.regex.is_match(national)
    }
}

impl Region {
    fn of(plan: &'static Metadata) -> Result<Self, Error> {
        let kinds: Vec<(Type, &'static Descriptor)> =
            KINDS.into_iter().filter_map(|kind| Some((kind, plan.descriptors().get(kind)?))).collect();
        let general = plan.descriptors().general();
        let rule = plan.national_prefix_transform_rule();
        let trunk_pattern = plan.national_prefix_for_parsing().map(|pattern| compile(pattern.as_str())).transpose()?;
        Ok(Self {
            country: plan.id().parse().ok(),
            leading_digits: plan.leading_digits().map(|pattern| compile(pattern.as_str())).transpose()?,
            general: Pattern {
                regex: compile(general.national_number().as_str())?,
                lengths: general.possible_length(),
            },
            kinds: compile_set(kinds.iter().map(|(_, kind)| kind.national_number().as_str()))?,
            kinds_and_lengths: kinds
                .into_iter()
                .map(|(kind, descriptor)| (kind, descriptor.possible_length()))
                .collect(),
            trunk_prefix: plan.national_prefix(),
            trunk_pattern: trunk_pattern.map(|pattern| (pattern, rule)),
            local_lengths: general.possible_local_length(),
        })
    }

    /// What a number may be; nothing where it is not valid.
    fn kinds_of(&self, national: &str) -> Vec<Type> {
        if !self.general.is_match(national) {
            return Vec::new();
        }
        let matches = self.kinds.matches(national);
        let found = matches.iter().filter_map(|kind| self.kinds_and_lengths.get(kind));
        found.filter(|(_, lengths)| fits(lengths, national)).map(|(kind, _)| *kind).collect()
    }

    /// People write `+44 (0)7400 …`. What would be too short without the prefix has none.
    fn without_trunk_prefix<'a>(&self, national: &'a str) -> Cow<'a, str> {
        let mut stripped = self.without_pattern(national);
        if let Some(rest) = self.trunk_prefix.and_then(|prefix| stripped.strip_prefix(prefix)) {
            stripped = rest.to_owned().into();
        }
        if self.is_too_short(&stripped) { national.into() } else { stripped }
    }

    fn without_pattern<'a>(&self, national: &'a str) -> Cow<'a, str> {
        let Some((pattern, rule)) = &self.trunk_pattern else { return national.into() };
        let Some(found) = pattern.captures(national) else { return national.into() };
        match (rule, found.get(found.len() - 1)) {
            (Some(rule), Some(_)) => {
                let changed = pattern.replace(national, *rule);
                let worse = self.general.is_match(national) && !self.general.is_match(&changed);
                if worse { national.into() } else { changed }
            }
            _ => national.get(found.get_match().end()..).unwrap_or_default().into(),
        }
    }

    fn is_too_short(&self, national: &str) -> bool {
        let shortest = self.general.lengths.first().copied().unwrap_or(0);
        national.len() < usize::from(shortest) && !(self.local_lengths.iter()).any(|length| is_long(national, *length))
    }
}

fn fits(lengths: &[u16], national: &str) -> bool {
    lengths.is_empty() || lengths.iter().any(|length| is_long(national, *length))
}

fn is_long(national: &str, length: u16) -> bool {
    usize::from(length) == national.len()
}

/// The library's patterns are about the begin of a number; of its end it knows by the length.
fn anchored(pattern: &str) -> String {
    format!("^(?:{pattern})")
}

fn compile(pattern: &str) -> Result<Regex, Error> {
    RegexBuilder::new(&anchored(pattern)).ignore_whitespace(true).unicode(false).build()
}

fn compile_set<'a>(patterns: impl Iterator<Item = &'a str>) -> Result<RegexSet, Error> {
    RegexSetBuilder::new(patterns.map(anchored)).ignore_whitespace(true).unicode(false).build()
}

#[cfg(test)]
mod tests;
