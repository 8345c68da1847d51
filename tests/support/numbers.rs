//! Phone numbers and addresses: some that are told apart by name, and others by the dozen.

pub(crate) const NUMBER: &str = "+919876543210";
pub(crate) const OTHER_NUMBER: &str = "+919876543211";
pub(crate) const THIRD_NUMBER: &str = "+919876543212";

/// A number that signs in without an SMS, where a test gives it to `TEST_NUMBERS`.
pub(crate) const TEST_NUMBER: &str = "+919999999999";

/// An Indian mobile number, for each `n` below 100,000 in a range of its own.
pub(crate) fn spread(n: usize) -> String {
    format!("+9198{n:05}210")
}

/// One of the thousand numbers of one Indian range.
pub(crate) fn neighbour(n: usize) -> String {
    format!("+919876543{n:03}")
}

/// A French mobile number, for each `n` below 10,000 in a range of its own.
pub(crate) fn abroad(n: usize) -> String {
    format!("+3361{n:04}143")
}

/// An IPv4 address for each `n` below 65,536, none of them like another.
pub(crate) fn address(n: usize) -> String {
    format!("203.0.{}.{}", n / 256, n % 256)
}

/// `count` Indian mobile numbers of ten ranges.
pub(crate) fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|last| format!("+9198765{last:05}")).collect()
}
