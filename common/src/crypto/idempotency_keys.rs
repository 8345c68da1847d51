//! What is kept of a request that its client may repeat: a name, a fingerprint and the sealed
//! answer. None of them says anything without `OTP_SECRET`.

use std::fmt;

use crate::crypto::secret::{SealKey, Secret, SecretTooShort, TagKey};
use crate::domain::client::ClientAddress;

/// The keys derived from `OTP_SECRET`: the first names and seals, all find and open.
#[derive(Clone)]
pub struct IdempotencyKeys {
    first: DerivedKeys,
    older: Vec<DerivedKeys>,
}

#[derive(Clone)]
struct DerivedKeys {
    name: TagKey,
    fingerprint: TagKey,
    seal: SealKey,
}

/// A request under one of the secrets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RequestTags {
    /// HMAC over client and key.
    pub(crate) name: String,
    /// HMAC over the body.
    pub(crate) fingerprint: String,
}

impl IdempotencyKeys {
    /// Derives keys (HKDF-SHA256) from a comma-separated list of secrets.
    ///
    /// # Errors
    /// A secret with fewer than 32 characters.
    pub fn derive(secrets: &str) -> Result<Self, SecretTooShort> {
        let (first, older) = Secret::parse_list(secrets)?;
        Ok(Self {
            first: DerivedKeys::derive(&first),
            older: older.iter().map(DerivedKeys::derive).collect(),
        })
    }

    /// The tags of a request, one pair for each secret, the sealing one's first. `key` holds no
    /// control character.
    pub(crate) fn tags(
        &self,
        client: ClientAddress,
        key: &str,
        body: &[u8],
    ) -> (RequestTags, Vec<RequestTags>) {
        let name = format!("{client}\n{key}");
        let tags = |keys: &DerivedKeys| RequestTags {
            name: keys.name.short_tag(name.as_bytes()),
            fingerprint: keys.fingerprint.short_tag(body),
        };
        (tags(&self.first), self.older.iter().map(tags).collect())
    }

    /// Seals the answer that is kept in this record.
    pub(crate) fn seal(&self, answer: &[u8], record: &str) -> Vec<u8> {
        self.first.seal.seal(answer, record.as_bytes())
    }

    /// Opens an answer that was sealed for exactly this record.
    pub(crate) fn open(&self, sealed: &[u8], record: &str) -> Option<Vec<u8>> {
        std::iter::once(&self.first)
            .chain(&self.older)
            .find_map(|keys| keys.seal.open(sealed, record.as_bytes()))
    }
}

impl DerivedKeys {
    fn derive(secret: &Secret) -> Self {
        Self {
            name: secret.tag_key("cheershare idempotency name"),
            fingerprint: secret.tag_key("cheershare idempotency fingerprint"),
            seal: secret.seal_key("cheershare idempotency seal"),
        }
    }
}

impl fmt::Debug for IdempotencyKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKeys(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const OLD: &str = "an old secret with more than 32 characters";
    const NEW: &str = "a new secret with more than 32 characters!";

    fn client(last: u8) -> ClientAddress {
        IpAddr::from([203, 0, 113, last]).into()
    }

    #[test]
    fn a_request_is_named_by_client_and_key_and_told_by_its_body() {
        let keys = IdempotencyKeys::derive(OLD).unwrap();
        let tags = |last, key, body| keys.tags(client(last), key, body).0;
        let first = tags(7, "a", b"body");
        assert_eq!(tags(7, "a", b"body"), first);
        assert_ne!(tags(8, "a", b"body").name, first.name);
        assert_ne!(tags(7, "b", b"body").name, first.name);
        let other_body = tags(7, "a", b"body ");
        assert_eq!(other_body.name, first.name);
        assert_ne!(other_body.fingerprint, first.fingerprint);
    }

    #[test]
    fn an_answer_opens_only_in_its_record_and_with_one_of_the_secrets() {
        let old = IdempotencyKeys::derive(OLD).unwrap();
        let sealed = old.seal(b"answer", "record");
        assert!(!sealed.windows(6).any(|window| window == b"answer"));
        assert_eq!(old.open(&sealed, "record").unwrap(), b"answer");
        assert_eq!(old.open(&sealed, "another"), None);
        let rotated = IdempotencyKeys::derive(&format!("{NEW},{OLD}")).unwrap();
        assert_eq!(rotated.open(&sealed, "record").unwrap(), b"answer");
        assert_eq!(IdempotencyKeys::derive(NEW).unwrap().open(&sealed, "record"), None);
    }

    #[test]
    fn a_rotated_secret_finds_what_the_old_one_named() {
        let (old, _) = IdempotencyKeys::derive(OLD).unwrap().tags(client(7), "a", b"body");
        let (first, older) =
            IdempotencyKeys::derive(&format!("{NEW},{OLD}")).unwrap().tags(client(7), "a", b"body");
        assert_ne!(first, old);
        assert_eq!(older, [old]);
    }
}
