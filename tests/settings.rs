//! Settings: what is wrong is one line that names it; secrets are shown nowhere.

use std::process::ExitStatus;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::app::{App, Plan, SOON};
use crate::support::database::Database;
use crate::support::fake_twilio::{ACCOUNT_SID, API_KEY, API_KEY_SID, SENDER};
use crate::support::numbers::NUMBER;
use crate::support::process::Process;
use crate::support::settings::{OTP_SECRET, Settings};

/// What stands for a secret in a setting; no output may hold it.
const HUNTER: &str = "hunter2hunter2";

/// A program that ran to its end.
#[derive(Debug)]
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

async fn run(program: &str, arguments: &[&str], settings: &Settings) -> Ended {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let mut process = Process::spawn(program, program, arguments, settings, folder.path());
    let status = process.ended(Duration::from_secs(10)).await;
    Ended { status, stdout: process.stdout(), stderr: process.stderr() }
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// All that production asks for. Nothing listens at these addresses.
fn production() -> Settings {
    settings(&[
        ("APP_ENV", "production"),
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("METRICS_ADDR", "127.0.0.1:0"),
        ("ADMIN_ADDR", "127.0.0.1:0"),
        ("DATABASE_URL", "sqlite://app.db?mode=rwc"),
        ("REDIS_URL", "redis://127.0.0.1:1"),
        ("OTP_SECRET", OTP_SECRET),
        ("TRUSTED_PROXIES", "none"),
        ("TWILIO_SID", ACCOUNT_SID),
        ("TWILIO_API_KEY", API_KEY),
        ("TWILIO_PHONE_NUMBER", SENDER),
    ])
}

fn development() -> Settings {
    let mut settings = production();
    settings.remove("APP_ENV");
    settings
}

/// Ends with an error and exactly one line, which names the setting.
async fn is_refused(program: &str, settings: &Settings, name: &str) {
    let ended = run(program, &[], settings).await;
    println!("{program}: {}", ended.stderr);
    assert!(!ended.status.success(), "{name}: {ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{name}: {ended:?}");
    assert!(ended.stderr.contains(name), "{name}: {ended:?}");
    for output in [&ended.stdout, &ended.stderr] {
        assert!(!output.contains("panicked"), "{name}: {ended:?}");
        for secret in [HUNTER, OTP_SECRET, API_KEY] {
            assert!(!output.contains(secret), "{name}: {ended:?}");
        }
    }
}

async fn each_is_refused(program: &str, wrong: &[(&str, &str)]) {
    for (name, value) in wrong {
        println!("{name}={value}");
        let mut settings = development();
        settings.insert((*name).to_owned(), (*value).to_owned());
        is_refused(program, &settings, name).await;
    }
}

#[async_test]
async fn the_api_names_the_setting_that_is_wrong() {
    each_is_refused(
        "api",
        &[
            ("CHALLENGE", "captcha"),
            ("CHALLENGE_DIFFICULTY", "999"),
            ("PORT", "abc"),
            ("PORT", "70000"),
            ("PORT", "-1"),
            ("SHUTDOWN_DELAY", "-1"),
            ("SHUTDOWN_DELAY", "301"),
            ("HOST", "not a host"),
            ("APP_ENV", "staging"),
            ("PUBLIC_URL", "https://:443"),
            ("DATABASE_URL", "hunter2hunter2"),
            ("DATABASE_URL", "mysql://user:hunter2hunter2@localhost/db"),
            ("DATABASE_URL", "postgres://user:hunter2hunter2@localhost:port/db"),
            ("DATABASE_URL", "sqlite:///no/such/folder/app.db"),
            ("REDIS_URL", "http://user:hunter2hunter2@localhost"),
            ("REDIS_URL", "redis://user:hunter2hunter2@localhost:port"),
            ("OTP_SECRET", HUNTER),
            ("OTP_SECRET", "a-long-enough-secret-of-hunter2hunter2-1234567,hunter2hunter2"),
            ("METRICS_ADDR", "9464"),
            ("METRICS_ADDR", "localhost:9464"),
            ("ADMIN_ADDR", "4001"),
            ("ADMIN_ADDR", "0.0.0.0:4001"),
            ("ADMIN_HOSTS", "admin.example:4001"),
            ("OTP_LENGTH", "3"),
            ("OTP_LENGTH", "11"),
            ("OTP_LENGTH", "six"),
            ("OTP_TTL_SECONDS", "29"),
            ("OTP_TTL_SECONDS", "601"),
            ("TOKEN_TTL_HOURS", "0"),
            ("TOKEN_TTL_HOURS", "-48"),
            ("SESSION_MAX_DAYS", "0"),
            ("SESSION_MAX_DAYS", "3651"),
            ("SESSIONS_PER_USER", "-1"),
            ("SESSION_CACHE_SECONDS", "3"),
            ("FILES_URL", "ftp://files.example.com/"),
            ("FILES_URL", "/srv/files"),
            ("FILES_URL", "file:///dev/null/files"),
            ("FILES_URL", "s3://"),
            ("FILE_MAX_BYTES", "-1"),
            ("FILE_BYTES_PER_USER", "5GB"),
            ("FILES_PER_USER", "-1"),
            ("UPLOADS_PER_USER", "many"),
            ("FILE_TYPES", "image"),
            ("FILE_TYPES", "image/*,"),
            ("UPLOAD_MIN_BYTES_PER_SECOND", "0"),
            ("DOWNLOAD_MIN_BYTES_PER_SECOND", "0"),
            ("LINKS_PER_FILE", "-1"),
            ("LINK_MAX_DAYS", "0"),
            ("LINK_MAX_DAYS", "3651"),
            ("PICTURE_MAX_BYTES", "1023"),
            ("PICTURES_PER_HOUR", "-1"),
            ("UPLOAD_EXPIRY_HOURS", "0"),
            ("UPLOAD_EXPIRY_HOURS", "721"),
            ("DEFAULT_COUNTRY", "QQ"),
            ("DEFAULT_COUNTRY", "India"),
            ("ALLOWED_COUNTRIES", "IN,QQ"),
            ("TRUSTED_PROXIES", "everyone"),
            ("CLIENT_IP_HEADER", "not a header"),
            ("CORS_ORIGINS", "*"),
            ("CORS_ORIGINS", "app.example.com"),
            ("CORS_ORIGINS", "https://app.example.com/"),
            ("CORS_ORIGINS", "https://app.example.com,"),
            ("TEST_NUMBERS", "+919876543210=471100"),
            ("TEST_NUMBERS", "+919876543210=471100@"),
            ("TEST_NUMBERS", "+919876543210=471100@2027-02-30"),
            ("TEST_NUMBERS", "98765 43210=471100@2099-12-31"),
            ("SIGN_IN_PAGE", "maybe"),
            ("COOKIE_DOMAIN", ".example.com"),
            ("COOKIE_DOMAIN", "Example.com"),
            ("COOKIE_DOMAIN", "https://example.com"),
            ("COOKIE_DOMAIN", "example.com:443"),
            ("COOKIE_DOMAIN", "example.com; Path=/a"),
            ("COOKIE_DOMAIN", "localhost"),
            ("COOKIE_DOMAIN", "127.0.0.1"),
            // Without PUBLIC_URL.
            ("SIGN_IN_REDIRECT", "on"),
            ("SIGN_IN_REDIRECT", "yes"),
            ("RETURN_TO_ORIGINS", "*"),
            ("RETURN_TO_ORIGINS", "app.example.com"),
            ("RETURN_TO_ORIGINS", "https://app.example.com/"),
            ("RETURN_TO_ORIGINS", "https://app.example.com,"),
            ("RETURN_TO_ORIGINS", "https://*.example.com"),
            ("RETURN_TO_ORIGINS", "capacitor://localhost"),
            ("CLIENTS_FILE", "/no/such/file"),
            ("EVENTS_WEBHOOK_URL", "hunter2hunter2"),
            ("SIGNING_KEY_FILES", "/no/such/file"),
            ("SIGNING_KEY_FILES", ","),
            ("JWT_TTL_SECONDS", "29"),
            ("JWT_TTL_SECONDS", "3601"),
            ("SMS_PROVIDERS", "pigeon"),
            ("SEND_COOLDOWN_SECONDS", "soon"),
            ("SENDS_PER_NUMBER_HOUR", "-1"),
            ("SENDS_PER_HOUR", "1.5"),
            ("WRONG_GUESSES_PER_NUMBER_DAY", "4294967296"),
        ],
    )
    .await;
}

#[async_test]
async fn the_worker_names_the_setting_that_is_wrong() {
    // With six digits in place of {code}.
    let too_long = format!("{{code}}{}", "a".repeat(1_595));
    each_is_refused(
        "worker",
        &[
            ("APP_ENV", "staging"),
            ("DATABASE_URL", "mysql://user:hunter2hunter2@localhost/db"),
            ("REDIS_URL", "http://user:hunter2hunter2@localhost"),
            ("OTP_SECRET", HUNTER),
            ("METRICS_ADDR", "9465"),
            ("WORKER_CONCURRENCY", "0"),
            ("WORKER_CONCURRENCY", "6001"),
            ("WORKER_CONCURRENCY", "70000"),
            ("WORKER_CONCURRENCY", "-1"),
            ("WORKER_CONCURRENCY", "many"),
            ("EVENT_RETENTION_DAYS", "0"),
            ("FILES_URL", "https://files.example.com/"),
            ("FILE_SWEEP_SECONDS", "0"),
            ("UPLOAD_EXPIRY_HOURS", "0"),
            ("EVENTS_WEBHOOK_URL", "ftp://events.example.com"),
            ("EVENTS_WEBHOOK_SECRET", "hunter2hunter2"),
            ("EVENTS_WEBHOOK_SECRET", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="),
            ("SMS_PROVIDERS", "pigeon"),
            ("TWILIO_SID", "hunter2hunter2"),
            ("TWILIO_PHONE_NUMBER", "call me"),
            ("TWILIO_BASE_URL", "not a url"),
            ("TWILIO_BASE_URL", "ftp://api.twilio.com"),
            ("SMS_TEMPLATE", "Your code has no place."),
            ("SMS_TEMPLATE", "{code} for {name}"),
            ("SMS_TEMPLATE", "{code} {"),
            ("SMS_TEMPLATE", &too_long),
            ("OTP_ORIGIN", "https://example.com"),
            ("OTP_ORIGIN", "192.0.2.7"),
        ],
    )
    .await;
    for name in ["TWILIO_SID", "TWILIO_API_KEY", "TWILIO_PHONE_NUMBER"] {
        let mut settings = development();
        settings.insert("SMS_PROVIDERS".to_owned(), "twilio".to_owned());
        settings.remove(name);
        is_refused("worker", &settings, name).await;
    }
}

#[async_test]
async fn production_refuses_what_is_for_development() {
    for (program, missing) in
        [("api", "OTP_SECRET"), ("worker", "OTP_SECRET"), ("api", "TRUSTED_PROXIES")]
    {
        let mut settings = production();
        settings.remove(missing);
        is_refused(program, &settings, missing).await;
        settings.insert(missing.to_owned(), String::new());
        is_refused(program, &settings, missing).await;
    }
    let mut settings = production();
    settings.retain(|name, _| !name.starts_with("TWILIO_"));
    is_refused("worker", &settings, "SMS_PROVIDERS").await;
    settings.insert("SMS_PROVIDERS".to_owned(), "console".to_owned());
    is_refused("worker", &settings, "SMS_PROVIDERS").await;
}

#[async_test]
async fn events_need_both_settings_and_are_encrypted() {
    let (url, secret) = ("EVENTS_WEBHOOK_URL", "EVENTS_WEBHOOK_SECRET");
    let key = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let with = |more: &[(&str, &str)]| {
        let mut settings = production();
        settings.extend(more.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        settings
    };
    is_refused("worker", &with(&[(url, "https://events.example.com")]), secret).await;
    is_refused("worker", &with(&[(secret, key)]), url).await;
    let plain = [(url, "http://events.example.com"), (secret, key)];
    is_refused("worker", &with(&plain), url).await;
    is_refused("api", &with(&plain[..1]), url).await;
    for there in ["https://events.example.com", "http://127.0.0.1:1"] {
        starts("worker", &with(&[(url, there), (secret, key)])).await;
        starts("api", &with(&[(url, there)])).await;
    }
}

#[async_test]
async fn a_provider_of_challenges_needs_its_keys() {
    for kind in ["turnstile", "hcaptcha"] {
        let mut settings = development();
        settings.insert("CHALLENGE".to_owned(), kind.to_owned());
        is_refused("api", &settings, "CHALLENGE_SITE_KEY").await;
        settings.insert("CHALLENGE_SITE_KEY".to_owned(), "a key".to_owned());
        is_refused("api", &settings, "CHALLENGE_SECRET").await;
        settings.insert("CHALLENGE_SECRET".to_owned(), HUNTER.to_owned());
        settings.insert("CHALLENGE_VERIFY_URL".to_owned(), "no url".to_owned());
        is_refused("api", &settings, "CHALLENGE_VERIFY_URL").await;
    }
}

/// Every setting of a program whose value is a secret, with a value that it takes.
fn secrets(program: &str) -> Vec<(&'static str, &'static str)> {
    let api = [("TEST_NUMBERS", "+919876543210=471100@2099-12-31"), ("CHALLENGE_SECRET", HUNTER)];
    let worker = [
        ("TWILIO_API_KEY_SID", API_KEY_SID),
        ("TWILIO_BASE_URL", "https://hunter2hunter2.example"),
        ("SMS_WEBHOOK_URL", "https://hunter2hunter2.example/sms"),
        ("SMS_WEBHOOK_SECRET", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
        ("EVENTS_WEBHOOK_SECRET", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
    ];
    let both = [
        ("DATABASE_URL", "sqlite://app.db?mode=rwc"),
        ("REDIS_URL", "redis://user:hunter2hunter2@127.0.0.1:1"),
        ("REDIS_SENTINEL_PASSWORD", HUNTER),
        ("OTP_SECRET", OTP_SECRET),
        ("TWILIO_SID", ACCOUNT_SID),
        ("TWILIO_API_KEY", API_KEY),
        ("TWILIO_AUTH_TOKEN", HUNTER),
        ("EVENTS_WEBHOOK_URL", "https://hunter2hunter2.example/events"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
    ];
    let own = if program == "api" { &api[..] } else { &worker[..] };
    [&both[..], own].concat()
}

/// As help tells them apart: it does not show their values.
fn names_of_secrets(command: &clap::Command) -> Vec<String> {
    let secret = command.get_arguments().filter(|argument| argument.is_hide_env_values_set());
    let mut names: Vec<_> =
        secret.map(|argument| argument.get_env().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[async_test]
async fn what_clings_to_a_secret_is_named() {
    use clap::CommandFactory;
    for (program, command) in
        [("api", api::config::Cli::command()), ("worker", worker::config::Cli::command())]
    {
        let mut named: Vec<_> =
            secrets(program).iter().map(|(name, _)| (*name).to_owned()).collect();
        named.sort();
        assert_eq!(named, names_of_secrets(&command), "every secret of {program}");
        for (name, value) in secrets(program) {
            for wrong in [
                format!("{value}\n"),
                format!("{value}\r\n"),
                format!(" {value}"),
                format!("\"{value}\""),
                format!("'{value}'"),
            ] {
                println!("{name}={wrong:?}");
                let mut settings = development();
                settings.insert(name.to_owned(), wrong);
                is_refused(program, &settings, name).await;
            }
        }
        let mut settings = development();
        settings.insert("OTP_SECRET".to_owned(), format!("{OTP_SECRET},'{OTP_SECRET}'"));
        is_refused(program, &settings, "OTP_SECRET").await;
    }
}

#[async_test]
async fn production_speaks_to_providers_encrypted_or_to_its_own_machine() {
    let webhook = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    for (provider, name) in
        [("twilio", "TWILIO_BASE_URL"), ("webhook", "SMS_WEBHOOK_URL"), ("twilio", "PUBLIC_URL")]
    {
        let with = |url: &str| {
            let mut settings = production();
            let more = [
                ("SMS_PROVIDERS", provider),
                ("SMS_WEBHOOK_SECRET", webhook),
                ("TWILIO_AUTH_TOKEN", "token"),
                (name, url),
            ];
            settings.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
            settings
        };
        for url in ["http://sms.example.com", "http://localhost.example.com", "http://10.0.0.1"] {
            is_refused("worker", &with(url), name).await;
            let mut settings = with(url);
            settings.remove("APP_ENV");
            starts("worker", &settings).await;
        }
        for url in
            ["https://sms.example.com", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost"]
        {
            starts("worker", &with(url)).await;
        }
    }
    let verified_by = |url: &str| {
        let mut settings = production();
        let more = [
            ("CHALLENGE", "turnstile"),
            ("CHALLENGE_SITE_KEY", "key"),
            ("CHALLENGE_SECRET", "secret"),
            ("CHALLENGE_VERIFY_URL", url),
        ];
        settings.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        settings
    };
    is_refused("api", &verified_by("http://verify.example.com"), "CHALLENGE_VERIFY_URL").await;
    starts("api", &verified_by("https://verify.example.com")).await;
}

/// Its settings are right: it gets as far as its work.
async fn starts(program: &str, settings: &Settings) {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::spawn(program, program, &[], settings, folder.path());
    let event = if program == "api" { "listening" } else { "worker_started" };
    process.wait_for_event(event, SOON).await;
}

#[async_test]
async fn development_listens_on_this_machine_alone_unless_it_is_told_otherwise() {
    for host in ["0.0.0.0", "::", "192.0.2.7"] {
        let mut settings = development();
        settings.insert("HOST".to_owned(), host.to_owned());
        is_refused("api", &settings, "EXPOSE_DEVELOPMENT").await;
        is_refused("api", &settings, "HOST").await;
    }
    for (host, name, value) in [
        ("127.0.0.2", "EXPOSE_DEVELOPMENT", "off"),
        ("0.0.0.0", "EXPOSE_DEVELOPMENT", "on"),
        ("0.0.0.0", "APP_ENV", "production"),
    ] {
        let mut settings = development();
        settings.insert("HOST".to_owned(), host.to_owned());
        settings.insert(name.to_owned(), value.to_owned());
        starts("api", &settings).await;
    }
}

#[async_test]
async fn production_runs_with_all_that_it_asks_for() {
    let app = Plan::new().set("APP_ENV", "production").set("TRUSTED_PROXIES", "none").start().await;
    let signed_in = app.sign_in("Asha", NUMBER).await;
    app.client().protected(signed_in.token()).await.expect(200);
}

#[async_test]
async fn help_says_all_but_secrets() {
    let mut settings = production();
    let urls = [
        ("DATABASE_URL", "postgres://user:hunter2hunter2@localhost/db"),
        ("REDIS_URL", "redis://user:hunter2hunter2@localhost"),
    ];
    settings.extend(urls.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let common = ["APP_ENV", "DATABASE_URL", "REDIS_URL", "OTP_SECRET", "OTP_TTL_SECONDS"];
    let api =
        ["HOST", "PORT", "OTP_LENGTH", "DEFAULT_COUNTRY", "ALLOWED_COUNTRIES", "TOKEN_TTL_HOURS"];
    let worker = [
        "APP_NAME",
        "SMS_PROVIDERS",
        "TWILIO_SID",
        "TWILIO_API_KEY",
        "WORKER_CONCURRENCY",
        "SMS_TEMPLATE",
        "OTP_ORIGIN",
    ];
    for (program, named) in [
        ("api", [&common[..], &api[..]].concat()),
        ("worker", [&common[..4], &worker[..]].concat()),
        ("migration", vec!["DATABASE_URL", "up", "down", "status"]),
    ] {
        let ended = run(program, &["--help"], &settings).await;
        assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
        for name in named {
            assert!(
                ended.stdout.contains(name),
                "{program} --help says nothing of {name}: {}",
                ended.stdout
            );
        }
        for secret in [HUNTER, OTP_SECRET, API_KEY] {
            assert!(!ended.stdout.contains(secret), "{program} --help: {}", ended.stdout);
        }
    }
}

#[async_test]
async fn a_flag_wins_over_the_environment() {
    let mut settings = development();
    settings.insert("PORT".to_owned(), "abc".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let mut api = Process::spawn("api", "api", &["--port", "0"], &settings, folder.path());
    api.wait_for_event("listening", SOON).await;
}

#[async_test]
async fn a_taken_port_is_one_clear_line() {
    let app = Plan::new().workers(0).start().await;
    let mut settings = app.settings.clone();
    let (_, port) = app.client().address().rsplit_once(':').unwrap();
    settings.insert("PORT".to_owned(), port.to_owned());
    is_refused("api", &settings, port).await;
}

#[async_test]
async fn the_document_can_be_printed_without_any_service() {
    let app = Plan::new().workers(0).start().await;
    let served = app.client().get("/openapi.json", None).await.expect(200);
    let printed = run("api", &["openapi"], &Settings::new()).await;
    assert!(printed.status.success(), "{printed:?}");
    let printed: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(printed["paths"], served.body["paths"]);
    assert_eq!(printed["components"], served.body["components"]);
}

async fn tables(database: &Database) -> Vec<String> {
    let sql = if database.is_postgres() {
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table'"
    };
    let mut tables: Vec<String> = database.column(sql).await;
    tables.retain(|table| table == "users" || table == "tokens");
    tables.sort();
    tables
}

async fn migrate(app: &App, arguments: &[&str]) -> String {
    let ended = run("migration", arguments, &app.settings).await;
    assert!(ended.status.success(), "migration {arguments:?}: {ended:?}");
    ended.stdout
}

#[async_test]
async fn migrations_go_up_down_and_up_again() {
    let app = Plan::new().apis(0).workers(0).start().await;
    assert_eq!(tables(&app.database).await, ["tokens", "users"]);
    let up = migrate(&app, &["status"]).await;
    let steps = up.lines().count();
    assert!(steps > 0, "a line for each step: {up}");

    migrate(&app, &["up"]).await;
    for _ in 0..steps {
        migrate(&app, &["down"]).await;
    }
    assert!(tables(&app.database).await.is_empty());
    let down = migrate(&app, &["status"]).await;
    assert_eq!(down.lines().count(), steps, "{down}");
    assert!(down.lines().zip(up.lines()).all(|(down, up)| down != up), "{up}\n{down}");
    migrate(&app, &["up"]).await;
    assert_eq!(tables(&app.database).await, ["tokens", "users"]);
    assert_eq!(migrate(&app, &["status"]).await, up);
}

#[async_test]
async fn migration_names_a_database_that_it_cannot_use() {
    for url in [
        "mysql://user:hunter2hunter2@localhost/db",
        "postgres://user:hunter2hunter2@127.0.0.1:1/db",
        "postgres://user:hunter2hunter2@127.0.0.1/db\n",
        "'postgres://user:hunter2hunter2@127.0.0.1/db'",
    ] {
        let ended = run("migration", &["up"], &settings(&[("DATABASE_URL", url)])).await;
        assert!(!ended.status.success(), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        assert!(ended.stderr.contains("DATABASE_URL"), "{ended:?}");
        assert!(!ended.stderr.contains(HUNTER) && !ended.stdout.contains(HUNTER), "{ended:?}");
    }
}

#[async_test]
async fn a_step_back_in_production_loses_data_only_when_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("app.db").display());
    let production = settings(&[("APP_ENV", "production"), ("DATABASE_URL", &url)]);
    assert!(run("migration", &["up"], &production).await.status.success());
    let refused = run("migration", &["down"], &production).await;
    assert!(!refused.status.success(), "{refused:?}");
    assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
    assert!(refused.stderr.starts_with("--yes: "), "{refused:?}");
    let told = run("migration", &["status"], &production).await;
    assert!(!told.stdout.contains("pending"), "{told:?}");
    assert!(run("migration", &["down", "--yes"], &production).await.status.success());
    let told = run("migration", &["status"], &production).await;
    assert_eq!(told.stdout.matches("pending").count(), 1, "{told:?}");
}
