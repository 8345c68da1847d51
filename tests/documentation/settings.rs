//! The table of settings is what the programs' definitions say, and `.env.example` has every one of
//! them.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Command, CommandFactory};

use super::project;
use crate::support::app::SOON;
use crate::support::markdown::table;
use crate::support::process::Process;
use crate::support::settings::Settings;

const CONFIGURATION: &str = include_str!("../../docs/configuration.md");
const EXAMPLE: &str = include_str!("../../.env.example");

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
    let mut process =
        Process::spawn(program, program, &["--help"], &Settings::new(), folder.path());
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
    let (_, after) =
        option.split_once("[env: ").unwrap_or_else(|| panic!("no environment variable: {option}"));
    let name = after.split(['=', ']']).next().unwrap();
    assert_eq!(name, flag.replace('-', "_").to_uppercase(), "{option}");
    let default = after.split_once("[default: ").map(|(_, text)| text.split(']').next().unwrap());
    (name.to_owned(), default.map(|default| default.trim_matches('"').to_owned()))
}

pub(crate) fn is_variable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

fn assert_same_names<'a>(
    page: &str,
    found: impl Iterator<Item = &'a str>,
    settings: &BTreeMap<String, Takers>,
) {
    let found: Vec<&str> = found.collect();
    let names: BTreeSet<&str> = found.iter().copied().collect();
    assert_eq!(names.len(), found.len(), "{page} has a setting twice: {found:?}");
    let expected: BTreeSet<&str> = settings.keys().map(String::as_str).collect();
    let missing: Vec<_> = expected.difference(&names).collect();
    let gone: Vec<_> = names.difference(&expected).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "{page} lacks {missing:?}; no program takes {gone:?}"
    );
}

/// What one program's definition says of a setting.
struct Definition {
    program: &'static str,
    default: String,
    meaning: String,
}

/// A help text may end with a default in words: `Folder of the files [default: the data folder]`.
fn definitions(program: &'static str, command: &Command) -> Vec<(String, Definition)> {
    let variables = command
        .get_arguments()
        .filter_map(|argument| Some((argument.get_env()?.to_str()?, argument)));
    let define = |(name, argument): (&str, &clap::Arg)| {
        let help = argument.get_help().unwrap_or_else(|| panic!("{name} has no help")).to_string();
        let (meaning, words) = help.split_once(" [default: ").unwrap_or((&help, "none]"));
        let default = match argument.get_default_values().first() {
            Some(value) => format!("`{}`", value.to_str().unwrap()),
            None => words.trim_end_matches(']').to_owned(),
        };
        (name.to_owned(), Definition { program, default, meaning: meaning.to_owned() })
    };
    variables.map(define).collect()
}

/// The table of all settings, in the order of the definitions.
fn settings_table() -> String {
    let programs = [
        definitions("api", &::api::config::Cli::command()),
        definitions("worker", &::worker::config::Cli::command()),
        definitions("migration", &::migration::cli::Cli::command()),
    ];
    let mut settings: Vec<(String, Vec<Definition>)> = Vec::new();
    for (name, definition) in programs.into_iter().flatten() {
        match settings.iter_mut().find(|(known, _)| *known == name) {
            Some((_, definitions)) => definitions.push(definition),
            None => settings.push((name, vec![definition])),
        }
    }
    let names: Vec<String> = settings.iter().map(|(name, _)| name.clone()).collect();
    let mut table =
        "| name | programs | default | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for (name, definitions) in &settings {
        let programs: Vec<&str> = definitions.iter().map(|definition| definition.program).collect();
        let default = once_or_by_program(definitions, |definition| &definition.default, ", ");
        let meaning = once_or_by_program(definitions, |definition| &definition.meaning, ". ");
        let row = format!("| `{name}` | {} | {default} | {meaning} |", programs.join(", "));
        table += &in_backticks(&row, &names);
        table.push('\n');
    }
    table
}

/// What all programs say, or what each of them says, with its name.
fn once_or_by_program(
    definitions: &[Definition],
    of: fn(&Definition) -> &String,
    separator: &str,
) -> String {
    let first = of(&definitions[0]);
    if definitions.iter().all(|definition| of(definition) == first) {
        return first.clone();
    }
    let each =
        definitions.iter().map(|definition| format!("{} ({})", of(definition), definition.program));
    each.collect::<Vec<_>>().join(separator)
}

/// Other settings that a text names, in backticks.
fn in_backticks(text: &str, names: &[String]) -> String {
    let word = |word: &str| {
        let name = word.trim_end_matches(['.', ',', ';', ':', ')']);
        if names.iter().any(|known| known == name) {
            word.replace(name, &format!("`{name}`"))
        } else {
            word.to_owned()
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// `bin/docs` sets `WRITE_DOCS`, and then the table is written instead of compared.
#[test]
fn the_table_of_settings_is_what_the_definitions_say() {
    let start = CONFIGURATION.find("| name |").unwrap();
    let end = start
        + CONFIGURATION[start..]
            .find("\n\n")
            .map_or(CONFIGURATION.len() - start, |length| length + 1);
    let page = format!("{}{}{}", &CONFIGURATION[..start], settings_table(), &CONFIGURATION[end..]);
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(project().join("docs/configuration.md"), &page).unwrap();
        return;
    }
    assert!(
        page == CONFIGURATION,
        "docs/configuration.md is not what the code says. Run bin/docs, and commit it."
    );
}

#[async_test]
async fn the_table_has_every_setting_with_its_programs_and_its_default() {
    let settings = settings_of_all_programs().await;
    let table = table(CONFIGURATION, "All settings");
    assert_same_names(
        "docs/configuration.md",
        table.iter().map(|row| row[0].trim_matches('`')),
        &settings,
    );
    for row in table {
        assert_eq!(row.len(), 4, "name, programs, default, meaning: {row:?}");
        let takers = &settings[row[0].trim_matches('`')];
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

#[async_test]
async fn the_example_has_every_setting_with_its_default() {
    let settings = settings_of_all_programs().await;
    let examples = examples();
    assert_same_names(".env.example", examples.iter().map(|(name, _)| *name), &settings);
    for (name, value) in examples {
        let defaults: Vec<&str> = settings[name].values().flatten().map(String::as_str).collect();
        let value = value.trim_matches('\'');
        assert!(
            defaults.is_empty() || defaults.contains(&value),
            "{name} is {value:?}, but defaults to {defaults:?}"
        );
    }
    let active: Vec<_> =
        EXAMPLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(active.is_empty(), "a copy changes nothing until a line is taken in: {active:?}");
}

#[async_test]
async fn the_example_can_be_read_with_every_line_taken_in() {
    let lines: Vec<String> =
        examples().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), lines.concat()).unwrap();
    let mut api = Process::spawn("api", "api", &["openapi"], &Settings::new(), folder.path());
    let status = api.ended(SOON).await;
    assert!(status.success() && api.stderr().is_empty(), "{status}: {}", api.stderr());
}
