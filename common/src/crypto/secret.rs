//! Keys derived from `OTP_SECRET` (HKDF-SHA256), one for each use, and what they do: seal and tag.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::HEXLOWER;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use rand::RngExt;
use sha2::Sha256;

const SHORTEST: usize = 32;
const NONCE_BYTES: usize = 24;

/// An `OTP_SECRET` that cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("each secret has to have at least {SHORTEST} characters")]
pub struct SecretTooShort;

/// One secret, from which keys derive.
pub(crate) struct Secret(Hkdf<Sha256>);

impl Secret {
    /// Reads a comma-separated list: the first, which seals, and the older ones, which only open.
    pub(crate) fn parse_list(secrets: &str) -> Result<(Self, Vec<Self>), SecretTooShort> {
        let mut secrets = secrets.split(',').map(|secret| Self::parse(secret.trim()));
        let first = secrets.next().unwrap_or(Err(SecretTooShort))?;
        Ok((first, secrets.collect::<Result<_, _>>()?))
    }

    fn parse(secret: &str) -> Result<Self, SecretTooShort> {
        if secret.chars().count() < SHORTEST {
            return Err(SecretTooShort);
        }
        Ok(Self(Hkdf::new(None, secret.as_bytes())))
    }

    /// What the secret is called, where one has to be told from another.
    pub(crate) fn id(&self) -> String {
        HEXLOWER.encode(&self.expand::<4>("cheershare key id"))
    }

    /// The key that seals for this use.
    pub(crate) fn seal_key(&self, label: &str) -> SealKey {
        SealKey(XChaCha20Poly1305::new(&self.expand::<32>(label).into()))
    }

    /// The key that tags for this use.
    pub(crate) fn tag_key(&self, label: &str) -> TagKey {
        TagKey(Hmac::new(&self.expand::<64>(label).into()))
    }

    fn expand<const N: usize>(&self, label: &str) -> [u8; N] {
        let mut key = [0; N];
        // Expansion fails only past 255 hashes, far above any N here.
        let _ = self.0.expand(label.as_bytes(), &mut key);
        key
    }
}

/// Seals (XChaCha20-Poly1305).
#[derive(Clone)]
pub(crate) struct SealKey(XChaCha20Poly1305);

impl SealKey {
    /// Nonce and ciphertext of a message that can be opened only together with `bound_to`.
    pub(crate) fn seal(&self, message: &[u8], bound_to: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = rand::rng().random();
        // Encryption fails only for messages of 256 GB.
        let ciphertext = self
            .0
            .encrypt(&XNonce::from(nonce), Payload { msg: message, aad: bound_to })
            .unwrap_or_default();
        [nonce.as_slice(), &ciphertext].concat()
    }

    /// The message; none where it was sealed by another key, bound to something else, or changed.
    pub(crate) fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Option<Vec<u8>> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        self.0.decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad: bound_to }).ok()
    }
}

/// Tags (HMAC-SHA256).
#[derive(Clone)]
pub(crate) struct TagKey(Hmac<Sha256>);

impl TagKey {
    /// The tag, in hexadecimal.
    pub(crate) fn tag(&self, text: &[u8]) -> String {
        HEXLOWER.encode(&self.compute(text))
    }

    /// Whether that is the tag; takes as long whatever it is.
    pub(crate) fn is_tag(&self, text: &[u8], tag: &str) -> bool {
        HEXLOWER
            .decode(tag.as_bytes())
            .is_ok_and(|tag| self.0.clone().chain_update(text).verify_slice(&tag).is_ok())
    }

    /// Half of the tag, in hexadecimal: for names, which have to differ and to be hidden, but are
    /// not compared with guesses.
    pub(crate) fn short_tag(&self, text: &[u8]) -> String {
        HEXLOWER.encode(self.compute(text).split_at(16).0)
    }

    fn compute(&self, text: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(text).finalize().into_bytes().into()
    }
}
