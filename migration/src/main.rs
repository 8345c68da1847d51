//! The migration program.

fn main() {}
