//! Sessions: each begins with an OTP, and its user sees, renews and ends it.

use std::time::Duration;

use common::client::Client;
use common::id::SessionId;
use common::store::accounts::NewSession;
use common::token::{Scope, Token};
use time::OffsetDateTime;

/// How long sessions last, and how many there may be.
#[derive(Clone, Copy, Debug)]
pub struct SessionTerms {
    /// Life of a token, which a renewal gives anew.
    pub token_ttl: Duration,
    /// Longest life of a session, from its OTP.
    pub longest: Duration,
    /// Live sessions of one user; 0 is no limit.
    pub per_user: u32,
}

impl SessionTerms {
    /// A session that begins now.
    pub(crate) fn begin(&self, token: &Token, client: &Client, now: OffsetDateTime) -> NewSession {
        NewSession {
            id: SessionId::random(),
            hash: token.hash(),
            expiry: self.expiry(now, now),
            scope: Scope::Authentication,
            client: client.clone(),
        }
    }

    /// When a token ends that is given now to a session that began then.
    fn expiry(&self, began: OffsetDateTime, now: OffsetDateTime) -> OffsetDateTime {
        (now + self.token_ttl).min(began + self.longest)
    }
}
