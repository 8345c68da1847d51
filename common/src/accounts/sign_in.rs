//! A proven number becomes a user with one more session.

use std::sync::LazyLock;

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryFilter,
    Statement,
};
use time::OffsetDateTime;

use super::events::NewEvent;
use super::sessions::SessionFilter;
use super::{Accounts, AccountsError, outgoing_events};
use crate::accounts::entities::{token, user};
use crate::domain::client::Client;
use crate::domain::event::{EventDetails, EventKind, SessionEnd};
use crate::domain::ids::SessionId;
use crate::domain::outgoing_event::OutgoingEvent;
use crate::domain::person_name::PersonName;
use crate::domain::phone::E164;
use crate::domain::token::{Scope, TokenHash};

/// Somebody who just proved that a number is theirs.
#[derive(Debug)]
pub struct SignedIn {
    /// The user, new or known.
    pub user: user::Model,
    /// Whether this was the number's first sign-in.
    pub is_new: bool,
}

/// A session to be kept.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub id: SessionId,
    /// What is kept of its token.
    pub hash: TokenHash,
    pub expiry: OffsetDateTime,
    pub scope: Scope,
    pub client: Client,
}

impl NewSession {
    fn started(&self, user_id: Option<i64>) -> OutgoingEvent {
        OutgoingEvent::session_started(user_id, &self.id, self.client.device.name(), self.expiry)
    }

    fn details(&self) -> EventDetails {
        EventDetails {
            device: self.client.device.name().map(str::to_owned),
            ..EventDetails::default()
        }
    }
}

impl Accounts {
    /// Finds or makes the user of a number, keeps a session for them and writes the event, all or
    /// nothing. Simultaneous first sign-ins of one number make one user. A known user keeps the
    /// name that they have. Of more than `cap` live sessions those that were used least recently
    /// end; 0 is no limit.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] the session may exist, but nobody has
    /// been told its token.
    pub async fn sign_in(
        &self,
        number: &E164,
        name: &PersonName,
        session: NewSession,
        cap: u32,
        now: OffsetDateTime,
    ) -> Result<SignedIn, AccountsError> {
        match self.database.get_database_backend() {
            DbBackend::Postgres => {
                let signed_in = self
                    .within_deadline(self.sign_in_on_postgres(number, name, &session, now))
                    .await?;
                if !signed_in.is_new && cap > 0 {
                    // After the commit, because a statement does not see what others commit while
                    // it runs: of simultaneous sign-ins, the last one sees all.
                    let user_id = signed_in.user.id;
                    let ended = self.end_surplus(user_id, cap, session.client.address, now).await;
                    if let Err(error) = ended {
                        tracing::warn!(event = "surplus_sessions_not_ended", user_id, %error);
                    }
                }
                Ok(signed_in)
            }
            _ => {
                self.within_deadline(self.sign_in_on_sqlite(number, name, &session, cap, now)).await
            }
        }
    }

    async fn sign_in_on_postgres(
        &self,
        number: &E164,
        name: &PersonName,
        session: &NewSession,
        now: OffsetDateTime,
    ) -> Result<SignedIn, DbErr> {
        #[derive(FromQueryResult)]
        struct Row {
            #[sea_orm(nested(prefix = "user_"))]
            user: user::Model,
            is_new: bool,
        }
        static SQL: LazyLock<String> = LazyLock::new(|| sign_in_sql(""));
        static TELLING_SQL: LazyLock<String> = LazyLock::new(|| sign_in_sql(TOLD));
        let mut values = vec![
            now.into(),
            name.as_str().into(),
            number.clone().into(),
            session.hash.clone().into_bytes().into(),
            session.id.as_str().into(),
            session.expiry.into(),
            session.scope.into_str().into(),
            session.client.device.as_str().into(),
            EventKind::SignedUp.into_str().into(),
            EventKind::SignedIn.into_str().into(),
            session.client.address.to_string().into(),
            session.details().to_json().into(),
        ];
        let mut sql = SQL.as_str();
        if self.outgoing.0 {
            sql = TELLING_SQL.as_str();
            values.push(OutgoingEvent::user_created_of_nobody().to_json().into());
            values.push(session.started(None).to_json().into());
            values.push(outgoing_events::due_at(now).into());
        }
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        let row = Row::find_by_statement(statement).one(&self.database).await?;
        let row =
            row.ok_or_else(|| DbErr::RecordNotFound("the user that was just written".to_owned()))?;
        Ok(SignedIn { user: row.user, is_new: row.is_new })
    }

    async fn sign_in_on_sqlite(
        &self,
        number: &E164,
        name: &PersonName,
        session: &NewSession,
        cap: u32,
        now: OffsetDateTime,
    ) -> Result<SignedIn, DbErr> {
        let transaction = self.begin_write().await?;
        let signed_in = find_or_make_user(&transaction, number, name, now).await?;
        let user_id = signed_in.user.id;
        let kept = token::ActiveModel {
            serial: NotSet,
            hash: Set(session.hash.clone().into_bytes()),
            id: Set(session.id.to_string()),
            user_id: Set(user_id),
            created_at: Set(now),
            last_used_at: Set(now),
            expiry: Set(session.expiry),
            scope: Set(session.scope.into_str().to_owned()),
            device: Set(session.client.device.as_str().to_owned()),
        };
        token::Entity::insert(kept).exec_without_returning(&transaction).await?;
        let kind = if signed_in.is_new { EventKind::SignedUp } else { EventKind::SignedIn };
        let address = Some(session.client.address);
        let event =
            NewEvent { user_id, created_at: now, kind, address, details: session.details() };
        event.insert(&transaction, std::slice::from_ref(&session.id)).await?;
        let told = || {
            let user = &signed_in.user;
            let created = signed_in
                .is_new
                .then(|| OutgoingEvent::user_created(user_id, &user.name, &user.phone_number));
            created.into_iter().chain([session.started(Some(user_id))]).collect()
        };
        self.outgoing.add(&transaction, now, told).await?;
        let mut surplus = Vec::new();
        if !signed_in.is_new && cap > 0 {
            let event = NewEvent::end(user_id, SessionEnd::SessionLimit, address, now);
            surplus = SessionFilter::BeyondNewest(cap).end(&transaction, &event).await?;
            let reason = SessionEnd::SessionLimit.into_str();
            self.outgoing.sessions_ended(&transaction, user_id, &surplus, reason, now).await?;
        }
        transaction.commit().await?;
        if !surplus.is_empty() {
            self.tell_of_change(user_id).await;
        }
        Ok(signed_in)
    }
}

/// One statement: one round trip and one commit. The update that changes nothing makes a known
/// user's row come back.
fn sign_in_sql(told: &str) -> String {
    let user = &*user::COLUMNS;
    format!(
                "WITH signed_in AS (
                    INSERT INTO users (created_at, name, phone_number) VALUES ($1, $2, $3)
                    ON CONFLICT (phone_number) DO UPDATE SET phone_number = excluded.phone_number
                    RETURNING {user}, xmax = 0 AS is_new
                ), kept AS (
                    INSERT INTO tokens (hash, id, user_id, created_at, last_used_at, expiry, scope, device)
                    SELECT $4, $5, user_id, $1, $1, $6, $7, $8 FROM signed_in
                ), noted AS (
                    INSERT INTO events (created_at, user_id, kind, address, session_id, details)
                    SELECT $1, user_id, CASE WHEN is_new THEN $9 ELSE $10 END, $11, $5, $12 FROM signed_in
                ){told}
                SELECT * FROM signed_in"
            )
}

/// The outbox' entries of a sign-in, for [`sign_in_sql`]. They come from the row that was locked, so
/// their ids are given after that.
const TOLD: &str = ", told AS (
                    INSERT INTO outbox (created_at, kind, payload, due_at)
                    SELECT $1, 'event', event::text, $15 FROM (
                        SELECT 1 AS place, $13::jsonb || jsonb_build_object('data', jsonb_build_object(
                            'user_id', user_id, 'name', user_name, 'phone_number', user_phone_number
                        )) AS event FROM signed_in WHERE is_new
                        UNION ALL
                        SELECT 2, jsonb_set($14::jsonb, '{data,user_id}', to_jsonb(user_id))
                        FROM signed_in
                    ) AS news ORDER BY place
                )";

async fn find_or_make_user(
    transaction: &DatabaseTransaction,
    number: &E164,
    name: &PersonName,
    now: OffsetDateTime,
) -> Result<SignedIn, DbErr> {
    let known = user::Entity::find()
        .filter(user::Column::PhoneNumber.eq(number.clone()))
        .one(transaction)
        .await?;
    if let Some(user) = known {
        return Ok(SignedIn { user, is_new: false });
    }
    let new = user::ActiveModel {
        created_at: Set(now),
        name: Set(name.as_str().to_owned()),
        phone_number: Set(number.clone()),
        version: Set(1),
        ..Default::default()
    };
    Ok(SignedIn {
        user: user::Entity::insert(new).exec_with_returning(transaction).await?,
        is_new: true,
    })
}
