//! Keys that sign JWTs (RFC 7519), and what others check them by: a compact JWS (RFC 7515) by RS256
//! or ES256 (RFC 7518), and a JWK Set (RFC 7517).

use std::fmt;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::error::{KeyRejected, Unspecified};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use rustls::pki_types::pem::{PemObject, SectionKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Bytes of a coordinate of a point of P-256.
const COORDINATE: usize = 32;

/// Why a JWT could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error("the claims are no JSON: {0}")]
    Claims(#[from] serde_json::Error),
    /// Of memory or randomness.
    #[error("the key does not sign")]
    Key,
}

impl From<Unspecified> for SigningError {
    fn from(_: Unspecified) -> Self {
        Self::Key
    }
}

/// What is wrong with one of the files. Quotes nothing of it.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}: {reason}", file.display())]
pub struct KeyFileError {
    pub file: PathBuf,
    pub reason: String,
}

/// What kind of JWT one is, which its header says (RFC 8725, 3.11), so that none of one kind passes
/// for another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum JwtKind {
    /// For whoever the user names. It has no `typ`: there is none for it that common libraries take.
    OfUser,
    /// OpenID Connect Core, 2.
    IdToken,
    /// OpenID Connect Back-Channel Logout, 2.4.
    LogoutToken,
}

impl JwtKind {
    fn typ(self) -> Option<&'static str> {
        match self {
            Self::OfUser => None,
            Self::IdToken => Some("JWT"),
            Self::LogoutToken => Some("logout+jwt"),
        }
    }
}

/// At least one key. All are published; one signs.
pub struct SigningKeys {
    signs: usize,
    keys: Vec<SigningKey>,
}

struct SigningKey {
    pair: Pair,
    public: PublicJwk,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

/// A public key as others read it (RFC 7517).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PublicJwk {
    /// The thumbprint of RFC 7638.
    pub kid: String,
    pub alg: &'static str,
    pub material: KeyMaterial,
}

/// Numbers in base64url.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub enum KeyMaterial {
    Rsa { n: String, e: String },
    P256 { x: String, y: String },
}

impl SigningKeys {
    /// Reads files, each with one private key in PKCS#8 PEM: RSA of 2048 to 4096 bits, or P-256.
    ///
    /// # Errors
    /// One for each file that is faulty; there has to be one file at least.
    pub fn read(files: &[PathBuf]) -> Result<Self, Vec<KeyFileError>> {
        let mut keys: Vec<SigningKey> = Vec::new();
        let mut faults = Vec::new();
        let mut fault = |file: &Path, reason: String| {
            faults.push(KeyFileError { file: file.to_owned(), reason });
        };
        for file in files {
            let read = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"));
            match read.and_then(|pem| SigningKey::parse(&pem).map_err(str::to_owned)) {
                Ok(key) if keys.iter().any(|known| known.public == key.public) => {
                    fault(file, "has the same key as a file before it".to_owned());
                }
                Ok(key) => keys.push(key),
                Err(reason) => fault(file, reason),
            }
        }
        if faults.is_empty() { Ok(Self::of(keys)) } else { Err(faults) }
    }

    /// Common clients take RS256 and nothing else, so a key of RSA signs wherever there is one.
    fn of(keys: Vec<SigningKey>) -> Self {
        let signs = keys.iter().position(|key| matches!(key.pair, Pair::Rsa(_))).unwrap_or(0);
        Self { signs, keys }
    }

    /// A P-256 key, made anew, in PKCS#8 PEM. Nothing here makes keys of RSA.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn make_p256() -> Result<String, SigningError> {
        let made =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?;
        let text = BASE64.encode(made.as_ref());
        let lines: Vec<&str> = (0..text.len())
            .step_by(64)
            .filter_map(|start| text.get(start..text.len().min(start + 64)))
            .collect();
        Ok(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            lines.join("\n")
        ))
    }

    /// Whether a signature takes about a millisecond of a core. One by P-256 takes some 20 µs.
    #[must_use]
    pub fn sign_slowly(&self) -> bool {
        self.keys.get(self.signs).is_some_and(|key| matches!(key.pair, Pair::Rsa(_)))
    }

    /// A JWT with these claims.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn sign(&self, kind: JwtKind, claims: &impl Serialize) -> Result<String, SigningError> {
        let key = self.keys.get(self.signs).ok_or(SigningError::Key)?;
        let header = BASE64URL_NOPAD.encode(key.header(kind).to_string().as_bytes());
        let claims = BASE64URL_NOPAD.encode(&serde_json::to_vec(claims)?);
        let signed = format!("{header}.{claims}");
        let signature = BASE64URL_NOPAD.encode(&key.pair.sign(signed.as_bytes())?);
        Ok(format!("{signed}.{signature}"))
    }

    /// The claims of a JWT of this kind that one of the keys has signed, whenever it expired.
    #[must_use]
    pub fn verify<T: DeserializeOwned>(&self, kind: JwtKind, jwt: &str) -> Option<T> {
        let (signed, signature) = jwt.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Value = serde_json::from_slice(&decoded(header)?).ok()?;
        let key = self.keys.iter().find(|key| key.header(kind) == header)?;
        key.pair.verify(signed.as_bytes(), &decoded(signature)?).ok()?;
        serde_json::from_slice(&decoded(claims)?).ok()
    }

    /// The algorithm of the key that signs (RFC 7518, 3.1).
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        self.keys.get(self.signs).map_or("none", |key| key.public.alg)
    }

    /// All public keys, in the order of their files.
    pub fn public(&self) -> impl Iterator<Item = &PublicJwk> {
        self.keys.iter().map(|key| &key.public)
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.public().map(|key| &key.kid)).finish()
    }
}

impl SigningKey {
    fn parse(pem: &[u8]) -> Result<Self, &'static str> {
        let pair = Pair::from_pkcs8(&pkcs8_in(pem)?)?;
        let public = pair.public_jwk().ok_or("has a public key that cannot be read")?;
        Ok(Self { pair, public })
    }

    /// Of a JWT.
    fn header(&self, kind: JwtKind) -> Value {
        let mut header = Map::new();
        header.insert("alg".to_owned(), self.public.alg.into());
        header.insert("kid".to_owned(), self.public.kid.as_str().into());
        header.extend(kind.typ().map(|typ| ("typ".to_owned(), typ.into())));
        Value::Object(header)
    }
}

fn decoded(part: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(part.as_bytes()).ok()
}

/// The one private key of a file.
fn pkcs8_in(pem: &[u8]) -> Result<Vec<u8>, &'static str> {
    const OTHER_FORM: &str = "has to be PKCS#8, which begins with BEGIN PRIVATE KEY: convert it by \
        openssl pkcs8 -topk8 -nocrypt";
    let sections: Result<Vec<(SectionKind, Vec<u8>)>, _> =
        <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).collect();
    let mut keys = Vec::new();
    for (kind, der) in sections.map_err(|_| "is no PEM")? {
        match kind {
            SectionKind::PrivateKey => keys.push(der),
            SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => return Err(OTHER_FORM),
            _ => {}
        }
    }
    let is_encrypted = pem.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED);
    match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => Ok(key),
        (Some(_), false) => Err("has several keys: each needs a file of its own"),
        (None, _) if is_encrypted => Err("is encrypted: decrypt it by openssl pkey"),
        (None, _) => Err("has no private key in PEM"),
    }
}

const ENCRYPTED: &[u8] = b"BEGIN ENCRYPTED PRIVATE KEY";

impl Pair {
    fn from_pkcs8(der: &[u8]) -> Result<Self, &'static str> {
        match RsaKeyPair::from_pkcs8(der) {
            Ok(pair) => return Ok(Self::Rsa(pair)),
            Err(error) if !is_other_algorithm(error) => {
                return Err(match error.to_string().as_str() {
                    "TooSmall" => "is an RSA key of fewer than 2048 bits",
                    "TooLarge" => "is an RSA key of more than 4096 bits",
                    _ => "is an RSA key that does not hold together",
                });
            }
            Err(_) => {}
        }
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        match EcdsaKeyPair::from_pkcs8(algorithm, der, &SystemRandom::new()) {
            Ok(pair) => Ok(Self::P256(pair)),
            Err(error) if is_other_algorithm(error) => {
                Err("is of another algorithm: it has to be RSA or P-256")
            }
            Err(_) => Err("is a P-256 key that does not hold together"),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
            Self::P256(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Unspecified> {
        match self {
            Self::Rsa(pair) => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public().as_ref())
                    .verify(message, signature)
            }
            Self::P256(pair) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref())
                    .verify(message, signature)
            }
        }
    }

    fn public_jwk(&self) -> Option<PublicJwk> {
        let (alg, material) = match self {
            Self::Rsa(pair) => {
                let PublicKeyComponents::<Vec<u8>> { n, e } = pair.public().into();
                let (n, e) = (BASE64URL_NOPAD.encode(&n), BASE64URL_NOPAD.encode(&e));
                ("RS256", KeyMaterial::Rsa { n, e })
            }
            Self::P256(pair) => {
                // SEC 1, 2.3.3: 4 for "uncompressed", and the two coordinates.
                let point = pair.public_key().as_ref().strip_prefix(&[4])?;
                let (x, y) = point.split_at_checked(COORDINATE)?;
                let (x, y) = (BASE64URL_NOPAD.encode(x), BASE64URL_NOPAD.encode(y));
                ("ES256", KeyMaterial::P256 { x, y })
            }
        };
        Some(PublicJwk { kid: material.thumbprint(), alg, material })
    }
}

impl KeyMaterial {
    /// RFC 7638: over the required members, in the order of their names.
    fn thumbprint(&self) -> String {
        // The library keeps an object's members in that order.
        let members = match self {
            Self::Rsa { n, e } => json!({ "e": e, "kty": "RSA", "n": n }),
            Self::P256 { x, y } => json!({ "crv": "P-256", "kty": "EC", "x": x, "y": y }),
        };
        BASE64URL_NOPAD.encode(&Sha256::digest(members.to_string()))
    }
}

/// The library tells it by this word alone; a test holds that it does.
fn is_other_algorithm(error: KeyRejected) -> bool {
    error.to_string() == "WrongAlgorithm"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of the black-box tests.
    fn file(name: &str) -> PathBuf {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/support/keys")).join(name)
    }

    fn keys(names: &[&str]) -> SigningKeys {
        SigningKeys::read(&names.iter().map(|name| file(name)).collect::<Vec<_>>()).unwrap()
    }

    fn refused(bytes: &[u8]) -> &'static str {
        SigningKey::parse(bytes).err().expect("a fault")
    }

    #[test]
    fn a_jwt_says_by_which_key_it_is_checked() {
        for (name, alg) in [("rsa.pem", "RS256"), ("p256.pem", "ES256")] {
            let keys = keys(&[name]);
            assert_eq!(keys.algorithm(), alg);
            let jwt = keys.sign(JwtKind::IdToken, &json!({ "sub": "1" })).unwrap();
            let parts: Vec<&str> = jwt.split('.').collect();
            let header: Value = serde_json::from_slice(&decoded(parts[0]).unwrap()).unwrap();
            let kid = &keys.public().next().unwrap().kid;
            assert_eq!(header, json!({ "alg": alg, "kid": kid, "typ": "JWT" }));
            assert_eq!(decoded(parts[1]).unwrap(), br#"{"sub":"1"}"#);
            let signed = format!("{}.{}", parts[0], parts[1]);
            let signature = decoded(parts[2]).unwrap();
            match &keys.keys[0].pair {
                Pair::Rsa(pair) => {
                    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public().as_ref())
                        .verify(signed.as_bytes(), &signature)
                }
                Pair::P256(pair) => {
                    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref())
                        .verify(signed.as_bytes(), &signature)
                }
            }
            .unwrap();
            assert!(!format!("{keys:?}").contains("BEGIN"));
        }
    }

    #[test]
    fn what_a_key_has_signed_is_told_from_all_else() {
        for name in ["rsa.pem", "p256.pem"] {
            let all = keys(&["rsa_new.pem", name]);
            let own = keys(&[name]);
            let jwt = own.sign(JwtKind::IdToken, &json!({ "sub": "1" })).unwrap();
            let claims: Option<Value> = all.verify(JwtKind::IdToken, &jwt);
            assert_eq!(claims, Some(json!({ "sub": "1" })));
            let parts: Vec<&str> = jwt.split('.').collect();
            let other = BASE64URL_NOPAD.encode(br#"{"sub":"2"}"#);
            let unsigned = BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#);
            for wrong in [
                "",
                "..",
                &jwt[1..],
                &format!("{}.{other}.{}", parts[0], parts[2]),
                &format!("{}.{}.", parts[0], parts[1]),
                &format!("{unsigned}.{}.", parts[1]),
                &own.sign(JwtKind::OfUser, &json!({ "sub": "1" })).unwrap(),
            ] {
                assert_eq!(all.verify::<Value>(JwtKind::IdToken, wrong), None, "{wrong}");
            }
            let others = keys(&["rsa_new.pem"]);
            assert_eq!(others.verify::<Value>(JwtKind::IdToken, &jwt), None);
        }
    }

    #[test]
    fn the_first_key_of_rsa_signs_and_all_are_published() {
        for (names, signs) in [
            (&["p256.pem"][..], 0),
            (&["rsa.pem", "p256.pem"], 0),
            (&["p256.pem", "rsa_new.pem", "rsa.pem"], 1),
        ] {
            let keys = keys(names);
            let kids: Vec<String> = keys.public().map(|key| key.kid.clone()).collect();
            assert_eq!((kids.len(), keys.signs), (names.len(), signs));
            assert_eq!(keys.sign_slowly(), names.contains(&"rsa.pem"), "by RSA");
        }
    }

    #[test]
    fn a_thumbprint_is_that_of_the_rfc() {
        // RFC 7638, 3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let material = KeyMaterial::Rsa { n: n.to_owned(), e: "AQAB".to_owned() };
        assert_eq!(material.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn a_key_that_was_made_is_read() {
        let made = SigningKeys::make_p256().unwrap();
        assert!(made.lines().all(|line| line.len() <= 64), "{made}");
        let other = SigningKey::parse(SigningKeys::make_p256().unwrap().as_bytes()).unwrap();
        assert_ne!(SigningKey::parse(made.as_bytes()).unwrap().public, other.public);
    }

    #[test]
    fn each_faulty_file_is_named_with_what_is_wrong() {
        for (name, reason) in [
            ("none.pem", "cannot be read: No such file or directory (os error 2)"),
            (
                "rsa_pkcs1.pem",
                "has to be PKCS#8, which begins with BEGIN PRIVATE KEY: convert it by openssl pkcs8 -topk8 -nocrypt",
            ),
            (
                "p256_sec1.pem",
                "has to be PKCS#8, which begins with BEGIN PRIVATE KEY: convert it by openssl pkcs8 -topk8 -nocrypt",
            ),
            ("encrypted.pem", "is encrypted: decrypt it by openssl pkey"),
            ("public.pem", "has no private key in PEM"),
            ("rsa_1024.pem", "is an RSA key of fewer than 2048 bits"),
            ("p384.pem", "is of another algorithm: it has to be RSA or P-256"),
            ("ed25519.pem", "is of another algorithm: it has to be RSA or P-256"),
        ] {
            let faults = SigningKeys::read(&[file("rsa.pem"), file(name)]).unwrap_err();
            assert_eq!(faults, [KeyFileError { file: file(name), reason: reason.to_owned() }]);
        }
        let faults = SigningKeys::read(&[file("none.pem"), file("public.pem")]).unwrap_err();
        assert_eq!(faults.len(), 2, "all are told");
        let faults = SigningKeys::read(&[file("rsa.pem"), file("rsa.pem")]).unwrap_err();
        assert_eq!(faults[0].reason, "has the same key as a file before it");

        let rsa = std::fs::read_to_string(file("rsa.pem")).unwrap();
        let mut lines: Vec<&str> = rsa.lines().collect();
        lines.swap(2, 3);
        let damaged = lines.join("\n");
        for (pem, reason) in [
            ("", "has no private key in PEM"),
            ("hunter2", "has no private key in PEM"),
            ("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n", "is no PEM"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n", "is no PEM"),
            (&format!("{rsa}{rsa}"), "has several keys: each needs a file of its own"),
        ] {
            assert_eq!(refused(pem.as_bytes()), reason, "{pem}");
        }
        let reason = "is an RSA key that does not hold together";
        assert_eq!(refused(damaged.as_bytes()), reason);
    }
}
