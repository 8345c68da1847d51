//! `GET /`: the sign-in page.

use common::domain::phone::{Country, NumberingPlan};
use serde_json::{Value, json};

use super::{Parts, dev_inbox};
use crate::config::Config;
use crate::http::origin::Origin;
use crate::http::static_content::StaticContent;

pub const PATH: &str = "/";

const SCRIPT: &str = include_str!("sign_in.js");
/// What the script has in that place where people may be asked to solve a challenge.
const SOLVER: &str = include_str!("solve.js");
const PLACE_OF_SOLVER: &str = "// solve.js stands here where there are challenges.\n";
const UPLOADS: &str = include_str!("upload.js");
const PLACE_OF_UPLOADS: &str = "// upload.js stands here where there are files.\n";

/// The page, for these settings.
pub(super) fn page(config: &Config) -> StaticContent {
    let destinations = &config.destinations;
    let allowed = destinations.allowed();
    let usual = allowed.usual(destinations.default_country);
    let example_number =
        usual.and_then(NumberingPlan::of).map(|plan| plan.example_number()).unwrap_or_default();
    let inbox = config.has_dev_inbox().then_some(dev_inbox::PATH);
    let uploads = if config.files.is_on(&config.app) { UPLOADS } else { "" };
    let solver = if config.challenge.is_altcha() { SOLVER } else { "" };
    Parts {
        html: include_str!("sign_in.html"),
        style: include_str!("sign_in.css"),
        script: SCRIPT.replace(PLACE_OF_SOLVER, solver).replace(PLACE_OF_UPLOADS, uploads),
        settings: json!({
            "otpLength": config.otp.otp_length.digits(),
            "country": usual.as_ref().map(Country::code),
            "countries": allowed.plans().iter().map(country_setting).collect::<Vec<_>>(),
            "inbox": inbox,
            "returnTo": config.browser.return_to().iter().map(Origin::to_string).collect::<Vec<_>>(),
        }),
        texts: vec![
            ("app", config.app.app_name.clone()),
            ("example", example_number),
            ("origin", origin(config)),
        ],
    }
    .page()
}

/// Where people reach the API, as far as the settings say.
fn origin(config: &Config) -> String {
    let local = || format!("http://{}", config.server.address());
    config
        .callbacks
        .public_url
        .as_deref()
        .map_or_else(local, |url| url.trim_end_matches('/').to_owned())
}

/// What the script knows of a country.
fn country_setting(plan: &NumberingPlan) -> Value {
    json!([plan.country.code(), plan.calling_code.to_string(), plan.trunk_prefix, plan.example])
}
