//! What the holder of an admin key has done.

use strum::{EnumString, IntoStaticStr};

/// Who does something with the admin API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Actor {
    pub key_id: i64,
    pub key_name: String,
}

#[derive(Clone, Copy, Debug, EnumString, Eq, IntoStaticStr, PartialEq)]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum AdminActionKind {
    KeyAdded,
    KeyRemoved,
    NumberLookedUp,
    NumberUnlocked,
    NumberBlocked,
    NumberUnblocked,
    NumberErased,
    BreakerReset,
    BucketEmptied,
    UserCreated,
    UsersImported,
    UserRenamed,
    UserMoved,
    UserDeleted,
    UserRevealed,
    UserExported,
    SessionsEnded,
    EventsReplayed,
    EventsResumed,
}

/// Something that a key's holder does. It is written with what it changes in the database, and before
/// what it changes elsewhere.
#[derive(Clone, Debug)]
pub struct NewAdminAction<'a> {
    pub actor: &'a Actor,
    pub kind: AdminActionKind,
    /// The user whom it concerns.
    pub user_id: Option<i64>,
    /// What else it concerns: a masked number, a session, a provider, a bucket, a key's name.
    pub subject: Option<String>,
    /// Why, as its holder says.
    pub reason: Option<String>,
}

impl<'a> NewAdminAction<'a> {
    #[must_use]
    pub fn new(actor: &'a Actor, kind: AdminActionKind) -> Self {
        Self { actor, kind, user_id: None, subject: None, reason: None }
    }

    #[must_use]
    pub fn of_user(self, user_id: i64) -> Self {
        Self { user_id: Some(user_id), ..self }
    }

    #[must_use]
    pub fn about(self, subject: impl ToString) -> Self {
        Self { subject: Some(subject.to_string()), ..self }
    }

    #[must_use]
    pub fn because(self, reason: impl Into<Option<String>>) -> Self {
        Self { reason: reason.into(), ..self }
    }
}
