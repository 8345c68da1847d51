//! Pictures of users: what was put, what is made of it, and what is to be removed.
//!
//! The row comes before the first byte and goes after the last one. `due_at` (Unix ms) says when
//! somebody has to look at a row again: a job that makes the picture, or the removal of bytes.
//! Until then it is somebody's.

use std::collections::HashSet;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Statement, Value};
use strum::{EnumString, IntoStaticStr};
use time::OffsetDateTime;

use super::events::NewEvent;
use super::sessions::lock_user;
use super::{Accounts, AccountsError};
use crate::domain::client::{Client, ClientAddress};
use crate::domain::event::{EventDetails, EventKind};
use crate::domain::ids::{PictureId, SessionId};
use crate::domain::picture::PictureFault;

/// When nobody has to look at a row.
const NEVER: i64 = i64::MAX;
const AN_HOUR: Duration = Duration::from_secs(60 * 60);

/// Where a picture stands.
#[derive(Clone, Copy, Debug, EnumString, Eq, IntoStaticStr, PartialEq)]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum PictureState {
    /// Its bytes come.
    Putting,
    /// A job is to make it.
    Making,
    /// It is the user's.
    Made,
    /// None can be made of what was put.
    Failed,
    /// Its bytes are to be removed.
    Replaced,
    /// Its bytes are removed. Its row counts for an hour.
    Gone,
}

/// A picture whose bytes are to come.
#[derive(Clone, Copy, Debug)]
pub struct PictureToPut<'a> {
    pub user_id: i64,
    pub id: &'a PictureId,
    pub session: &'a SessionId,
    pub client: &'a Client,
    /// How many are taken of a user within an hour; 0 is no limit.
    pub most: u32,
    /// When its bytes have to be there (Unix ms).
    pub until: i64,
}

/// A picture that can be seen.
#[derive(Clone, Debug, Eq, FromQueryResult, PartialEq)]
pub struct MadePicture {
    /// In bytes.
    pub size: i64,
    pub sha256: Vec<u8>,
    pub made_at: OffsetDateTime,
}

/// What the user sees of their own pictures.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OwnPicture {
    /// The one that is theirs.
    pub id: Option<String>,
    /// One is being made.
    pub is_being_made: bool,
    /// Why none could be made of what was put last.
    pub fault: Option<PictureFault>,
}

/// A row that somebody has to do something with.
#[derive(Clone, Debug, Eq, FromQueryResult, PartialEq)]
pub struct DuePicture {
    pub serial: i64,
    pub id: String,
    pub multipart_id: Option<String>,
}

/// What a job makes a picture of.
#[derive(Clone, Debug, Eq, FromQueryResult, PartialEq)]
pub struct PutPicture {
    pub serial: i64,
    pub user_id: i64,
    pub put_size: i64,
    pub multipart_id: Option<String>,
    /// How many jobs have begun it, this one included.
    pub attempts: i32,
    session_id: String,
    address: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PutBegun {
    Done,
    /// The user has put as many within an hour as they may, and may put another one after this.
    TooOften(Duration),
    /// The user is gone.
    NoUser,
}

#[derive(FromQueryResult)]
struct Id {
    id: String,
}

impl Accounts {
    /// Writes that a user puts a picture.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be written all the same, and expires.
    pub async fn begin_picture(
        &self,
        put: &PictureToPut<'_>,
        now: OffsetDateTime,
    ) -> Result<PutBegun, AccountsError> {
        const NTH: &str = "SELECT created_at FROM pictures
            WHERE user_id = $1 AND created_at > $2 ORDER BY serial DESC LIMIT 1 OFFSET $3";
        const INSERT: &str = "INSERT INTO pictures
                (id, user_id, state, due_at, session_id, address, created_at)
            VALUES ($1, $2, 'putting', $3, $4, $5, $6)";
        #[derive(FromQueryResult)]
        struct Row {
            created_at: OffsetDateTime,
        }
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            if lock_user(&transaction, put.user_id).await?.is_none() {
                return Ok(PutBegun::NoUser);
            }
            let earliest = now - AN_HOUR;
            if let Some(offset) = put.most.checked_sub(1) {
                let offset = i64::from(offset);
                let values = [put.user_id.into(), earliest.into(), offset.into()];
                let nth = Row::find_by_statement(self.statement(NTH, values));
                if let Some(row) = nth.one(&transaction).await? {
                    return Ok(PutBegun::TooOften((row.created_at - earliest).unsigned_abs()));
                }
            }
            let values: [Value; 6] = [
                put.id.as_str().into(),
                put.user_id.into(),
                put.until.into(),
                put.session.as_str().into(),
                put.client.address.to_string().into(),
                now.into(),
            ];
            transaction.execute_raw(self.statement(INSERT, values)).await?;
            transaction.commit().await?;
            Ok(PutBegun::Done)
        })
        .await
    }

    /// Writes down the multipart upload of a picture's bytes, before its first part.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn note_multipart_picture(
        &self,
        id: &PictureId,
        multipart_id: &str,
    ) -> Result<(), AccountsError> {
        const SQL: &str = "UPDATE pictures SET multipart_id = $1 WHERE id = $2";
        self.run(SQL, [multipart_id.into(), id.as_str().into()]).await?;
        Ok(())
    }

    /// Notes that all bytes of a picture are there, so that it is made at `now` (Unix ms) in place of
    /// what the user put before. Says whether it is still wanted.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be noted all the same.
    pub async fn picture_was_put(
        &self,
        user_id: i64,
        id: &PictureId,
        size: i64,
        now: i64,
    ) -> Result<bool, AccountsError> {
        const REPLACE: &str = "UPDATE pictures SET state = 'replaced',
                due_at = CASE WHEN state = 'making' THEN due_at ELSE $2 END
            WHERE user_id = $1 AND state IN ('making', 'failed')";
        const PUT: &str = "UPDATE pictures SET state = 'making', put_size = $1, due_at = $2
            WHERE id = $3 AND user_id = $4 AND state = 'putting'";
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            lock_user(&transaction, user_id).await?;
            transaction.execute_raw(self.statement(REPLACE, [user_id.into(), now.into()])).await?;
            let values = [size.into(), now.into(), id.as_str().into(), user_id.into()];
            let put = transaction.execute_raw(self.statement(PUT, values)).await?;
            if put.rows_affected() == 0 {
                return Ok(false);
            }
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Gives up what was put of a picture.
    ///
    /// # Errors
    /// [`AccountsError`]; then it expires.
    pub async fn give_picture_up(&self, id: &PictureId, now: i64) -> Result<(), AccountsError> {
        const SQL: &str = "UPDATE pictures SET state = 'replaced', due_at = $1
            WHERE id = $2 AND state = 'putting'";
        self.run(SQL, [now.into(), id.as_str().into()]).await?;
        Ok(())
    }

    /// Takes all pictures from a user, also one that is being made, and writes the event where one
    /// could be seen.
    ///
    /// # Errors
    /// [`AccountsError`]; they may be taken all the same.
    pub async fn remove_picture(
        &self,
        user_id: i64,
        session: &SessionId,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<(), AccountsError> {
        let due = unix_ms(now);
        const REMOVE: &str = "UPDATE pictures SET state = 'replaced',
                due_at = CASE WHEN state = 'making' THEN due_at ELSE $2 END
            WHERE user_id = $1 AND state IN ('making', 'failed', 'made')";
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            if lock_user(&transaction, user_id).await?.is_none() {
                return Ok(());
            }
            let seen = self.made_picture_id(&transaction, user_id).await?.is_some();
            transaction.execute_raw(self.statement(REMOVE, [user_id.into(), due.into()])).await?;
            if seen {
                let event = changed(user_id, Some(client.address), now);
                event.insert(&transaction, std::slice::from_ref(session)).await?;
            }
            transaction.commit().await
        })
        .await
    }

    /// What a user sees of their own pictures.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn own_picture(&self, user_id: i64) -> Result<OwnPicture, AccountsError> {
        const SQL: &str = "SELECT id, state, fault FROM pictures
            WHERE user_id = $1 AND state IN ('making', 'made', 'failed') ORDER BY serial";
        #[derive(FromQueryResult)]
        struct Row {
            id: String,
            state: String,
            fault: Option<String>,
        }
        let query = Row::find_by_statement(self.statement(SQL, [user_id.into()]));
        let rows = self.within_deadline(query.all(&self.database)).await?;
        let mut own = OwnPicture::default();
        for row in rows {
            match row.state.parse() {
                Ok(PictureState::Made) => own.id = Some(row.id),
                Ok(PictureState::Making) => own.is_being_made = true,
                _ => own.fault = row.fault.and_then(|fault| fault.parse().ok()),
            }
        }
        Ok(own)
    }

    /// The id of the picture that a user has; none where they have none.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn picture_of(&self, user_id: i64) -> Result<Option<String>, AccountsError> {
        self.within_deadline(self.made_picture_id(&self.database, user_id)).await
    }

    async fn made_picture_id(
        &self,
        connection: &impl ConnectionTrait,
        user_id: i64,
    ) -> Result<Option<String>, DbErr> {
        const SQL: &str = "SELECT id FROM pictures WHERE user_id = $1 AND state = 'made'
            ORDER BY serial DESC LIMIT 1";
        let query = Id::find_by_statement(self.statement(SQL, [user_id.into()]));
        Ok(query.one(connection).await?.map(|row| row.id))
    }

    /// A picture that somebody has.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn made_picture(&self, id: &PictureId) -> Result<Option<MadePicture>, AccountsError> {
        const SQL: &str = "SELECT size, sha256, made_at FROM pictures
            WHERE id = $1 AND state = 'made' AND user_id IS NOT NULL";
        let query = MadePicture::find_by_statement(self.statement(SQL, [id.as_str().into()]));
        self.within_deadline(query.one(&self.database)).await
    }

    /// At most `limit` pictures that are to be made at `now`. They are due again at `again` (Unix
    /// ms).
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn take_due_pictures(
        &self,
        now: i64,
        again: i64,
        limit: i64,
    ) -> Result<Vec<String>, AccountsError> {
        const SQL: &str = "UPDATE pictures SET due_at = $1 WHERE serial IN (
                SELECT serial FROM pictures
                WHERE state = 'making' AND user_id IS NOT NULL AND due_at <= $2
                ORDER BY due_at LIMIT $3
            ) AND due_at <= $2 RETURNING id";
        let values = [again.into(), now.into(), limit.into()];
        let query = Id::find_by_statement(self.statement(SQL, values));
        let rows = self.within_deadline(query.all(&self.database)).await?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    /// Begins to make a picture that is still to be made by the job that has it until `again` (Unix
    /// ms), and counts that.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be counted all the same.
    pub async fn begin_to_make_picture(
        &self,
        id: &PictureId,
        again: i64,
    ) -> Result<Option<PutPicture>, AccountsError> {
        const SQL: &str = "UPDATE pictures SET attempts = attempts + 1
            WHERE id = $1 AND due_at = $2 AND state = 'making' AND user_id IS NOT NULL
            RETURNING serial, user_id, put_size, multipart_id, attempts, session_id, address";
        let values = [id.as_str().into(), again.into()];
        let query = PutPicture::find_by_statement(self.statement(SQL, values));
        self.within_deadline(query.one(&self.database)).await
    }

    /// Gives a user the picture that was made, in place of the one that they had, and writes the
    /// event. Says whether it is still wanted.
    ///
    /// # Errors
    /// [`AccountsError`]; they may have it all the same.
    pub async fn keep_picture(
        &self,
        put: &PutPicture,
        size: i64,
        sha256: Vec<u8>,
        now: OffsetDateTime,
    ) -> Result<bool, AccountsError> {
        const REPLACE: &str = "UPDATE pictures SET state = 'replaced', due_at = $2
            WHERE user_id = $1 AND state = 'made'";
        const KEEP: &str = "UPDATE pictures
            SET state = 'made', size = $1, sha256 = $2, made_at = $3, due_at = $6
            WHERE serial = $4 AND state = 'making' AND user_id = $5";
        let due = unix_ms(now);
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            lock_user(&transaction, put.user_id).await?;
            transaction
                .execute_raw(self.statement(REPLACE, [put.user_id.into(), due.into()]))
                .await?;
            let values: [Value; 6] = [
                size.into(),
                sha256.into(),
                now.into(),
                put.serial.into(),
                put.user_id.into(),
                NEVER.into(),
            ];
            let kept = transaction.execute_raw(self.statement(KEEP, values)).await?;
            if kept.rows_affected() == 0 {
                return Ok(false);
            }
            put.tell(&transaction, now).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Counts a job no more that has begun to make a picture: something else than the picture ended
    /// it.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be counted all the same.
    pub async fn uncount_picture_attempt(&self, put: &PutPicture) -> Result<(), AccountsError> {
        const SQL: &str = "UPDATE pictures SET attempts = attempts - 1
            WHERE serial = $1 AND attempts = $2";
        self.run(SQL, [put.serial.into(), put.attempts.into()]).await?;
        Ok(())
    }

    /// Notes why no picture can be made of what was put.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be noted all the same.
    pub async fn picture_failed(
        &self,
        put: &PutPicture,
        fault: PictureFault,
    ) -> Result<(), AccountsError> {
        const SQL: &str = "UPDATE pictures SET state = 'failed', fault = $1, due_at = $2
            WHERE serial = $3 AND state = 'making'";
        let fault = <&str>::from(fault);
        self.run(SQL, [fault.into(), NEVER.into(), put.serial.into()]).await?;
        Ok(())
    }

    /// At most `limit` pictures whose bytes are to be removed at `now`. They are due again at `again`
    /// (Unix ms).
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn take_pictures_to_remove(
        &self,
        now: i64,
        again: i64,
        limit: i64,
    ) -> Result<Vec<DuePicture>, AccountsError> {
        const SQL: &str = "UPDATE pictures SET due_at = $1 WHERE serial IN (
                SELECT serial FROM pictures WHERE due_at <= $2 AND state IN ('replaced', 'putting')
                UNION SELECT serial FROM pictures
                    WHERE user_id IS NULL AND (due_at <= $2 OR due_at = $3)
                ORDER BY serial LIMIT $4
            ) AND (due_at <= $2 OR due_at = $3) RETURNING serial, id, multipart_id";
        let values = [again.into(), now.into(), NEVER.into(), limit.into()];
        let query = DuePicture::find_by_statement(self.statement(SQL, values));
        self.within_deadline(query.all(&self.database)).await
    }

    /// Of these pictures, those that what was put is still needed of, and those that there are or
    /// may be at any moment.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn pictures_with_bytes(
        &self,
        ids: &[String],
    ) -> Result<(HashSet<String>, HashSet<String>), AccountsError> {
        let places: Vec<_> = (1..=ids.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT id, state FROM pictures
            WHERE state IN ('putting', 'making', 'made') AND id IN ({})",
            places.join(", ")
        );
        #[derive(FromQueryResult)]
        struct Row {
            id: String,
            state: String,
        }
        let values = ids.iter().map(|id| Value::from(id.as_str()));
        let backend = self.database.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let rows = self.within_deadline(Row::find_by_statement(statement).all(&self.database));
        let (mut put, mut made) = (HashSet::new(), HashSet::new());
        for Row { id, state } in rows.await? {
            if state != "made" {
                put.insert(id.clone());
            }
            if state != "putting" {
                made.insert(id);
            }
        }
        Ok((put, made))
    }

    /// Notes that the bytes of a picture are removed. Its row still counts for an hour, where there
    /// is a user for whom it does.
    ///
    /// # Errors
    /// [`AccountsError`]; then they are removed again.
    pub async fn picture_is_gone(
        &self,
        serial: i64,
        now: OffsetDateTime,
    ) -> Result<(), AccountsError> {
        const FORGET: &str = "DELETE FROM pictures WHERE serial = $1 AND user_id IS NULL";
        const KEEP: &str = "UPDATE pictures SET state = 'gone', due_at = $2
            WHERE serial = $1 AND state IN ('replaced', 'putting')";
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            transaction.execute_raw(self.statement(FORGET, [serial.into()])).await?;
            let values = [serial.into(), unix_ms(now + AN_HOUR).into()];
            transaction.execute_raw(self.statement(KEEP, values)).await?;
            transaction.commit().await
        })
        .await
    }

    /// Forgets at most `limit` pictures that are gone and count no more at `now` (Unix ms), because
    /// of the time or because their user is gone too; says how many.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn prune_gone_pictures(&self, now: i64, limit: u64) -> Result<u64, AccountsError> {
        const SQL: &str = "DELETE FROM pictures WHERE serial IN (
                SELECT serial FROM pictures
                WHERE (due_at <= $1 OR user_id IS NULL) AND state = 'gone' LIMIT $2
            )";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.run(SQL, [now.into(), limit.into()]).await
    }
}

impl PutPicture {
    async fn tell(
        &self,
        transaction: &DatabaseTransaction,
        now: OffsetDateTime,
    ) -> Result<(), DbErr> {
        let session = SessionId::from_store(self.session_id.clone());
        let event = changed(self.user_id, ClientAddress::from_store(&self.address), now);
        event.insert(transaction, std::slice::from_ref(&session)).await
    }
}

fn changed(user_id: i64, address: Option<ClientAddress>, now: OffsetDateTime) -> NewEvent {
    NewEvent {
        user_id,
        created_at: now,
        kind: EventKind::PictureChanged,
        address,
        details: EventDetails::default(),
    }
}

fn unix_ms(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
