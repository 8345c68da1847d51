//! Every fault that docs/operations.md tells of is made by a test, and every one that the long runs make is told.

use std::collections::BTreeSet;

use crate::documentation::project;

const OPERATIONS: &str = include_str!("../docs/operations.md");

/// The links in a cell, `` [`text`](../path) ``.
fn links_in(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    cell.split("[`").skip(1).map(move |link| {
        let (text, rest) = link.split_once("`](../").unwrap_or_else(|| panic!("not a link to a file: {cell}"));
        (text, rest.split_once(')').unwrap().0)
    })
}

#[test]
fn every_fault_is_held_by_a_test() {
    let (_, section) = OPERATIONS.split_once("\n## Faults\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| fault ") && !line.starts_with("| ---"));
    let mut held = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 5, "fault, users, operators, what to do, tests: {row}");
        let mut tests = 0;
        for (test, file) in links_in(cells[4]) {
            let source = std::fs::read_to_string(project().join(file)).unwrap();
            let (above, _) =
                source.split_once(&format!("\nasync fn {test}()")).unwrap_or_else(|| panic!("{file} has no {test}"));
            assert!(above.lines().last() == Some("#[async_test]"), "{test} is no test");
            held.insert((file, test));
            tests += 1;
        }
        assert!(tests > 0, "nothing holds {row}");
    }
    for file in ["redis.rs", "database.rs", "rolling.rs"].map(|file| format!("tests/faults/{file}")) {
        let source = std::fs::read_to_string(project().join(&file)).unwrap();
        let count = source.lines().filter(|&line| line == "#[async_test]").count();
        assert_eq!(held.iter().filter(|(held_in, _)| *held_in == file).count(), count, "the table lacks one of {file}");
    }
}
