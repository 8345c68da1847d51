//! The operators' console: one page and its modules, on the address of the admin API.

use super::{STYLE, compact};
use crate::http::static_content::StaticContent;

/// Nothing but the console's own files runs or is loaded. What else is served on that address is no
/// script: it says so, and browsers do not guess.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

macro_rules! modules {
    ($($name:literal),* $(,)?) => {
        [$((concat!("/console/", $name), include_str!(concat!("console/", $name)))),*]
    };
}

/// The console's files by their paths.
pub(crate) fn files() -> impl Iterator<Item = (&'static str, StaticContent)> {
    let page = include_str!("console/page.html").to_owned();
    let style = compact(&[STYLE, include_str!("console/console.css")]);
    let modules = modules![
        "app.js",
        "chart.js",
        "dialogs.js",
        "dom.js",
        "overview.js",
        "person.js",
        "person_actions.js",
        "person_words.js",
        "service.js",
        "tables.js",
        "words.js",
    ];
    let modules = modules.into_iter().map(|(path, text)| {
        (path, StaticContent::new("text/javascript; charset=utf-8", compact(&[text]), None))
    });
    modules.chain([
        ("/", StaticContent::new("text/html; charset=utf-8", page, Some(POLICY))),
        ("/console/console.css", StaticContent::new("text/css; charset=utf-8", style, None)),
    ])
}

#[cfg(test)]
mod tests {
    use common::ledger::limits::LimitKind;
    use strum::VariantArray;

    const WORDS: &str = include_str!("console/words.js");

    /// The keys of an object that a script has.
    fn keys<'a>(script: &'a str, name: &str) -> Vec<&'a str> {
        let (_, object) = script.split_once(&format!("const {name} = {{\n")).unwrap();
        let (object, _) = object.split_once("\n};").unwrap();
        object.lines().filter_map(|line| line.trim().split_once(':')).map(|(key, _)| key).collect()
    }

    #[test]
    fn it_has_words_for_every_limit_and_every_reason() {
        let mut limits = keys(WORDS, "LIMITS");
        let mut kinds: Vec<_> = LimitKind::VARIANTS.iter().map(|kind| kind.into_str()).collect();
        limits.sort_unstable();
        kinds.sort_unstable();
        assert_eq!(limits, kinds);
        // A test holds those of the sign-in page against the document.
        assert_eq!(keys(WORDS, "REASONS"), keys(include_str!("sign_in.js"), "REASONS"));
    }
}
