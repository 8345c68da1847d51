//! Proof of work by the protocol of ALTCHA: a client finds the number whose hash, together with the
//! salt, is the challenge.

use std::time::Duration;

use common::crypto::challenge_keys::ChallengeKeys;
use common::domain::phone::E164;
use common::ledger::error::LedgerError;
use common::ledger::solved_challenges::SolvedChallenges;
use common::runtime::clock::{Clock, millis};
use data_encoding::{BASE64, HEXLOWER};
use rand::RngExt;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "SHA-256";
/// How long a challenge is good.
const LIFE: Duration = Duration::from_secs(5 * 60);

/// Makes challenges and checks solutions.
#[derive(Clone, Debug)]
pub struct Altcha {
    pub keys: ChallengeKeys,
    pub solved: SolvedChallenges,
    /// Hashes that a client computes at most; half as many on average.
    pub difficulty: u64,
    pub clock: Clock,
}

/// What a client sends, as JSON in base64. `took` and its like are of no interest.
#[derive(Deserialize)]
struct Solution {
    algorithm: String,
    challenge: String,
    number: u64,
    salt: String,
    signature: String,
}

impl Altcha {
    pub(super) fn challenge_for(&self, number: &E164) -> Value {
        let mut random = rand::rng();
        let nonce = HEXLOWER.encode(&random.random::<[u8; 12]>());
        let expires = self.clock.unix_ms() + millis(LIFE);
        // What follows the last `&` is the secret number, so nobody can move digits between the two.
        let salt = format!("{nonce}?expires_ms={expires}&for={}&", self.tag_of(number));
        let secret = random.random_range(0..=self.difficulty);
        let challenge = hash(&salt, secret);
        json!({
            "kind": "altcha",
            "algorithm": ALGORITHM,
            "signature": self.keys.sign(&challenge),
            "challenge": challenge,
            "salt": salt,
            "maxnumber": self.difficulty,
        })
    }

    pub(super) async fn is_solved(
        &self,
        solution: &str,
        number: &E164,
    ) -> Result<bool, LedgerError> {
        let solution = BASE64.decode(solution.as_bytes()).ok();
        let solution = solution.and_then(|json| serde_json::from_slice::<Solution>(&json).ok());
        let Some(solution) = solution else { return Ok(false) };
        let left = self.life_left(&solution.salt, number);
        let is_right = left > 0
            && solution.algorithm == ALGORITHM
            && hash(&solution.salt, solution.number) == solution.challenge
            && self.keys.has_signed(&solution.challenge, &solution.signature);
        let left = Duration::from_millis(left.try_into().unwrap_or(0));
        Ok(is_right && self.solved.note(&solution.challenge, left).await?)
    }

    /// How long a challenge with this salt is good for the number, in ms.
    fn life_left(&self, salt: &str, number: &E164) -> i64 {
        let end = format!("&for={}&", self.tag_of(number));
        let expires = salt
            .strip_suffix(&end)
            .and_then(|rest| rest.split_once("?expires_ms="))
            .and_then(|(_, expires)| expires.parse::<i64>().ok());
        expires.map_or(0, |expires| expires - self.clock.unix_ms())
    }

    /// What binds a challenge to a number and does not tell it.
    fn tag_of(&self, number: &E164) -> String {
        let mut tag = self.keys.sign(&format!("number {}", number.as_str()));
        tag.truncate(16);
        tag
    }
}

fn hash(salt: &str, number: u64) -> String {
    HEXLOWER.encode(&Sha256::digest(format!("{salt}{number}")))
}
