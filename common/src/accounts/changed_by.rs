//! Who changes a user, and what is written of it.

use sea_orm::{DatabaseTransaction, DbErr};

use super::admin_actions;
use super::events::NewEvent;
use crate::domain::admin_action::NewAdminAction;
use crate::domain::client::{Client, ClientAddress};
use crate::domain::ids::SessionId;

#[derive(Clone, Copy, Debug)]
pub(super) enum ChangedBy<'a> {
    /// The user, by this session.
    User { session: &'a SessionId, client: &'a Client },
    /// The holder of an admin key.
    Operator(&'a NewAdminAction<'a>),
}

impl ChangedBy<'_> {
    pub(super) fn address(self) -> Option<ClientAddress> {
        match self {
            Self::User { client, .. } => Some(client.address),
            Self::Operator(_) => None,
        }
    }

    pub(super) fn is_user(self) -> bool {
        matches!(self, Self::User { .. })
    }

    /// Writes the event, and the action where it is one.
    pub(super) async fn note(
        self,
        transaction: &DatabaseTransaction,
        event: &NewEvent,
    ) -> Result<(), DbErr> {
        match self {
            Self::User { session, .. } => {
                event.insert(transaction, std::slice::from_ref(session)).await
            }
            Self::Operator(action) => {
                event.insert_without_session(transaction).await?;
                admin_actions::insert(transaction, action, event.created_at).await
            }
        }
    }
}
