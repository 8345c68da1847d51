//! The tables of limits are what the code's one table says.

use common::ledger::limits::{LIMITS, LimitKind};
use strum::VariantArray;

use super::project;

const PAGE: &str = include_str!("../../docs/limits.md");

fn setting(name: &str) -> String {
    format!("`{}`", name.to_uppercase())
}

/// What refuses sends.
fn kinds() -> String {
    let mut table = "| code | settings | what decides |\n| --- | --- | --- |\n".to_owned();
    for kind in LimitKind::VARIANTS {
        let settings: Vec<String> = LIMITS
            .iter()
            .filter(|limit| limit.kind == *kind)
            .map(|limit| setting(limit.setting))
            .collect();
        let settings = if settings.is_empty() { "none".to_owned() } else { settings.join(", ") };
        let decides = kind.decides().trim();
        table += &format!("| `{}` | {settings} | {decides} |\n", kind.code());
    }
    table
}

fn settings() -> String {
    let mut table =
        "| setting | default | within | for each | a send is refused with |\n| --- | --- | --- | --- | --- |\n"
            .to_owned();
    for limit in LIMITS {
        let within = match limit.window {
            3_600_000 => "an hour",
            86_400_000 => "a day",
            other => panic!("name a window of {other} ms"),
        };
        let name = setting(limit.setting);
        let (scope, code) = (limit.scope, limit.kind.code());
        table += &format!("| {name} | `{}` | {within} | {scope} | `{code}` |\n", limit.default);
    }
    table
}

/// The page with another table in the place of the one that begins with that.
fn with_table(page: &str, begins: &str, table: &str) -> String {
    let start = page.find(begins).unwrap_or_else(|| panic!("no table {begins:?}"));
    let end = start + page[start..].find("\n\n").unwrap() + 1;
    format!("{}{table}{}", &page[..start], &page[end..])
}

/// `bin/docs` sets `WRITE_DOCS`, and then the tables are written instead of compared.
#[test]
fn the_tables_of_limits_are_what_the_code_says() {
    let page = with_table(PAGE, "| code |", &kinds());
    let page = with_table(&page, "| setting |", &settings());
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(project().join("docs/limits.md"), &page).unwrap();
        return;
    }
    assert!(page == PAGE, "docs/limits.md is not what the code says. Run bin/docs, and commit it.");
}
