//! Several rounds of one measurement, and whether they agree.

use serde::Serialize;
use serde_json::{Value, json};

/// Past this spread of its rounds, a measurement is not compared with anything.
const LARGEST_SPREAD: f64 = 0.3;

/// The same measurement, several times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounds(Vec<f64>);

impl Rounds {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The one in the middle.
    pub(crate) fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn least(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    /// How far the furthest two are apart, as a part of the median.
    pub(crate) fn spread(&self) -> f64 {
        match (self.0.first(), self.0.last()) {
            (Some(least), Some(most)) => (most - least) / self.median(),
            _ => f64::NAN,
        }
    }

    /// How much of `other` it is; none where the rounds of one of them differ too much.
    pub(crate) fn ratio_to(&self, other: &Self) -> Option<f64> {
        let steady = |rounds: &Self| rounds.spread() <= LARGEST_SPREAD;
        (steady(self) && steady(other)).then(|| self.median() / other.median())
    }
}

impl Serialize for Rounds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: Value =
            json!({ "median": self.median(), "spread": self.spread(), "rounds": self.0 });
        value.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_that_differ_too_much_are_not_compared() {
        let steady = Rounds::of([100.0, 90.0, 110.0]);
        assert_eq!((steady.median(), steady.spread()), (100.0, 0.2));
        assert_eq!(steady.ratio_to(&Rounds::of([200.0, 200.0, 200.0])), Some(0.5));
        assert_eq!(steady.ratio_to(&Rounds::of([200.0, 139.0, 200.0])), None);
        assert_eq!(Rounds::of([1.0, 2.0, 3.0]).ratio_to(&steady), None);
    }
}
