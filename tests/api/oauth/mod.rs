//! What programs of the operator's own do: OAuth 2.0's introspection and revocation.

mod client_authentication;
mod clients_file;
mod introspection;
mod revocation;

use std::path::PathBuf;

use data_encoding::{BASE64, HEXLOWER};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::app::Plan;
use crate::support::client::{Answer, Client};

const INTROSPECT: &str = "/oauth/introspect";
const REVOKE: &str = "/oauth/revoke";

/// May ask, and is told numbers.
const BILLING: (&str, &str) = ("billing", "3mjUi0GPbGmVsCXlX8VrBSPs3tkAhqiCg2gtPBaV5S4");
/// May ask.
const ORDERS: (&str, &str) = ("orders", "9w1hTSpjoMSXjY4QgDXwCe7HEkLcSgGGcJ8F6pLGVDs");
/// May not.
const NOBODY: (&str, &str) = ("nobody", "Tq0bZzqFhkYw9Yc0WnYlYk1sIuOYtCq1d5E0y2b7C9A");

/// A file of clients, until this is dropped.
struct ClientsFile(TempDir);

impl ClientsFile {
    /// With the three above.
    fn new() -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        file.write(&json!([
            entry(BILLING, true, true),
            entry(ORDERS, true, false),
            entry(NOBODY, false, true)
        ]));
        file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("clients.json")
    }

    fn write(&self, clients: &Value) {
        std::fs::write(self.path(), clients.to_string()).unwrap();
    }

    /// What is started with it.
    fn plan(&self) -> Plan {
        Plan::new().set("CLIENTS_FILE", self.path().to_str().unwrap())
    }
}

fn entry((id, secret): (&str, &str), introspect: bool, phone_number: bool) -> Value {
    json!({
        "id": id,
        "name": format!("The {id}"),
        "secret_hashes": [hash_of(secret)],
        "introspect": introspect,
        "phone_number": phone_number,
    })
}

fn hash_of(secret: &str) -> String {
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(secret)))
}

pub(crate) fn basic((id, secret): (&str, &str)) -> String {
    format!("Basic {}", BASE64.encode(format!("{id}:{secret}").as_bytes()))
}

/// POST of a form, by HTTP Basic where a client is given.
pub(crate) async fn post_form(
    client: &Client,
    path: &str,
    authorization: Option<&str>,
    form: &[(&str, &str)],
) -> Answer {
    let mut headers = HeaderMap::new();
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert("content-type", form_type);
    if let Some(value) = authorization {
        headers.insert("authorization", value.parse().unwrap());
    }
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    client.send(Method::POST, path, headers, body).await
}

/// What a client is told about a token.
async fn introspect(client: &Client, asking: (&str, &str), token: &str) -> Value {
    let answer = post_form(client, INTROSPECT, Some(&basic(asking)), &[("token", token)]).await;
    let answer = answer.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
    answer.body
}

/// Asserts an error as RFC 6749, 5.2, has it.
#[track_caller]
fn is_oauth_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.body["error"], code, "{answer:?}");
    let description = answer.body["error_description"].as_str().unwrap_or_default();
    assert!(!description.is_empty(), "{answer:?}");
    // RFC 6749, 5.2: not all of ASCII.
    assert!(
        description.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte))
    );
    assert_eq!(answer.body.as_object().unwrap().len(), 2, "{answer:?}");
    let scheme = if status == 401 { "Basic realm=\"cheershare\"" } else { "" };
    assert_eq!(answer.header("www-authenticate"), scheme, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
    assert!(answer.header("content-type").starts_with("application/json"), "{answer:?}");
}
