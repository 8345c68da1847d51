//! Files of users: what is known of them. Their bytes are in [`crate::files`].
//!
//! The row comes before the first byte and goes after the last one, so there are no bytes without a
//! row. One request at a time writes, by a lease; only its holder changes what is kept.

use std::collections::HashMap;
use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Statement, Value,
};
use time::OffsetDateTime;

use super::sessions::lock_user;
use super::{Accounts, AccountsError};
use crate::accounts::entities::file;
use crate::domain::cursor::{Page, PageRequest};
use crate::domain::file_name::FileName;
use crate::domain::ids::{FileId, LeaseId};
use crate::runtime::clock::millis;

/// Parts that are written by one statement. With more SQLite takes long to read it.
const PARTS_AT_ONCE: usize = 500;

/// A file that a user announces.
#[derive(Clone, Debug)]
pub struct NewFile<'a> {
    pub id: &'a FileId,
    pub user_id: i64,
    pub name: &'a FileName,
    pub declared_type: Option<&'a str>,
    /// In bytes.
    pub size: i64,
    pub expires_at: OffsetDateTime,
}

/// How much a user may have, unfinished files included; 0 is no limit.
#[derive(Clone, Copy, Debug)]
pub struct FileRoom {
    pub files: i64,
    /// In bytes, as they were announced.
    pub bytes: i64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Created {
    Done,
    TooMany,
    NoRoom,
    /// The user is gone.
    NoUser,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Leased {
    /// The file as it is, for the holder alone.
    To(Box<file::Model>),
    /// Another request writes to it.
    Locked,
    /// The user writes to as many files as they may.
    TooMany,
    /// The user has no such file.
    Unknown,
}

/// What is kept of a file now.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// In bytes, when it is complete. It only becomes less, where less came than was announced.
    pub size: i64,
    /// In bytes.
    pub received: i64,
    pub hash_state: Option<Vec<u8>>,
    pub sha256: Option<Vec<u8>>,
    pub sniffed_type: Option<String>,
    pub multipart_id: Option<String>,
    pub tail: i64,
    /// Parts since the last time, by their number from 0.
    pub parts: Vec<(i64, String)>,
}

impl Accounts {
    /// Writes a new file, if its user still has room.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be written all the same, and expires.
    pub async fn create_file(
        &self,
        file: &NewFile<'_>,
        room: FileRoom,
        now: OffsetDateTime,
    ) -> Result<Created, AccountsError> {
        const INSERT: &str = "INSERT INTO files
                (id, user_id, name, declared_type, size, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            if lock_user(&transaction, file.user_id).await?.is_none() {
                return Ok(Created::NoUser);
            }
            let (count, bytes) = self.used(&transaction, file.user_id).await?;
            if room.files > 0 && count >= room.files {
                return Ok(Created::TooMany);
            }
            if room.bytes > 0 && bytes.saturating_add(file.size) > room.bytes {
                return Ok(Created::NoRoom);
            }
            let values = [
                file.id.as_str().into(),
                file.user_id.into(),
                file.name.as_str().into(),
                file.declared_type.map(str::to_owned).into(),
                file.size.into(),
                now.into(),
                file.expires_at.into(),
            ];
            transaction.execute_raw(self.statement(INSERT, values)).await?;
            transaction.commit().await?;
            Ok(Created::Done)
        })
        .await
    }

    /// How many files a user has, and how many bytes, unfinished files included.
    async fn used(
        &self,
        transaction: &DatabaseTransaction,
        user_id: i64,
    ) -> Result<(i64, i64), DbErr> {
        #[derive(FromQueryResult)]
        struct Row {
            count: i64,
            bytes: i64,
        }
        const SQL: &str =
            "SELECT COUNT(*) AS count, CAST(COALESCE(SUM(size), 0) AS bigint) AS bytes
            FROM files WHERE user_id = $1";
        let query = Row::find_by_statement(self.statement(SQL, [user_id.into()]));
        let row = query.one(transaction).await?;
        Ok(row.map_or((0, 0), |row| (row.count, row.bytes)))
    }

    /// A file of a user.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn file(
        &self,
        user_id: i64,
        id: &FileId,
    ) -> Result<Option<file::Model>, AccountsError> {
        let query = file::Entity::find()
            .filter(file::Column::Id.eq(id.as_str()))
            .filter(file::Column::UserId.eq(user_id));
        self.within_deadline(query.one(&self.database)).await
    }

    /// The files of a user, also those that are not complete.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn files(
        &self,
        user_id: i64,
        page: PageRequest,
    ) -> Result<Page<file::Model>, AccountsError> {
        let mut query = file::Entity::find().filter(file::Column::UserId.eq(user_id));
        if let Some(cursor) = page.cursor {
            query = query.filter(file::Column::Serial.lt(cursor.row()));
        }
        let query = query.order_by_desc(file::Column::Serial).limit(page.limit.saturating_add(1));
        let rows = self.within_deadline(query.all(&self.database)).await?;
        Ok(Page::new(rows, page.limit, |row| row.serial))
    }

    /// Milliseconds since the Unix epoch, as the database has them. Leases go by its clock alone, so
    /// the machines of the programs need not agree.
    fn now_ms(&self) -> &'static str {
        match self.database.get_database_backend() {
            DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint)",
            _ => "CAST(unixepoch('subsec') * 1000 AS integer)",
        }
    }

    fn is_free(&self) -> SimpleExpr {
        Expr::cust(format!("leased_until <= {}", self.now_ms()))
    }

    /// Gives a request the right to write to a file for so long, if no other one has it. A user has
    /// `most` at once; 0 is no limit.
    ///
    /// # Errors
    /// [`AccountsError`]; it may have it all the same.
    pub async fn lease_file(
        &self,
        user_id: i64,
        id: &FileId,
        lease: &LeaseId,
        lasts: Duration,
        most: i64,
    ) -> Result<Leased, AccountsError> {
        #[derive(FromQueryResult)]
        struct Row {
            count: i64,
            of_file: i64,
        }
        let now = self.now_ms();
        let count = format!(
            "SELECT COUNT(*) AS count,
                CAST(COALESCE(SUM(CASE WHEN id = $2 THEN 1 ELSE 0 END), 0) AS bigint) AS of_file
            FROM files WHERE user_id = $1 AND lease IS NOT NULL AND leased_until > {now}"
        );
        let take = format!(
            "UPDATE files SET lease = $1, leased_until = {now} + $2
            WHERE id = $3 AND user_id = $4 RETURNING *"
        );
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            // All leases of a user are given one after the other.
            lock_user(&transaction, user_id).await?;
            let count = self.statement(&count, [user_id.into(), id.as_str().into()]);
            let held = Row::find_by_statement(count).one(&transaction).await?;
            let (held, of_file) = held.map_or((0, 0), |row| (row.count, row.of_file));
            if of_file > 0 {
                return Ok(Leased::Locked);
            }
            if most > 0 && held >= most {
                return Ok(Leased::TooMany);
            }
            let values =
                [lease.as_str().into(), millis(lasts).into(), id.as_str().into(), user_id.into()];
            let taken = file::Model::find_by_statement(self.statement(&take, values));
            let Some(taken) = taken.one(&transaction).await? else { return Ok(Leased::Unknown) };
            transaction.commit().await?;
            Ok(Leased::To(Box::new(taken)))
        })
        .await
    }

    /// Whether a request has the right to write to a file.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn is_leased(&self, file: &file::Model) -> Result<bool, AccountsError> {
        if file.lease.is_none() {
            return Ok(false);
        }
        let sql = format!(
            "SELECT serial FROM files
            WHERE serial = $1 AND lease IS NOT NULL AND leased_until > {}",
            self.now_ms()
        );
        let query = self.database.query_one_raw(self.statement(&sql, [file.serial.into()]));
        Ok(self.within_deadline(query).await?.is_some())
    }

    /// Prolongs the right to write, for so long from now on. Says whether the file is still the
    /// holder's.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be prolonged all the same.
    pub async fn prolong_lease(
        &self,
        serial: i64,
        lease: &LeaseId,
        lasts: Duration,
    ) -> Result<bool, AccountsError> {
        let sql = format!(
            "UPDATE files SET leased_until = {} + $1
            WHERE serial = $2 AND lease = $3 AND user_id IS NOT NULL",
            self.now_ms()
        );
        let values = [millis(lasts).into(), serial.into(), lease.as_str().into()];
        Ok(self.run(&sql, values).await? > 0)
    }

    /// Gives the right to write back, however that ended.
    ///
    /// # Errors
    /// [`AccountsError`]; then it ends by itself.
    pub async fn end_lease(&self, serial: i64, lease: &LeaseId) -> Result<(), AccountsError> {
        const SQL: &str = "UPDATE files SET lease = NULL, leased_until = 0
            WHERE serial = $1 AND lease = $2";
        self.run(SQL, [serial.into(), lease.as_str().into()]).await?;
        Ok(())
    }

    /// Writes down what is kept of a file, and prolongs the lease, for so long from now on. Says
    /// whether the file is still the holder's.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be written all the same.
    pub async fn keep_progress(
        &self,
        serial: i64,
        lease: &LeaseId,
        progress: &Progress,
        lasts: Duration,
        expires_at: OffsetDateTime,
    ) -> Result<bool, AccountsError> {
        let keep = format!(
            "UPDATE files SET received = $1, hash_state = $2, sha256 = $3, sniffed_type = $4,
                multipart_id = $5, tail = $6, leased_until = {} + $7, expires_at = $8, size = $9
            WHERE serial = $10 AND lease = $11 AND user_id IS NOT NULL",
            self.now_ms()
        );
        let values: [Value; 11] = [
            progress.received.into(),
            progress.hash_state.clone().into(),
            progress.sha256.clone().into(),
            progress.sniffed_type.clone().into(),
            progress.multipart_id.clone().into(),
            progress.tail.into(),
            millis(lasts).into(),
            expires_at.into(),
            progress.size.into(),
            serial.into(),
            lease.as_str().into(),
        ];
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            let kept = transaction.execute_raw(self.statement(&keep, values)).await?;
            if kept.rows_affected() == 0 {
                return Ok(false);
            }
            for parts in progress.parts.chunks(PARTS_AT_ONCE) {
                self.add_parts(&transaction, serial, parts).await?;
            }
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn add_parts(
        &self,
        transaction: &DatabaseTransaction,
        serial: i64,
        parts: &[(i64, String)],
    ) -> Result<(), DbErr> {
        let mut values: Vec<Value> = vec![serial.into()];
        let mut rows = Vec::with_capacity(parts.len());
        for (number, part) in parts {
            rows.push(format!("($1, ${}, ${})", values.len() + 1, values.len() + 2));
            values.extend([(*number).into(), part.as_str().into()]);
        }
        let sql = format!(
            "INSERT INTO file_parts (file_serial, number, part) VALUES {}
            ON CONFLICT (file_serial, number) DO UPDATE SET part = excluded.part",
            rows.join(", ")
        );
        let backend = self.database.get_database_backend();
        transaction.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        Ok(())
    }

    /// Notes that all bytes of a file are kept where they stay. Says whether it was so for the first
    /// time, and the file is not to be removed.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be noted all the same.
    pub async fn complete_file(
        &self,
        serial: i64,
        now: OffsetDateTime,
    ) -> Result<bool, AccountsError> {
        const COMPLETE: &str = "UPDATE files
            SET completed_at = $1, hash_state = NULL, multipart_id = NULL, tail = 0
            WHERE serial = $2 AND received = size AND sha256 IS NOT NULL
                AND completed_at IS NULL AND user_id IS NOT NULL";
        const FORGET_PARTS: &str = "DELETE FROM file_parts WHERE file_serial = $1";
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            let values = [now.into(), serial.into()];
            let done = transaction.execute_raw(self.statement(COMPLETE, values)).await?;
            if done.rows_affected() == 0 {
                return Ok(false);
            }
            transaction.execute_raw(self.statement(FORGET_PARTS, [serial.into()])).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// The parts of a file that are kept in an object store, in their order.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn file_parts(&self, serial: i64) -> Result<Vec<String>, AccountsError> {
        #[derive(FromQueryResult)]
        struct Row {
            part: String,
        }
        const SQL: &str = "SELECT part FROM file_parts WHERE file_serial = $1 ORDER BY number";
        let query = Row::find_by_statement(self.statement(SQL, [serial.into()]));
        let rows = self.within_deadline(query.all(&self.database)).await?;
        Ok(rows.into_iter().map(|row| row.part).collect())
    }

    /// Takes a file from its user. It is gone for them at once; its bytes and its row are still to be
    /// removed. Says which file it was.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be taken all the same.
    pub async fn remove_file(
        &self,
        user_id: i64,
        id: &FileId,
    ) -> Result<Option<file::Model>, AccountsError> {
        const SQL: &str =
            "UPDATE files SET user_id = NULL WHERE id = $1 AND user_id = $2 RETURNING *";
        let statement = self.statement(SQL, [id.as_str().into(), user_id.into()]);
        let query = file::Model::find_by_statement(statement);
        self.within_deadline(query.one(&self.database)).await
    }

    /// Takes at most `limit` files from their users that have expired unfinished at `now`, and that
    /// nobody writes to; says how many.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn remove_expired_files(
        &self,
        now: OffsetDateTime,
        limit: i64,
    ) -> Result<u64, AccountsError> {
        let now_ms = self.now_ms();
        let sql = format!(
            "UPDATE files SET user_id = NULL WHERE serial IN (
                SELECT serial FROM files
                WHERE completed_at IS NULL AND expires_at <= $1
                    AND (received < size OR sha256 IS NULL)
                    AND user_id IS NOT NULL AND leased_until <= {now_ms}
                LIMIT $2
            ) AND leased_until <= {now_ms}"
        );
        self.run(&sql, [now.into(), limit.into()]).await
    }

    /// At most `limit` files after `serial` that are to be removed, and that nobody writes to.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn removed_files(
        &self,
        after: i64,
        limit: u64,
    ) -> Result<Vec<file::Model>, AccountsError> {
        let query = file::Entity::find()
            .filter(file::Column::UserId.is_null())
            .filter(self.is_free())
            .filter(file::Column::Serial.gt(after))
            .order_by_asc(file::Column::Serial)
            .limit(limit);
        self.within_deadline(query.all(&self.database)).await
    }

    /// At most `limit` files after `serial` whose bytes are all kept and not yet where they stay,
    /// and that nobody writes to.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn files_to_complete(
        &self,
        after: i64,
        limit: u64,
    ) -> Result<Vec<file::Model>, AccountsError> {
        let query = file::Entity::find()
            .filter(file::Column::CompletedAt.is_null())
            .filter(file::Column::UserId.is_not_null())
            .filter(Expr::col(file::Column::Received).eq(Expr::col(file::Column::Size)))
            .filter(file::Column::Sha256.is_not_null())
            .filter(self.is_free())
            .filter(file::Column::Serial.gt(after))
            .order_by_asc(file::Column::Serial)
            .limit(limit);
        self.within_deadline(query.all(&self.database)).await
    }

    /// Forgets a file whose bytes are gone.
    ///
    /// # Errors
    /// [`AccountsError`]; then its bytes are removed again.
    pub async fn forget_file(&self, serial: i64) -> Result<(), AccountsError> {
        const SQL: &str = "DELETE FROM files WHERE serial = $1 AND user_id IS NULL";
        self.run(SQL, [serial.into()]).await?;
        Ok(())
    }

    /// Which of these files there are, removed ones included, and whose each is.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn known_files(
        &self,
        ids: &[String],
    ) -> Result<HashMap<String, Option<i64>>, AccountsError> {
        let query = file::Entity::find()
            .select_only()
            .columns([file::Column::Id, file::Column::UserId])
            .filter(file::Column::Id.is_in(ids))
            .into_tuple::<(String, Option<i64>)>();
        Ok(self.within_deadline(query.all(&self.database)).await?.into_iter().collect())
    }
}
