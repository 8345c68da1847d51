//! The text of the ledger's scripts: parts in Lua, and the settings written into them.

use serde::Serialize;
use serde_json::Value;

/// What a setting is called in Lua: `settings.ttl`.
const NAME: &str = "settings.";

/// Joins `parts` and writes each setting into the place of its name, `300000` for `settings.ttl`
/// and nil for what is not set. So Redis reads and looks up no settings for a call, and a process
/// with other settings has scripts of its own. In quotes,
/// `'settings.ttl'`, a number is text: that is what Redis' commands take, and to make it of a number costs.
pub(crate) fn text(parts: &[&str], settings: &impl Serialize) -> String {
    let settings = serde_json::json!(settings);
    let template = parts.concat();
    let mut pieces = template.split(NAME);
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece
            .find(|char: char| !char.is_ascii_alphanumeric() && char != '_')
            .unwrap_or(piece.len());
        let (name, rest) = piece.split_at(end);
        text.push_str(&literal(settings.get(name).unwrap_or(&Value::Null)));
        text.push_str(rest);
    }
    text
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
    fn settings_stand_where_their_names_did() {
        let settings = json!({
            "ttl": 300_000, "ttl_text": 1, "prefix": "a:b:", "on": true, "providers": [{ "name": "log", "claim_for": 5 }],
        });
        let lua = "return settings.ttl + settings.ttl_text, 'settings.ttl', settings.prefix .. x, settings.on, settings.no,";
        assert_eq!(
            text(&[lua, " settings.providers"], &settings),
            r#"return 300000 + 1, '300000', "a:b:" .. x, true, nil, { { claim_for = 5, name = "log" } }"#
        );
    }
}
