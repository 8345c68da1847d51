//! Records as the scripts keep them: arrays packed as MessagePack, read here and nowhere else in
//! Rust. The first element is the version; a field that is not there is `false`.
//!
//! Versions of the service run side by side during an update. So a field is only ever added at the
//! end, a version changes a record that it does not know whole in place, and both sides read a
//! record that is shorter or longer than their own.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_bytes::ByteBuf;

/// What new records have as their version.
const VERSION: usize = 1;

/// One layout: the name that scripts know its positions by, and its fields in their order.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub table: &'static str,
    pub fields: &'static [&'static str],
}

impl Layout {
    /// What scripts find under a name: where a field is, behind the version; how many elements
    /// there are; or a new record.
    pub fn constant(&self, name: &str) -> Option<String> {
        let fields = self.fields;
        let value = match name {
            "SIZE" => (fields.len() + 1).to_string(),
            "NEW" => format!("{{ {VERSION}{} }}", ", false".repeat(fields.len())),
            field => (fields.iter().position(|known| *known == field)? + 2).to_string(),
        };
        Some(value)
    }
}

/// All of them.
pub const LAYOUTS: [Layout; 3] = [Delivery::LAYOUT, Number::LAYOUT, Challenge::LAYOUT];

/// A field that may be missing.
#[derive(Deserialize)]
#[serde(untagged)]
enum Field<T> {
    Value(T),
    Missing(IgnoredAny),
}

/// The next field of an array, or what stands for none.
fn next<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(
    fields: &mut A,
) -> Result<Option<T>, A::Error> {
    Ok(match fields.next_element::<Field<T>>()? {
        Some(Field::Value(value)) => Some(value),
        Some(Field::Missing(_)) | None => None,
    })
}

macro_rules! record {
    (
        $(#[$meta:meta])*
        $table:literal $name:ident {
            $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: Option<$type>,)*
        }

        impl $name {
            pub const LAYOUT: Layout =
                Layout { table: $table, fields: &[$(stringify!($field)),*] };
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields(PhantomData<$name>);

                impl<'de> Visitor<'de> for Fields {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("the fields of a record")
                    }

                    fn visit_seq<A: SeqAccess<'de>>(
                        self,
                        mut fields: A,
                    ) -> Result<$name, A::Error> {
                        let _version: Option<u8> = next(&mut fields)?;
                        let record = $name { $($field: next(&mut fields)?,)* };
                        while fields.next_element::<IgnoredAny>()?.is_some() {}
                        Ok(record)
                    }
                }

                deserializer.deserialize_seq(Fields(PhantomData))
            }
        }
    };
}

record! {
    /// What is known of a number but for its known addresses. All but the first are tables by name
    /// in Lua, and a new version's have to be.
    #[allow(dead_code, reason = "scripts read the other fields")]
    "N" Number {
        /// 0 is without end (Unix ms).
        blocked_until: i64,
        /// By purpose.
        challenges: BTreeMap<String, Challenge>,
        /// Sends since the last sign-in, and the instant of the last. For `all`, and for each known
        /// address that needed a cooldown of its own.
        streaks: BTreeMap<String, (u32, i64)>,
        /// Logs of sends, newest first: of `all`; of each known address' own, and of all those as
        /// `known`.
        sends: BTreeMap<String, Vec<i64>>,
        /// Logs of wrong guesses: of `all`, and of known addresses' own as `known`.
        wrong: BTreeMap<String, Vec<i64>>,
        wrong_by_address: BTreeMap<String, Vec<i64>>,
    }
}

record! {
    /// A code that was asked for.
    #[allow(dead_code, reason = "scripts read the other fields")]
    "C" Challenge {
        id: String,
        /// The attempt that did.
        used: String,
        first_asked_at: i64,
        expires_at: i64,
        key_id: String,
        sealed: ByteBuf,
        tag: String,
        /// Each behind the tag of the address that gave it.
        names: Vec<String>,
        guesses: u32,
        known_guesses: u32,
        /// Ids, the newest last.
        deliveries: Vec<String>,
        /// How often each bucket, behind its prefix, was charged for it.
        charged: BTreeMap<String, u32>,
        /// Deliveries of the code before, which was used and gave its charges back.
        settled: Vec<String>,
    }
}

record! {
    /// One SMS.
    #[allow(dead_code, reason = "scripts read the other fields")]
    "D" Delivery {
        status: String,
        /// What the code is for, or what a notice tells.
        purpose: String,
        number: String,
        /// Id of the challenge; none of a notice.
        challenge: String,
        requested_at: i64,
        /// The buckets that it was charged to, behind their prefix.
        charged: Vec<String>,
        /// The tag of the known address that asked for it.
        known_address: String,
        /// Of a notice.
        expires_at: i64,
        /// The job that counts, where it is not the first.
        job: String,
        claimed_until: i64,
        claimant: String,
        /// Who was asked last.
        provider: String,
        tries: u32,
        /// Its place in the provider's line.
        slot: f64,
        /// Providers that refused it, with spaces.
        excluded: String,
        /// Why it ended, or why it was tried again.
        reason: String,
        /// Whether an attempt was never recorded.
        unrecorded: bool,
        /// The provider's id of it.
        provider_id: String,
        /// Of the number, "" where it has none. Neither a notice nor a test number's has it.
        country: String,
    }
}

/// Reads a record.
///
/// # Errors
/// The bytes are none.
pub fn read<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    rmp_serde::from_slice(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_of_other_versions_are_read() {
        let mut fields = vec![json!(1), json!("sent"), json!("sign_in"), json!("+919876543210")];
        let packed = |fields: &[serde_json::Value]| rmp_serde::to_vec(fields).unwrap();
        let shorter: Delivery = read(&packed(&fields)).unwrap();
        assert_eq!((shorter.status.as_deref(), shorter.tries), (Some("sent"), None));

        fields.resize(Delivery::LAYOUT.fields.len() + 1, json!(false));
        fields[13] = json!(2);
        fields.extend([json!("of a newer version"), json!([1, 2])]);
        let longer: Delivery = read(&packed(&fields)).unwrap();
        assert_eq!(longer.number.as_deref(), Some("+919876543210"));
        assert_eq!((longer.tries, longer.challenge, longer.slot), (Some(2), None, None));
    }
}
