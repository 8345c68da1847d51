//! `api client new` for clients that users sign in to.

use serde_json::{Value, json};

use super::Provider;
use crate::support::app::SOON;
use crate::support::process::Process;

async fn run(provider: &Provider, arguments: &[&str]) -> (bool, String, String) {
    let arguments = [&["client", "new", "--name", "New", "--id", "new"], arguments].concat();
    let folder = provider.app.folder();
    let mut program = Process::spawn("client", "api", &arguments, &provider.app.settings, folder);
    let status = program.ended(SOON).await;
    (status.success(), program.stdout(), program.stderr())
}

#[async_test]
async fn an_entry_is_made_that_the_file_takes() {
    let provider = Provider::start().await;
    let uri = ["--redirect-uri", "https://new.example.com/cb"];
    let (done, out, _) = run(&provider, &[&uri[..], &["--json"]].concat()).await;
    assert!(done);
    let made: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(made["client"]["redirect_uris"], json!([uri[1]]));
    assert_eq!(made["client"]["introspect"], false);
    assert_eq!(made["secret"].as_str().unwrap().len(), 43);

    let more = [
        "--redirect-uri",
        "http://localhost:3000/cb",
        "--post-logout-redirect-uri",
        "https://new.example.com/",
        "--synthetic-email",
        "users.invalid",
        "--pkce-optional",
        "--introspect",
        "--json",
    ];
    let (_, out, _) = run(&provider, &[&uri[..], &more].concat()).await;
    let made: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        made["client"],
        json!({
            "id": "new",
            "name": "New",
            "secret_hashes": made["client"]["secret_hashes"],
            "introspect": true,
            "phone_number": false,
            "redirect_uris": [uri[1], "http://localhost:3000/cb"],
            "post_logout_redirect_uris": ["https://new.example.com/"],
            "pkce": "optional",
            "synthetic_email": "users.invalid",
        })
    );

    let (_, out, _) = run(&provider, &[&uri[..], &["--public"]].concat()).await;
    assert!(out.contains("There is no secret.") && !out.contains("secret_hashes"), "{out}");

    for (wrong, told) in [
        (&["--redirect-uri", "http://new.example.com/cb"][..], "redirect_uris[0] has to be https"),
        (&["--public"], "--redirect-uri"),
        (&[uri[0], uri[1], "--synthetic-email", "@a"], "synthetic_email has to be a domain"),
    ] {
        let (done, _, error) = run(&provider, wrong).await;
        assert!(!done && error.contains(told), "{error}");
    }
}
