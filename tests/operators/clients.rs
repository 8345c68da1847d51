//! `api client new`

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Ended, json, run_with, settings_of, text};
use crate::support::app::Plan;

#[async_test]
async fn an_entry_and_its_secret_are_printed_once() {
    let app = Plan::new().workers(0).start().await;
    let made = json(&app, "api client new --name Billing --id billing").await;
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 43);
    let hash = format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(secret)));
    let client = json!({
        "id": "billing", "name": "Billing", "secret_hashes": [hash], "introspect": true, "phone_number": false
    });
    assert_eq!(made["client"], client);

    let printed = text(&app, "api client new --name Orders --phone-number").await;
    let (entry, rest) = printed.split_once("\n\n").unwrap();
    let entry: Value = serde_json::from_str(entry).unwrap();
    assert_eq!((&entry["name"], &entry["phone_number"]), (&json!("Orders"), &json!(true)));
    assert_eq!(entry["id"].as_str().unwrap().len(), 26);
    let secret = rest.lines().last().unwrap();
    let hash = format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(secret)));
    assert_eq!(entry["secret_hashes"], json!([hash]));
    assert_ne!(json(&app, "api client new --name Billing").await["secret"], made["secret"]);
}

#[async_test]
async fn what_cannot_be_an_entry_is_named() {
    let app = Plan::new().workers(0).start().await;
    for (arguments, named) in [
        ("", "--name"),
        ("--name \u{200b}", "--name"),
        ("--name A --id a:b", "--id"),
        ("--name A --id cheershare", "--id"),
    ] {
        let line = format!("api client new {arguments}");
        let Ended { code, stdout, stderr } = run_with(&app, &settings_of(&app), &line).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments}");
        assert!(stderr.starts_with(named) && stderr.lines().count() == 1, "{stderr}");
    }
}
