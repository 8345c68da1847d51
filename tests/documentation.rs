//! The pages are true: every setting with its programs and its default, every key and script of Redis, every file they name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use redis::Connection;
use serde_json::json;

use crate::api::idempotency;
use crate::support::app::{Plan, SOON};
use crate::support::eventually;
use crate::support::fake_twilio::Reply;
use crate::support::process::{Process, Settings};

const README: &str = include_str!("../README.md");
const ARCHITECTURE: &str = include_str!("../ARCHITECTURE.md");
const CONTRIBUTING: &str = include_str!("../CONTRIBUTING.md");
const SECURITY: &str = include_str!("../SECURITY.md");
const REDIS_KEYS: &str = include_str!("../docs/design/redis-keys.md");
const OPERATIONS: &str = include_str!("../docs/operations.md");
const EXAMPLE: &str = include_str!("../.env.example");

const PROGRAMS: [&str; 3] = ["api", "migration", "worker"];

/// The programs that take a setting, each with the default that its `--help` tells.
pub(crate) type Takers = BTreeMap<&'static str, Option<String>>;

pub(crate) async fn settings_of_all_programs() -> BTreeMap<String, Takers> {
    let mut settings: BTreeMap<String, Takers> = BTreeMap::new();
    for program in PROGRAMS {
        for (name, default) in settings_in(&help_of(program).await) {
            settings.entry(name).or_default().insert(program, default);
        }
    }
    assert_eq!(settings["DATABASE_URL"].len(), PROGRAMS.len(), "{settings:?}");
    assert_eq!(settings["PORT"]["api"].as_deref(), Some("4000"));
    settings
}

async fn help_of(program: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::spawn(program, program, &["--help"], &Settings::new(), folder.path());
    let status = process.ended(SOON).await;
    assert!(status.success(), "{program} --help: {}", process.log());
    process.stdout()
}

/// The variable and the default of every option that a help text lists.
fn settings_in(help: &str) -> Vec<(String, Option<String>)> {
    let mut options: Vec<String> = Vec::new();
    for line in help.lines().map(str::trim) {
        if line.starts_with("--") || (line.starts_with('-') && line.contains(", --")) {
            options.push(String::new());
        }
        if let Some(option) = options.last_mut() {
            option.push_str(line);
            option.push(' ');
        }
    }
    options.retain(|option| !option.contains("--help") && !option.contains("--version"));
    options.iter().map(|option| setting_of(option)).collect()
}

/// Of `--port <PORT> Port to listen on [env: PORT=] [default: 4000]`.
fn setting_of(option: &str) -> (String, Option<String>) {
    let flag = option.split_whitespace().find_map(|word| word.strip_prefix("--")).unwrap();
    let (_, after) = option.split_once("[env: ").unwrap_or_else(|| panic!("no environment variable: {option}"));
    let name = after.split(['=', ']']).next().unwrap();
    assert_eq!(name, flag.replace('-', "_").to_uppercase(), "{option}");
    let default = after.split_once("[default: ").map(|(_, text)| text.split(']').next().unwrap());
    (name.to_owned(), default.map(|default| default.trim_matches('"').to_owned()))
}

/// The cells of all table rows whose first one is in backticks; it comes without them.
fn rows(page: &str) -> impl Iterator<Item = Vec<&str>> {
    page.lines().filter_map(|line| {
        let (first, rest) = line.strip_prefix("| `")?.split_once("` |")?;
        let rest = rest.trim().strip_suffix('|')?;
        Some(std::iter::once(first).chain(rest.split(" | ").map(str::trim)).collect())
    })
}

pub(crate) fn is_variable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

fn assert_same_names<'a>(page: &str, found: impl Iterator<Item = &'a str>, settings: &BTreeMap<String, Takers>) {
    let found: Vec<&str> = found.collect();
    let names: BTreeSet<&str> = found.iter().copied().collect();
    assert_eq!(names.len(), found.len(), "{page} has a setting twice: {found:?}");
    let expected: BTreeSet<&str> = settings.keys().map(String::as_str).collect();
    let missing: Vec<_> = expected.difference(&names).collect();
    let gone: Vec<_> = names.difference(&expected).collect();
    assert!(missing.is_empty() && gone.is_empty(), "{page} lacks {missing:?}; no program takes {gone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readme_lists_every_setting_with_its_programs_and_its_default() {
    let settings = settings_of_all_programs().await;
    let table: Vec<_> = rows(README).filter(|row| is_variable(row[0])).collect();
    assert_same_names("README.md", table.iter().map(|row| row[0]), &settings);
    for row in table {
        assert_eq!(row.len(), 4, "name, programs, default, meaning: {row:?}");
        let takers = &settings[row[0]];
        let programs: BTreeSet<&str> = row[1].split(", ").collect();
        assert_eq!(programs, takers.keys().copied().collect::<BTreeSet<_>>(), "{row:?}");
        for default in takers.values().flatten() {
            assert!(row[2].contains(&format!("`{default}`")), "the default is {default}: {row:?}");
        }
    }
}

/// Of lines such as `#PORT=4000`.
fn examples() -> Vec<(&'static str, &'static str)> {
    let lines = EXAMPLE.lines().filter_map(|line| line.strip_prefix('#')?.split_once('='));
    lines.filter(|(name, _)| is_variable(name)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_has_every_setting_with_its_default() {
    let settings = settings_of_all_programs().await;
    let examples = examples();
    assert_same_names(".env.example", examples.iter().map(|(name, _)| *name), &settings);
    for (name, value) in examples {
        let defaults: Vec<&str> = settings[name].values().flatten().map(String::as_str).collect();
        let value = value.trim_matches('\'');
        assert!(defaults.is_empty() || defaults.contains(&value), "{name} is {value:?}, but defaults to {defaults:?}");
    }
    let active: Vec<_> = EXAMPLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(active.is_empty(), "a copy changes nothing until a line is taken in: {active:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_can_be_read_with_every_line_taken_in() {
    let lines: Vec<String> = examples().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), lines.concat()).unwrap();
    let mut api = Process::spawn("api", "api", &["openapi"], &Settings::new(), folder.path());
    let status = api.ended(SOON).await;
    assert!(status.success() && api.stderr().is_empty(), "{status}: {}", api.stderr());
}

/// Limits that keep something of each send and guess.
const LIMITS: [&str; 8] = [
    "SENDS_PER_NUMBER_HOUR",
    "SENDS_PER_NUMBER_DAY",
    "SENDS_PER_ADDRESS_HOUR",
    "SENDS_PER_RANGE_HOUR",
    "SENDS_PER_COUNTRY_HOUR",
    "SENDS_PER_HOUR",
    "WRONG_GUESSES_PER_HOUR",
    "WRONG_GUESSES_PER_ADDRESS_HOUR",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_of_a_conversation_is_in_the_ledger_s_table() {
    const OWNER: &str = "+919876543210";
    const WAITS: &str = "+919876543299";
    let plan = LIMITS.iter().fold(Plan::new(), |plan, name| plan.set(name, "1000"));
    let app = plan.set("WRONG_GUESSES_PER_NUMBER_DAY", "1000").start().await;
    let mut redis = app.redis.connection();

    let code = app.code_for("Asha", OWNER).await;
    app.client().verify(OWNER, "0000000").await.expect(401);
    app.client().verify(OWNER, &code).await.expect(200);
    // From an address that the number is known by now, and for a number whose SMS waits for a while.
    app.code_for("Asha", OWNER).await;
    app.twilio.script(WAITS, [Reply::Error(429, 20429, Some(120))]);
    idempotency::post(app.client(), "a-key", &json!({"name": "Asha", "phone_number": WAITS})).await.expect(200);
    eventually(SOON, "a retry that waits", async || {
        keys_and_types(&mut redis).iter().any(|(key, _)| key.ends_with(":retry")).then_some(())
    })
    .await;

    let table: Vec<_> = rows(REDIS_KEYS).filter(|row| row.len() == 5).collect();
    let mut met = BTreeSet::new();
    for (key, kind) in keys_and_types(&mut redis) {
        let row = table.iter().filter(|row| fits(&key, row[0])).max_by_key(|row| row[0].len());
        let row = row.unwrap_or_else(|| panic!("docs/design/redis-keys.md knows no key like {key}"));
        assert_eq!(row[1], kind, "{key}");
        met.insert(row[0]);
    }
    assert!(met.len() >= 15, "this conversation leaves too little to tell: {met:?}");
}

fn keys_and_types(redis: &mut Connection) -> Vec<(String, String)> {
    let script = redis::Script::new(
        "local found = {}
         for _, key in ipairs(redis.call('KEYS', '*')) do
           found[#found + 1] = { key, redis.call('TYPE', key).ok }
         end
         return found",
    );
    script.invoke(redis).unwrap()
}

/// Does a key have that form? `<…>` stands for one character or more.
fn fits(key: &str, form: &str) -> bool {
    let mut literals = form.split(['<', '>']).step_by(2);
    let Some(mut rest) = literals.next().and_then(|first| key.strip_prefix(first)) else { return false };
    for literal in literals {
        let Some(tail) = rest.get(1..) else { return false };
        rest = match (literal, tail.split_once(literal)) {
            ("", _) => "",
            (_, Some((_, after))) => after,
            (_, None) => return false,
        };
    }
    rest.is_empty()
}

#[test]
fn keys_fit_their_forms() {
    for (key, form, fit) in [
        ("a:b", "a:b", true),
        ("a:b:c", "a:b", false),
        ("a:x", "a:<one>", true),
        ("a:", "a:<one>", false),
        ("a:x:b:y", "a:<one>:b:<two>", true),
        ("a:x:y", "a:<one>:b:<two>", false),
        ("a:x:b", "a:<one>:b", true),
    ] {
        assert_eq!(fits(key, form), fit, "{key} {form}");
    }
}

#[test]
fn every_script_is_in_the_ledger_s_table() {
    let told: BTreeSet<&str> = rows(REDIS_KEYS).map(|row| row[0]).filter(|name| name.ends_with(".lua")).collect();
    let mut there = BTreeSet::new();
    for folder in ["common/src/ledger/lua", "common/src/queue/lua"] {
        for file in std::fs::read_dir(project().join(folder)).unwrap() {
            there.insert(file.unwrap().file_name().into_string().unwrap());
        }
    }
    assert_eq!(told, there.iter().map(String::as_str).collect::<BTreeSet<_>>());
}

pub(crate) fn project() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn every_file_that_a_page_names_is_there() {
    const ROOMS: [&str; 10] =
        ["api/", "bin/", "common/", "deploy/", "docs/", "migration/", "openapi/", "tests/", "worker/", ".ci/"];
    let mut count = 0;
    for (page, text) in [
        ("README.md", README),
        ("ARCHITECTURE.md", ARCHITECTURE),
        ("CONTRIBUTING.md", CONTRIBUTING),
        ("SECURITY.md", SECURITY),
        ("docs/operations.md", OPERATIONS),
        ("docs/design/redis-keys.md", REDIS_KEYS),
    ] {
        let file = project().join(page);
        let folder = file.parent().unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let links = links.filter(|link| !link.is_empty() && !link.contains("://"));
        let spans = text.split('`').skip(1).step_by(2);
        let spans = spans.filter(|span| !span.contains([' ', '\n', '<', '*', '…']));
        let spans = spans.filter(|span| ROOMS.iter().any(|room| span.starts_with(room)));
        let paths = links.map(|link| folder.join(link)).chain(spans.map(|span| project().join(span)));
        for path in paths {
            assert!(path.exists(), "{page} names {}, which is not there", path.display());
            count += 1;
        }
    }
    assert!(count > 50, "only {count} names were found");
}
