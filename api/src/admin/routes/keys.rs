//! `/admin/key`, the one that asks, and `/admin/keys`.

use std::sync::Arc;

use common::accounts::{KeptAdminKey, NewAdminKey};
use common::domain::admin_key::AdminKey;
use common::domain::last_day;
use common::domain::person_name::PersonName;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;
use time::OffsetDateTime;
use time::macros::datetime;

use super::Tag;
use super::failures::failures;
use super::payloads::{Done, Role, next_cursor};
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::{ErrorKind, Failure};
use crate::http::strict_json::StrictJson;
use crate::routes::paging;
use crate::routes::payloads::NullableText;

#[derive(Debug)]
pub(super) struct KeysApi;

/// A key, without the key.
#[derive(Debug, Object)]
#[oai(example, skip_serializing_if_is_none)]
struct Key {
    /// The key's id.
    id: i64,
    /// Whose it is. No other key has the name.
    name: String,
    /// What its holder may do.
    role: Role,
    /// When it was added (RFC 3339, UTC).
    created_at: OffsetDateTime,
    /// When it stops working (RFC 3339, UTC).
    expires_at: Option<OffsetDateTime>,
    /// When it was last used, up to a minute ago (RFC 3339, UTC).
    last_used_at: Option<OffsetDateTime>,
}

/// One key.
#[derive(Debug, Object)]
#[oai(example)]
struct OneKey {
    /// Which.
    data: Key,
}

/// A part of the list, newest first.
#[derive(Debug, Object)]
#[oai(example)]
struct KeyList {
    /// The keys, expired ones too.
    data: Vec<Key>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: NullableText,
}

/// A new key.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(example)]
struct NewKey {
    /// Whose it is: 1 to 100 characters. No other key may have the name.
    name: String,
    /// What its holder may do.
    role: Role,
    /// The last day on which it works (UTC), like `2027-01-31`; it works until it is removed where
    /// none is given.
    last_day: Option<String>,
}

/// A key, this once.
#[derive(Object)]
#[oai(example)]
struct AddedKey {
    /// What is known of it.
    data: Key,
    /// The key: `csa_` and 52 characters. It is told this once.
    key: String,
}

failures! {
    CurrentFailures {}
    ListFailures { InvalidParameter }
    AddFailures {
        InvalidPayload, InvalidPersonName, InvalidLastDay, RequestTimeout, KeyNameTaken, PayloadTooLarge,
        UnsupportedMediaType,
    }
    RemoveFailures { InvalidParameter, KeyNotFound }
}

#[OpenApi]
impl KeysApi {
    /// See which key asks
    #[oai(path = "/admin/key", method = "get", tag = "Tag::Keys", operation_id = "getKey")]
    async fn current(&self, key: AdminKeyHolder) -> Result<Json<OneKey>, Failure<CurrentFailures>> {
        Ok(Json(OneKey { data: (*key.0).clone().into() }))
    }

    /// See all keys
    #[oai(path = "/admin/keys", method = "get", tag = "Tag::Keys", operation_id = "listKeys")]
    async fn list(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
        /// The most that the answer lists.
        #[oai(
            default = "paging::default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
        /// Where to go on: the `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<KeyList>, Failure<ListFailures>> {
        let page = paging::request(*limit, cursor.as_deref())?;
        let page = state.app.accounts.admin_keys(page).await?;
        let next_cursor = next_cursor(page.next);
        Ok(Json(KeyList { data: page.rows.into_iter().map(Key::from).collect(), next_cursor }))
    }

    /// Add a key
    ///
    /// The key is told this once, and kept as its hash.
    #[oai(path = "/admin/keys", method = "post", tag = "Tag::Keys", operation_id = "addKey")]
    async fn add(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        body: StrictJson<NewKey>,
    ) -> Result<Json<AddedKey>, Failure<AddFailures>> {
        let NewKey { name, role, last_day } = body.0;
        let name = PersonName::parse(&name)?.ok_or(ErrorKind::InvalidPersonName)?;
        let now = state.app.clock.now();
        let expires_at = last_day
            .map(|day| last_day::end_after(now, &day).ok_or(ErrorKind::InvalidLastDay))
            .transpose()?;
        let new = AdminKey::random();
        let kept = NewAdminKey { key: &new, name: &name, role: role.into(), expires_at };
        let kept = state.app.accounts.add_admin_key(kept, Some(&key.0.actor()), now).await?;
        let data = kept.ok_or(ErrorKind::KeyNameTaken)?.into();
        Ok(Json(AddedKey { data, key: new.expose().to_owned() }))
    }

    /// Remove a key
    ///
    /// It stops working at once.
    #[oai(
        path = "/admin/keys/:key_id",
        method = "delete",
        tag = "Tag::Keys",
        operation_id = "removeKey"
    )]
    async fn remove(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// The key's id.
        #[oai(example = "example_id")]
        key_id: Path<i64>,
    ) -> Result<Done, Failure<RemoveFailures>> {
        let (actor, now) = (key.0.actor(), state.app.clock.now());
        match state.app.accounts.remove_admin_key(*key_id, Some(&actor), now).await? {
            Some(_) => Ok(Done::Done),
            None => Err(ErrorKind::KeyNotFound.into()),
        }
    }
}

fn example_id() -> i64 {
    1
}

impl From<KeptAdminKey> for Key {
    fn from(key: KeptAdminKey) -> Self {
        let KeptAdminKey { id, name, role, created_at, expires_at, last_used_at } = key;
        Self { id, name, role: role.into(), created_at, expires_at, last_used_at }
    }
}

impl Example for Key {
    fn example() -> Self {
        Self {
            id: 1,
            name: "Priya".to_owned(),
            role: Role::Operator,
            created_at: datetime!(2026-11-23 07:04:59 UTC),
            expires_at: Some(datetime!(2027-02-01 00:00:00 UTC)),
            last_used_at: Some(datetime!(2026-11-24 09:30:00 UTC)),
        }
    }
}

impl Example for OneKey {
    fn example() -> Self {
        Self { data: Key::example() }
    }
}

impl Example for KeyList {
    fn example() -> Self {
        Self { data: vec![Key::example()], next_cursor: NullableText(None) }
    }
}

impl Example for NewKey {
    fn example() -> Self {
        let (name, last_day) = ("Priya".to_owned(), Some("2099-12-31".to_owned()));
        Self { name, role: Role::Operator, last_day }
    }
}

impl Example for AddedKey {
    fn example() -> Self {
        let key = "csa_k5x2aw7nqf3c4zt6y2h4v5xk7ek5x2aw7nqf3c4zt6y2h4v5xk7e".to_owned();
        Self { data: Key::example(), key }
    }
}
