//! Reads `CLIENTS_FILE`: a JSON list of clients. All that is wrong with it is told at once, each
//! fault with the client and the field that it is in. No fault quotes a value.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use common::config::SettingError;
use common::domain::person_name::PersonName;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::error::Category;

use super::{ClientId, OpenIdTerms, RedirectUri, RegisteredClient, RegisteredClients, SecretHash};

const SETTING: &str = "CLIENTS_FILE";

impl RegisteredClients {
    /// Reads a file.
    ///
    /// # Errors
    /// One for each fault.
    pub fn read(path: &Path) -> Result<Self, Vec<SettingError>> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| vec![fault(format!("cannot be read: {error}"))])?;
        Self::parse(&text)
    }

    /// Reads what a file holds.
    ///
    /// # Errors
    /// One for each fault.
    pub fn parse(text: &str) -> Result<Self, Vec<SettingError>> {
        let elements: Vec<Element> =
            serde_json::from_str(text).map_err(|error| vec![fault(not_a_list(&error))])?;
        let mut clients = HashMap::new();
        let mut places: HashMap<ClientId, usize> = HashMap::new();
        let mut faults = Vec::new();
        for (element, place) in elements.into_iter().zip(1..) {
            let Element::Object(object) = element else {
                faults.push(fault(format!("client {place} has to be an object")));
                continue;
            };
            let mut fields = Fields::new(place, object, &mut faults);
            let client = fields.client();
            if let Some(id) = fields.id.clone() {
                match places.entry(id) {
                    Entry::Occupied(first) => {
                        fields.fault("id", &format!("is that of client {} too", first.get()));
                    }
                    Entry::Vacant(free) => {
                        free.insert(place);
                    }
                }
            }
            clients.extend(client.map(|client| (client.id.to_string(), Arc::new(client))));
        }
        if faults.is_empty() { Ok(Self(clients)) } else { Err(faults) }
    }
}

fn fault(reason: String) -> SettingError {
    SettingError::new(SETTING, reason)
}

/// The library's own words would quote what it did not expect, which may be a secret.
fn not_a_list(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Data => "has to be a JSON list of clients".to_owned(),
        _ => format!("is not JSON: line {line}, column {column}"),
    }
}

/// What is between the commas of the list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Element {
    Object(Object),
    Other(IgnoredAny),
}

/// An object with all its fields, repeated ones too.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Object(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

/// The fields of one client that are not yet read, and where to tell what is wrong with them.
struct Fields<'a> {
    /// Counted from 1.
    place: usize,
    /// Where it can be read: faults name it.
    id: Option<ClientId>,
    left: HashMap<String, Value>,
    faults: &'a mut Vec<SettingError>,
}

impl<'a> Fields<'a> {
    fn new(place: usize, Object(pairs): Object, faults: &'a mut Vec<SettingError>) -> Self {
        let id = pairs.iter().find(|(name, _)| name == "id");
        let id = id.and_then(|(_, value)| ClientId::parse(value.as_str()?));
        let mut fields = Self { place, id, left: HashMap::new(), faults };
        for (name, value) in pairs {
            if fields.left.insert(name.clone(), value).is_some() {
                fields.fault(&name, "is there twice");
            }
        }
        fields
    }

    /// All fields are read before any fault counts, so that each is told.
    fn client(&mut self) -> Option<RegisteredClient> {
        let id = self.required("id", "1 to 64 letters, digits, -, _ and .", |value| {
            ClientId::parse(value.as_str()?)
        });
        let name = self.required("name", "1 to 100 characters", |value| {
            PersonName::parse(value.as_str()?).ok()?
        });
        let openid = self.openid();
        let secret_hashes = self.secret_hashes(!matches!(openid, Some(None)));
        let introspect = self.switch("introspect");
        let phone_number = self.switch("phone_number");
        let is_public = secret_hashes.as_ref().is_some_and(Vec::is_empty);
        if is_public && introspect == Some(true) {
            self.fault("introspect", "needs secret_hashes");
        }
        if is_public && matches!(&openid, Some(Some(terms)) if !terms.needs_pkce) {
            self.fault("pkce", "has to be required where there are no secret_hashes");
        }
        let mut unknown: Vec<String> = self.left.drain().map(|(name, _)| name).collect();
        unknown.sort();
        for name in unknown {
            self.fault(&name, "is no field of a client");
        }
        Some(RegisteredClient {
            id: id?,
            name: name?,
            secret_hashes: secret_hashes?,
            introspect: introspect?,
            phone_number: phone_number?,
            openid: openid?,
        })
    }

    /// The terms of a client that users sign in to: it has `redirect_uris`.
    fn openid(&mut self) -> Option<Option<OpenIdTerms>> {
        const OTHERS: [&str; 4] =
            ["post_logout_redirect_uris", "pkce", "synthetic_email", "backchannel_logout_uri"];
        if !self.left.contains_key("redirect_uris") {
            for name in OTHERS {
                if self.left.remove(name).is_some() {
                    self.fault(name, "needs redirect_uris");
                }
            }
            return Some(None);
        }
        let redirect_uris = self.uris("redirect_uris");
        let post_logout_redirect_uris = if self.left.contains_key("post_logout_redirect_uris") {
            self.uris("post_logout_redirect_uris")
        } else {
            Some(Vec::new())
        };
        self.left.entry("pkce".to_owned()).or_insert_with(|| "required".into());
        let needs_pkce =
            self.required("pkce", "required or optional", |value| match value.as_str()? {
                "required" => Some(true),
                "optional" => Some(false),
                _ => None,
            });
        let synthetic_email = match self.left.contains_key("synthetic_email") {
            true => self
                .required("synthetic_email", "a domain, like users.invalid", |value| {
                    domain(value.as_str()?)
                })
                .map(Some),
            false => Some(None),
        };
        let backchannel_logout_uri = match self.left.contains_key("backchannel_logout_uri") {
            true => self
                .required("backchannel_logout_uri", "an https URL", |value| {
                    let uri = value.as_str().filter(|uri| uri.starts_with("http"))?;
                    RedirectUri::parse(uri).ok().map(|_| uri.to_owned())
                })
                .map(Some),
            false => Some(None),
        };
        Some(Some(OpenIdTerms {
            redirect_uris: redirect_uris?,
            post_logout_redirect_uris: post_logout_redirect_uris?,
            needs_pkce: needs_pkce?,
            synthetic_email: synthetic_email?,
            backchannel_logout_uri: backchannel_logout_uri?,
        }))
    }

    fn uris(&mut self, name: &str) -> Option<Vec<RedirectUri>> {
        let list = self.list(name)?;
        let uris: Vec<_> =
            list.iter().map(|value| RedirectUri::parse(value.as_str().unwrap_or(""))).collect();
        for (index, uri) in uris.iter().enumerate() {
            if let Err(reason) = uri {
                self.fault(&format!("{name}[{index}]"), reason);
            }
        }
        uris.into_iter().collect::<Result<_, _>>().ok()
    }

    fn list(&mut self, name: &str) -> Option<Vec<Value>> {
        self.required(name, "a list of at least one", |value| {
            value.as_array().filter(|list| !list.is_empty()).cloned()
        })
    }

    /// Who has none says so by having no such field, and only where users sign in to it.
    fn secret_hashes(&mut self, may_be_public: bool) -> Option<Vec<SecretHash>> {
        const EXPECTED: &str = "has to be sha256: and 64 lower-case hexadecimal digits, as \
            `api client new` prints it";
        if may_be_public && !self.left.contains_key("secret_hashes") {
            return Some(Vec::new());
        }
        let list = self.list("secret_hashes")?;
        let hashes: Vec<Option<SecretHash>> =
            list.iter().map(|value| SecretHash::parse(value.as_str()?)).collect();
        for (index, _) in hashes.iter().enumerate().filter(|(_, hash)| hash.is_none()) {
            self.fault(&format!("secret_hashes[{index}]"), EXPECTED);
        }
        hashes.into_iter().collect()
    }

    fn required<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        match self.left.remove(name) {
            None => {
                self.fault(name, "is missing");
                None
            }
            Some(value) => {
                let read = read(&value);
                if read.is_none() {
                    self.fault(name, &format!("has to be {expected}"));
                }
                read
            }
        }
    }

    /// Off where it is not there.
    fn switch(&mut self, name: &str) -> Option<bool> {
        self.left.entry(name.to_owned()).or_insert(Value::Bool(false));
        self.required(name, "true or false", Value::as_bool)
    }

    fn fault(&mut self, field: &str, reason: &str) {
        let place = self.place;
        let client = match &self.id {
            Some(id) => format!("client {place} ({id})"),
            None => format!("client {place}"),
        };
        self.faults.push(fault(format!("{client}: {} {reason}", shown(field))));
    }
}

/// Labels of letters, digits and hyphens, two at least.
fn domain(text: &str) -> Option<String> {
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(plain)
    };
    let is_domain = text.len() <= 200 && text.contains('.') && text.split('.').all(is_label);
    is_domain.then(|| text.to_owned())
}

/// A field's name on one line, and no longer than names are.
fn shown(field: &str) -> String {
    field.chars().filter(|char| !char.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn faults(text: &str) -> Vec<String> {
        RegisteredClients::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    /// The faults of a list whose one client has these fields.
    fn faults_of(fields: &str) -> Vec<String> {
        faults(&format!("[{{{fields}}}]"))
    }

    #[test]
    fn a_client_may_do_what_its_entry_says_and_no_more() {
        let text = format!(
            r#"[{{"id": "all", "name": " All ", "secret_hashes": ["{HASH}"], "introspect": true, "phone_number": true}},
                {{"id": "none", "name": "None", "secret_hashes": ["{HASH}", "{HASH}"]}}]"#
        );
        let clients = RegisteredClients::parse(&text).unwrap().0;
        let may = |id: &str| (clients[id].introspect, clients[id].phone_number);
        assert_eq!((may("all"), may("none")), ((true, true), (false, false)));
        assert_eq!(clients["all"].name.as_str(), "All");
        assert!(RegisteredClients::parse("[]").unwrap().0.is_empty());
    }

    #[test]
    fn what_is_no_list_of_objects_is_one_fault() {
        for (text, told) in [
            ("", "is not JSON: line 1, column 0"),
            ("[\n{\"id\":}", "is not JSON: line 2, column 7"),
            ("[] []", "is not JSON: line 1, column 4"),
            ("{}", "has to be a JSON list of clients"),
            ("\"hunter2\"", "has to be a JSON list of clients"),
            ("null", "has to be a JSON list of clients"),
            ("[7]", "client 1 has to be an object"),
            ("[\"hunter2\"]", "client 1 has to be an object"),
            ("[[]]", "client 1 has to be an object"),
        ] {
            assert_eq!(faults(text), [format!("CLIENTS_FILE: {told}")], "{text}");
        }
    }

    #[test]
    fn each_field_that_is_wrong_is_named() {
        let right = format!(r#""id": "a", "name": "A", "secret_hashes": ["{HASH}"]"#);
        for (fields, told) in [
            (
                right.replace("\"a\"", "\"a b\""),
                "client 1: id has to be 1 to 64 letters, digits, -, _ and .",
            ),
            (
                right.replace("\"a\"", "7"),
                "client 1: id has to be 1 to 64 letters, digits, -, _ and .",
            ),
            (
                right.replace("\"a\"", "\"cheershare\""),
                "client 1: id has to be 1 to 64 letters, digits, -, _ and .",
            ),
            (right.replace("\"A\"", "\" \""), "client 1 (a): name has to be 1 to 100 characters"),
            (right.replace("\"name\": \"A\", ", ""), "client 1 (a): name is missing"),
            (
                right.replace(&format!("[\"{HASH}\"]"), "[]"),
                "client 1 (a): secret_hashes has to be a list of at least one",
            ),
            (
                right.replace(&format!("[\"{HASH}\"]"), "\"hunter2\""),
                "client 1 (a): secret_hashes has to be a list of at least one",
            ),
            (
                format!("{right}, \"introspect\": \"yes\""),
                "client 1 (a): introspect has to be true or false",
            ),
            (
                format!("{right}, \"phone_number\": null"),
                "client 1 (a): phone_number has to be true or false",
            ),
            (
                format!("{right}, \"secret\": \"hunter2\""),
                "client 1 (a): secret is no field of a client",
            ),
            (format!("{right}, \"name\": \"B\""), "client 1 (a): name is there twice"),
        ] {
            assert_eq!(faults_of(&fields), [format!("CLIENTS_FILE: {told}")], "{fields}");
        }
        let wrong_hash =
            right.replace(&format!("\"{HASH}\""), &format!("\"{HASH}\", \"hunter2\", 7"));
        let told = faults_of(&wrong_hash);
        assert_eq!(told.len(), 2, "{told:?}");
        for (fault, index) in told.iter().zip(1..) {
            let begin =
                format!("CLIENTS_FILE: client 1 (a): secret_hashes[{index}] has to be sha256: and");
            assert!(fault.starts_with(&begin) && !fault.contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn a_client_that_users_sign_in_to_says_where_it_is() {
        let text = format!(
            r#"[{{"id": "web", "name": "Web", "secret_hashes": ["{HASH}"],
                  "redirect_uris": ["https://a.example/cb"], "pkce": "optional",
                  "post_logout_redirect_uris": ["https://a.example/"],
                  "synthetic_email": "users.invalid"}},
                {{"id": "spa", "name": "Page", "redirect_uris": ["http://127.0.0.1/cb"]}},
                {{"id": "asks", "name": "Asks", "secret_hashes": ["{HASH}"]}}]"#
        );
        let clients = RegisteredClients::parse(&text).unwrap();
        let (web, terms) = clients.openid("web").unwrap();
        assert!(!web.is_public() && !terms.needs_pkce);
        assert_eq!(terms.synthetic_email.as_deref(), Some("users.invalid"));
        assert!(terms.redirects_to("https://a.example/cb"));
        assert!(!terms.redirects_to("https://a.example/"));
        assert!(terms.redirects_after_logout_to("https://a.example/"));
        let (spa, terms) = clients.openid("spa").unwrap();
        assert!(spa.is_public() && terms.needs_pkce);
        assert!(terms.redirects_to("http://127.0.0.1:4321/cb"));
        assert!(clients.openid("asks").is_none());
        assert!(clients.public("spa").is_ok() && clients.public("web").is_err());
    }

    #[test]
    fn each_field_of_sign_in_that_is_wrong_is_named() {
        let base = r#""id": "a", "name": "A""#;
        let uris = r#""redirect_uris": ["https://a.example/cb"]"#;
        let hashes = format!(r#""secret_hashes": ["{HASH}"]"#);
        for (fields, told) in [
            (format!("{base}, {hashes}, \"pkce\": \"optional\""), "pkce needs redirect_uris"),
            (
                format!("{base}, {hashes}, \"synthetic_email\": \"a.invalid\""),
                "synthetic_email needs redirect_uris",
            ),
            (
                format!("{base}, {hashes}, \"post_logout_redirect_uris\": []"),
                "post_logout_redirect_uris needs redirect_uris",
            ),
            (format!("{base}, {uris}, \"introspect\": true"), "introspect needs secret_hashes"),
            (
                format!("{base}, {uris}, \"pkce\": \"optional\""),
                "pkce has to be required where there are no secret_hashes",
            ),
            (
                format!("{base}, {uris}, \"backchannel_logout_uri\": \"com.a:/b\""),
                "backchannel_logout_uri has to be an https URL",
            ),
            (format!("{base}, {uris}, \"pkce\": false"), "pkce has to be required or optional"),
            (
                format!("{base}, {uris}, \"synthetic_email\": \"@a.invalid\""),
                "synthetic_email has to be a domain, like users.invalid",
            ),
            (
                format!("{base}, \"redirect_uris\": []"),
                "redirect_uris has to be a list of at least one",
            ),
            (
                format!("{base}, {uris}, \"post_logout_redirect_uris\": [7]"),
                "post_logout_redirect_uris[0] has to be an absolute URI in ASCII",
            ),
            (
                format!("{base}, \"redirect_uris\": [\"http://a.example/hunter2\"]"),
                "redirect_uris[0] has to be https, but for this machine itself",
            ),
        ] {
            let faults = faults_of(&fields);
            let told = format!("CLIENTS_FILE: client 1 (a): {told}");
            assert!(faults.contains(&told), "{fields}: {faults:?}");
            assert!(!faults.iter().any(|fault| fault.contains("hunter2")), "{faults:?}");
        }
    }

    #[test]
    fn all_faults_of_a_file_are_told() {
        let text = format!(
            r#"[{{"name": "", "x": 1, "introspect": 1}}, 7,
                {{"id": "a", "name": "A", "secret_hashes": ["{HASH}"]}},
                {{"id": "a", "name": "B", "secret_hashes": ["{HASH}"], "a\nb": 2}}]"#
        );
        assert_eq!(
            faults(&text),
            [
                "client 1: id is missing",
                "client 1: name has to be 1 to 100 characters",
                "client 1: secret_hashes is missing",
                "client 1: introspect has to be true or false",
                "client 1: x is no field of a client",
                "client 2 has to be an object",
                "client 4 (a): ab is no field of a client",
                "client 4 (a): id is that of client 3 too",
            ]
            .map(|told| format!("CLIENTS_FILE: {told}"))
        );
    }
}
