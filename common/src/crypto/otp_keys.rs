//! How an OTP is sealed for the worker, and tagged for the comparison of a guess.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::crypto::secret::{SealKey, Secret, SecretTooShort, TagKey};
use crate::domain::client::ClientAddress;
use crate::domain::ids::ChallengeId;
use crate::domain::otp::Otp;
use crate::domain::phone::E164;
use crate::domain::purpose::Purpose;

/// A code that was not opened: its key is not among the secrets, or its seal does not fit where it
/// was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the sealed code cannot be opened with any OTP_SECRET")]
pub struct CannotOpen;

/// The keys derived from `OTP_SECRET`: the first seals, all open. Clones share them.
#[derive(Clone)]
pub struct OtpKeys {
    first: Arc<DerivedKeys>,
    older: Arc<[DerivedKeys]>,
}

struct DerivedKeys {
    id: String,
    seal: SealKey,
    tag: TagKey,
    address: TagKey,
}

/// A code as it is kept: sealed for the worker, tagged for the comparison, both under the key
/// `key_id`.
#[derive(Clone, Debug)]
pub struct SealedCode {
    /// Which of the secrets it was sealed with.
    pub key_id: String,
    /// Nonce and ciphertext (XChaCha20-Poly1305).
    pub sealed: Vec<u8>,
    /// The tag of the right guess, in hexadecimal.
    pub tag: String,
}

/// The tag of a guess under one of the keys.
#[derive(Clone, Debug, Serialize)]
pub struct GuessTag {
    /// Which of the secrets it was tagged with.
    pub key_id: String,
    /// HMAC-SHA256 over purpose, number and code, in hexadecimal.
    pub tag: String,
}

impl OtpKeys {
    /// Derives keys (HKDF-SHA256) from a comma-separated list of secrets.
    ///
    /// # Errors
    /// A secret with fewer than 32 characters.
    pub fn derive(secrets: &str) -> Result<Self, SecretTooShort> {
        let (first, older) = Secret::parse_list(secrets)?;
        let older = older.iter().map(DerivedKeys::derive).collect();
        Ok(Self { first: Arc::new(DerivedKeys::derive(&first)), older })
    }

    /// Seals and tags a new code for one challenge.
    #[must_use]
    pub fn seal(
        &self,
        code: &Otp,
        purpose: Purpose<'_>,
        number: &E164,
        challenge: &ChallengeId,
    ) -> SealedCode {
        let keys = &self.first;
        let bound_to = binding(&purpose.text(), number.as_str(), challenge.as_str());
        SealedCode {
            key_id: keys.id.clone(),
            sealed: keys.seal.seal(code.digits().as_bytes(), bound_to.as_bytes()),
            tag: keys.tag(code, purpose, number),
        }
    }

    /// Opens a code that was sealed for exactly this purpose, number and challenge.
    ///
    /// # Errors
    /// Another key, or a seal that was moved or changed.
    pub fn open(
        &self,
        key_id: &str,
        sealed: &[u8],
        purpose: &str,
        number: &E164,
        challenge: &str,
    ) -> Result<Otp, CannotOpen> {
        let keys = self.all().find(|keys| keys.id == key_id).ok_or(CannotOpen)?;
        let bound_to = binding(purpose, number.as_str(), challenge);
        let digits = keys.seal.open(sealed, bound_to.as_bytes()).ok_or(CannotOpen)?;
        String::from_utf8(digits).ok().and_then(|digits| Otp::parse(&digits)).ok_or(CannotOpen)
    }

    /// The tags of a guess, one for each secret.
    #[must_use]
    pub fn guess_tags(&self, code: &Otp, purpose: Purpose<'_>, number: &E164) -> Vec<GuessTag> {
        self.all()
            .map(|keys| GuessTag { key_id: keys.id.clone(), tag: keys.tag(code, purpose, number) })
            .collect()
    }

    /// What a number remembers an address by, one tag for each secret, the sealing one's first.
    #[must_use]
    pub fn address_tags(&self, number: &E164, address: ClientAddress) -> Vec<String> {
        let text = format!("{}\n{address}", number.as_str());
        self.all().map(|keys| keys.address.short_tag(text.as_bytes())).collect()
    }

    /// The ids of all keys, the sealing one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.all().map(|keys| keys.id.as_str())
    }

    fn all(&self) -> impl Iterator<Item = &DerivedKeys> {
        std::iter::once(&*self.first).chain(&*self.older)
    }
}

impl DerivedKeys {
    fn derive(secret: &Secret) -> Self {
        Self {
            id: secret.id(),
            seal: secret.seal_key("cheershare otp seal"),
            tag: secret.tag_key("cheershare otp tag"),
            address: secret.tag_key("cheershare known address"),
        }
    }

    /// The challenge is not known before Redis is asked, so the script that compares binds the tag
    /// to it.
    fn tag(&self, code: &Otp, purpose: Purpose<'_>, number: &E164) -> String {
        self.tag.tag(binding(&purpose.text(), number.as_str(), code.digits()).as_bytes())
    }
}

impl fmt::Debug for OtpKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// None of the parts can hold a newline, so no two different triples give one text.
fn binding(purpose: &str, e164: &str, last: &str) -> String {
    format!("{purpose}\n{e164}\n{last}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::otp::OtpLength;

    const OLD: &str = "an old secret with more than 32 characters";
    const NEW: &str = "a new secret with more than 32 characters!";

    fn number() -> E164 {
        "+919876543210".parse().unwrap()
    }

    #[test]
    fn a_sealed_code_opens_only_where_it_was_sealed() {
        let keys = OtpKeys::derive(OLD).unwrap();
        let challenge = ChallengeId::random();
        let code = Otp::random(OtpLength::DEFAULT);
        let kept = keys.seal(&code, Purpose::SignIn, &number(), &challenge);
        let open = |purpose, number: &str, challenge: &ChallengeId| {
            keys.open(
                &kept.key_id,
                &kept.sealed,
                purpose,
                &number.parse().unwrap(),
                challenge.as_str(),
            )
        };
        assert_eq!(open("sign_in", "+919876543210", &challenge), Ok(code));
        assert_eq!(open("other", "+919876543210", &challenge), Err(CannotOpen));
        assert_eq!(open("sign_in", "+919876543211", &challenge), Err(CannotOpen));
        assert_eq!(open("sign_in", "+919876543210", &ChallengeId::random()), Err(CannotOpen));
    }

    #[test]
    fn a_rotated_secret_opens_and_compares_what_the_old_one_sealed() {
        let challenge = ChallengeId::random();
        let code = Otp::parse("123456").unwrap();
        let kept =
            OtpKeys::derive(OLD).unwrap().seal(&code, Purpose::SignIn, &number(), &challenge);
        let rotated = OtpKeys::derive(&format!("{NEW}, {OLD}")).unwrap();
        assert_eq!(
            rotated.open(&kept.key_id, &kept.sealed, "sign_in", &number(), challenge.as_str()),
            Ok(code.clone())
        );
        let tags = rotated.guess_tags(&code, Purpose::SignIn, &number());
        assert!(tags.iter().any(|guess| guess.key_id == kept.key_id && guess.tag == kept.tag));
        let new_only = OtpKeys::derive(NEW).unwrap();
        assert_eq!(
            new_only.open(&kept.key_id, &kept.sealed, "sign_in", &number(), challenge.as_str()),
            Err(CannotOpen)
        );
    }

    #[test]
    fn a_short_secret_is_refused_wherever_it_stands() {
        for secrets in ["", "short", &format!("{OLD},short"), &format!("{OLD},")] {
            assert!(matches!(OtpKeys::derive(secrets), Err(SecretTooShort)), "{secrets}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let keys = OtpKeys::derive(OLD).unwrap();
        assert!(!format!("{keys:?}").contains("secret"));
    }
}
