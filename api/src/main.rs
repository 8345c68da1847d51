//! The api program.

fn main() {}
