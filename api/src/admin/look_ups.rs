//! Look-ups by number. Whoever sees numbers masked could find one out by trying, so each is an action,
//! and of a key there are only so many within an hour.

use std::fmt::Display;
use std::time::Duration;

use common::domain::admin_action::{AdminActionKind, NewAdminAction};
use common::domain::admin_key::AdminRole;

use super::key_check::AdminKeyHolder;
use super::state::AdminState;
use crate::http::error::{ApiError, ErrorKind};

/// Of a key, all processes together. A masked number hides six digits or more: a million tries.
const MOST: u32 = 100;
const WITHIN: Duration = Duration::from_secs(60 * 60);

impl AdminKeyHolder {
    /// Whether the holder sees numbers masked, and may have none of them revealed.
    pub(super) fn sees_masked(&self) -> bool {
        self.0.role < AdminRole::Operator
    }

    /// Notes that the holder is about to look this number up, which shows itself masked.
    ///
    /// # Errors
    /// They see numbers masked, and have looked up too many; or it cannot be noted.
    pub(super) async fn looks_up(
        &self,
        state: &AdminState,
        number: impl Display,
    ) -> Result<(), ApiError> {
        if !self.sees_masked() {
            return Ok(());
        }
        let (actor, now) = (self.0.actor(), state.app.clock.now());
        let action = NewAdminAction::new(&actor, AdminActionKind::NumberLookedUp).about(number);
        let accounts = &state.app.accounts;
        match accounts.note_bounded_admin_action(&action, MOST, WITHIN, now).await? {
            None => Ok(()),
            Some(wait) => Err(ApiError::retry_after(ErrorKind::TooManyLookUps, wait)),
        }
    }
}
