//! Scripts that Redis runs. The Lua files are valid as they stand: what they speak of, settings,
//! keys, the call and shared parts, is put before them.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::marker::PhantomData;

use redis::aio::ConnectionLike;
use redis::{ErrorKind, RedisError, RedisResult};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ledger::records::LAYOUTS;
use crate::queue::{NAMES, Queue};

/// A file of functions that scripts share. It returns a table, which they know by `name`.
#[derive(Debug)]
pub(crate) struct Part {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

/// What a script is made of. A part comes behind those that it uses.
#[derive(Debug)]
pub(crate) struct Source {
    pub(super) text: &'static str,
    pub(super) parts: &'static [Part],
}

/// Fields that a script knows by these names.
pub(crate) trait Named {
    const NAMES: &'static [&'static str];
}

impl Named for () {
    const NAMES: &'static [&'static str] = &[];
}

/// The keys that a script touches, in the order of their names.
pub(crate) trait Keys: Named {
    fn into_values(self) -> Vec<String>;
}

impl Keys for () {
    fn into_values(self) -> Vec<String> {
        Vec::new()
    }
}

/// What a script is told, under `call`.
pub(crate) trait Call: Serialize + Named {
    /// Known to the script under `settings`.
    type Settings: Serialize;
    /// Known to the script under `keys`, beside those of the queue.
    type Keys: Keys;
    /// What the script returns.
    type Reply: DeserializeOwned;
    /// The script.
    const SOURCE: Source;

    /// What a script finds under `call.sealed`, which goes beside the call: of MessagePack's types
    /// Redis knows none for bytes.
    fn sealed(&self) -> Option<&[u8]> {
        None
    }
}

/// Defines a struct whose fields scripts know by their names.
macro_rules! named {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident $(<$life:lifetime>)? {
            $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty),* $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis struct $name $(<$life>)? {
            $($(#[$field_meta])* $field_vis $field: $type),*
        }

        impl $(<$life>)? $crate::ledger::script::Named for $name $(<$life>)? {
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];
        }
    };
}

/// Defines a struct of names of keys.
macro_rules! keys {
    ($name:ident { $($field:ident),* $(,)? }) => {
        pub(crate) struct $name {
            $(pub(crate) $field: String),*
        }

        impl $crate::ledger::script::Named for $name {
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];
        }

        impl $crate::ledger::script::Keys for $name {
            fn into_values(self) -> Vec<String> {
                vec![$(self.$field),*]
            }
        }
    };
}

pub(crate) use {keys, named};

/// A script under its settings. Processes with other settings have scripts of their own.
pub(crate) struct Script<C> {
    script: redis::Script,
    queue_keys: Vec<&'static str>,
    call: PhantomData<C>,
}

impl<C> fmt::Debug for Script<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Script").field(&self.script.get_hash()).finish()
    }
}

impl<C: Call> Script<C> {
    pub(crate) fn new(settings: &C::Settings) -> Self {
        let (text, queue_keys) = assemble(&C::SOURCE, &serde_json::json!(settings), C::Keys::NAMES);
        Self { script: redis::Script::new(&text), queue_keys, call: PhantomData }
    }

    /// Runs it; returns what it answers. The queue that it knows is that of SMS.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses, or the answer is none that this version reads.
    pub(crate) async fn run(
        &self,
        redis: &mut impl ConnectionLike,
        keys: C::Keys,
        call: &C,
    ) -> RedisResult<C::Reply> {
        self.run_in(Queue::Sms, redis, keys, call).await
    }

    /// The same, with the keys of another queue.
    pub(crate) async fn run_in(
        &self,
        queue: Queue,
        redis: &mut impl ConnectionLike,
        keys: C::Keys,
        call: &C,
    ) -> RedisResult<C::Reply> {
        let mut invocation = self.script.prepare_invoke();
        for key in keys.into_values() {
            invocation.key(key);
        }
        for (name, key) in queue.names().keys() {
            if self.queue_keys.contains(&name) {
                invocation.key(key);
            }
        }
        invocation.arg(rmp_serde::to_vec_named(call).map_err(std::io::Error::other)?);
        invocation.arg(call.sealed());
        let reply: Vec<u8> = invocation.invoke_async(redis).await?;
        rmp_serde::from_slice(&reply).map_err(unreadable)
    }
}

fn unreadable(error: rmp_serde::decode::Error) -> RedisError {
    (ErrorKind::UnexpectedReturnType, "the script's answer cannot be read", error.to_string())
        .into()
}

/// The whole text, and which of the queue's keys it wants behind `keys`.
fn assemble(
    source: &Source,
    settings: &Value,
    keys: &[&'static str],
) -> (String, Vec<&'static str>) {
    let (mut text, queue_keys) = before(source, settings, keys);
    let (_, own_text) = flags_of(source.text);
    let own_text = with_constants(own_text, settings);
    let _ = write!(text, "return cmsgpack.pack((function()\n{own_text}end)())\n");
    (text, queue_keys)
}

/// What stands before the script's own text: only what it names.
pub(super) fn before(
    source: &Source,
    settings: &Value,
    keys: &[&'static str],
) -> (String, Vec<&'static str>) {
    let texts = || source.parts.iter().map(|part| part.text).chain([source.text]);
    let used =
        |table| -> BTreeSet<&str> { texts().flat_map(|text| fields_of(text, table)).collect() };
    let (lists_used, keys_used) = (used("settings"), used("keys"));
    let queue_keys = NAMES.keys().map(|(name, _)| name).into_iter();
    let queue_keys: Vec<&str> = queue_keys.filter(|name| keys_used.contains(name)).collect();

    let lists = lists_used.into_iter().filter_map(|name| {
        let value = settings.get(name).filter(|value| !is_scalar(value))?;
        Some(format!("{name} = {}", literal(value)))
    });
    let keys = keys.iter().chain(&queue_keys).zip(1..);
    let keys = keys.map(|(name, index)| format!("{name} = KEYS[{index}]"));
    let (flags, _) = flags_of(source.text);
    let mut text = format!(
        "{flags}\nlocal settings = {{ {} }}\nlocal keys = {{ {} }}\nlocal call = cmsgpack.unpack(ARGV[1])\n",
        lists.collect::<Vec<_>>().join(", "),
        keys.collect::<Vec<_>>().join(", "),
    );
    if texts().any(|text| fields_of(text, "call").contains("sealed")) {
        text.push_str("call.sealed = ARGV[2]\n");
    }
    for Part { name, text: part } in source.parts {
        // Not a function of its own: it would be made and called with each call of the script.
        let body = part.strip_suffix(&format!("return {name}\n")).unwrap_or(part);
        text.push_str(&with_constants(body, settings));
    }
    (text, queue_keys)
}

/// A Lua text with settings and positions in records written into it, where they are no lists: a
/// table of them would be made anew, and looked into, with each call.
pub(super) fn with_constants(text: &str, settings: &Value) -> String {
    let setting = |name: &str| {
        let value = settings.get(name).unwrap_or(&Value::Null);
        is_scalar(value).then(|| literal(value))
    };
    LAYOUTS.iter().fold(with_fields(text, "settings", setting), |text, layout| {
        with_fields(&text, layout.table, |name| layout.constant(name))
    })
}

fn with_fields(text: &str, table: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut changed = text.to_owned();
    for (at, name) in places_of(text, table).into_iter().rev() {
        if let Some(value) = value(name) {
            changed.replace_range(at..at + table.len() + 1 + name.len(), &value);
        }
    }
    changed
}

/// A script's first line, by which Redis refuses it as a whole where it may not write: on a replica,
/// which would answer from what it knew before it was one, and out of memory. One that frees memory
/// has a first line of its own, with the flag `allow-oom`.
fn flags_of(text: &str) -> (&str, &str) {
    const WRITES: &str = "#!lua";
    let own = text.split_once('\n').filter(|(first, _)| first.starts_with(WRITES));
    own.unwrap_or((WRITES, text))
}

/// The fields of a table that a Lua text names, outside its comments.
pub(super) fn fields_of<'a>(text: &'a str, table: &str) -> BTreeSet<&'a str> {
    places_of(text, table).into_iter().map(|(_, field)| field).collect()
}

/// Where a Lua text names fields of a table: where the table's name begins, and the field.
fn places_of<'a>(text: &'a str, table: &str) -> Vec<(usize, &'a str)> {
    let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let (mut places, mut line_at) = (Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        let code = line.split("--").next().unwrap_or_default();
        for (at, _) in code.match_indices(table) {
            let (before, after) = (code.get(..at), code.get(at + table.len()..));
            let stands_alone =
                !before.is_some_and(|text| text.ends_with(|char| is_name(char) || char == '.'));
            let Some(rest) = after.and_then(|text| text.strip_prefix('.')) else { continue };
            let end = rest.find(|char| !is_name(char)).unwrap_or(rest.len());
            if let Some(field) = rest.get(..end).filter(|field| stands_alone && !field.is_empty()) {
                places.push((line_at + at, field));
            }
        }
        line_at += line.len();
    }
    places
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}

/// No text in the settings has a character that JSON and Lua escape differently.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
        Value::Array(items) => {
            format!("{{ {} }}", items.iter().map(literal).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name} = {}", literal(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_script_names_is_put_before_it() {
        let source = Source {
            text: "return part.of(keys.a, keys.wake, settings.ttl, settings.no, N.streaks)\n",
            parts: &[Part {
                name: "part",
                text: "local part = { of = settings.providers }\nreturn part\n",
            }],
        };
        let settings = json!({
            "ttl": 300_000, "unused": true, "providers": [{ "name": "log", "claim_for": 5 }],
        });
        let (text, queue_keys) = assemble(&source, &settings, &["b", "a"]);
        assert_eq!(
            text,
            r##"#!lua
local settings = { providers = { { claim_for = 5, name = "log" } } }
local keys = { b = KEYS[1], a = KEYS[2], wake = KEYS[3] }
local call = cmsgpack.unpack(ARGV[1])
local part = { of = settings.providers }
return cmsgpack.pack((function()
return part.of(keys.a, keys.wake, 300000, nil, 4)
end)())
"##
        );
        assert_eq!(queue_keys, ["wake"]);
    }

    #[test]
    fn fields_are_found_where_they_are_named() {
        let text =
            "local a = call.one .. call.two -- call.three\nx.call.four(recall.five, call .. call.)";
        assert_eq!(fields_of(text, "call"), BTreeSet::from(["one", "two"]));
    }
}
