//! Every fault that docs/operations.md tells of is made by a test, and every one that the long runs
//! make is told.

use std::collections::BTreeSet;

use crate::documentation::project;
use crate::support::markdown::{links, table};

const OPERATIONS: &str = include_str!("../docs/operations.md");

#[test]
fn every_fault_is_held_by_a_test() {
    let mut held = BTreeSet::new();
    for row in table(OPERATIONS, "Faults") {
        assert_eq!(row.len(), 5, "fault, users, operators, what to do, tests: {row:?}");
        let tests = links(row[4]);
        assert!(!tests.is_empty(), "nothing holds {row:?}");
        for (test, file) in tests {
            let test = test.trim_matches('`').to_owned();
            let source = std::fs::read_to_string(project().join("docs").join(&file)).unwrap();
            let (above, _) = source
                .split_once(&format!("\nasync fn {test}()"))
                .unwrap_or_else(|| panic!("{file} has no {test}"));
            assert!(above.lines().last() == Some("#[async_test]"), "{test} is no test");
            held.insert((file, test));
        }
    }
    for file in [
        "redis.rs",
        "database.rs",
        "events.rs",
        "rolling.rs",
        "failover.rs",
        "silence.rs",
        "postgres_failover.rs",
    ]
    .map(|file| format!("../tests/faults/{file}"))
    {
        let source = std::fs::read_to_string(project().join("docs").join(&file)).unwrap();
        let count = source.lines().filter(|&line| line == "#[async_test]").count();
        assert_eq!(
            held.iter().filter(|(held_in, _)| *held_in == file).count(),
            count,
            "the table lacks one of {file}"
        );
    }
}
