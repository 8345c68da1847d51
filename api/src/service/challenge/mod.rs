//! What somebody may solve who asks for an OTP sooner than the number's cooldown and hour allow.

mod altcha;
mod site_verify;

use common::domain::client::ClientAddress;
use common::domain::phone::E164;
use common::ledger::error::LedgerError;
use serde_json::Value;

pub use self::altcha::Altcha;
pub use self::site_verify::{Site, SiteVerify};

/// Who makes challenges and checks what solves them.
#[derive(Clone, Debug)]
pub enum Challenges {
    /// Ourselves: proof of work.
    Altcha(Altcha),
    /// A provider elsewhere.
    Site(SiteVerify),
}

/// Why it is not known whether a challenge was solved.
#[derive(Debug, thiserror::Error)]
pub enum ChallengeError {
    #[error(transparent)]
    Store(#[from] LedgerError),
    /// The provider of that name did not answer as it should.
    #[error("{0} did not check a challenge")]
    Provider(&'static str),
}

impl Challenges {
    /// What to solve before the number is sent to.
    #[must_use]
    pub fn challenge_for(&self, number: &E164) -> Value {
        match self {
            Self::Altcha(altcha) => altcha.challenge_for(number),
            Self::Site(site) => site.challenge(),
        }
    }

    /// Whether that solves a challenge, which is used up then.
    ///
    /// # Errors
    /// [`ChallengeError`].
    pub async fn is_solved(
        &self,
        solution: &str,
        number: &E164,
        address: ClientAddress,
    ) -> Result<bool, ChallengeError> {
        match self {
            Self::Altcha(altcha) => Ok(altcha.is_solved(solution, number).await?),
            Self::Site(site) => site.is_solved(solution, address).await,
        }
    }
}
