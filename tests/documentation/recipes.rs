//! "How to add …" in CONTRIBUTING.md names files that are there and hold what it says, and no more of them than it promises.

use super::project;
use crate::support::markdown::{code_spans, headings, table};

const CONTRIBUTING: &str = include_str!("../../CONTRIBUTING.md");

/// What one can add, and the most files of the programs that it may take.
const RECIPES: [(&str, usize); 8] = [
    ("a provider", 4),
    ("a limit", usize::MAX),
    ("a setting", 3),
    ("a route", 3),
    ("a metric", 1),
    ("a column", 4),
    ("a command for operators", 3),
    ("a kind of event", usize::MAX),
];

const PROGRAMS: [&str; 4] = ["api/", "common/", "migration/", "worker/"];

#[test]
fn every_file_of_a_recipe_holds_what_it_names() {
    for (what, most) in RECIPES {
        let mut of_the_programs = 0;
        for row in table(CONTRIBUTING, &format!("How to add {what}")) {
            assert_eq!(row.len(), 3, "file, symbol, what to do: {row:?}");
            for file in code_spans(row[0]) {
                let text = std::fs::read_to_string(project().join(&file))
                    .unwrap_or_else(|error| panic!("how to add {what}: {file}: {error}"));
                for symbol in code_spans(row[1]) {
                    assert!(text.contains(&symbol), "how to add {what}: {file} has no {symbol}");
                }
                of_the_programs += usize::from(PROGRAMS.iter().any(|room| file.starts_with(room)));
            }
        }
        assert!(of_the_programs <= most, "adding {what} takes {of_the_programs} files, more than {most}");
    }
    let told = headings(CONTRIBUTING).into_iter().filter(|heading| heading.starts_with("How to add ")).count();
    assert_eq!(told, RECIPES.len(), "a recipe is not looked at");
}
