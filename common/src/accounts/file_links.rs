//! Links by which anybody gets a file of a user. What a link shows is kept as a hash. A link goes
//! with its file's row, and is good for nothing from the moment at which the file has no user.

use std::time::Duration;

use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, Value};
use time::OffsetDateTime;

use super::events::NewEvent;
use super::sessions::lock_user;
use super::{Accounts, AccountsError};
use crate::accounts::entities::file;
use crate::domain::client::Client;
use crate::domain::cursor::{Page, PageRequest};
use crate::domain::event::{EventDetails, EventKind};
use crate::domain::ids::{FileId, FileLinkId, SessionId};
use crate::domain::token::{Token, TokenHash};

/// New links that a user may make within an hour, so that nobody fills the database by making and
/// ending them.
const MOST_NEW_LINKS: u64 = 100;
const NEW_LINKS_WITHIN: Duration = Duration::from_secs(60 * 60);

/// A link, as its file's owner sees it.
#[derive(Clone, Debug, Eq, FromQueryResult, PartialEq)]
pub struct FileLink {
    pub serial: i64,
    pub id: String,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    pub max_downloads: Option<i64>,
    /// How often it was used.
    pub downloads: i64,
}

/// A link that a user makes.
#[derive(Clone, Debug)]
pub struct NewFileLink<'a> {
    pub user_id: i64,
    pub file: &'a FileId,
    pub expires_at: OffsetDateTime,
    pub max_downloads: Option<i64>,
    /// Live links that a file may have; 0 is no limit.
    pub most: i64,
}

#[derive(Clone, Debug)]
pub enum Linked {
    /// The link, and what it shows, which is told this once.
    To(FileLink, Token),
    /// The user has no such file, or not yet all of it.
    NoFile,
    /// The file has as many live links as it may.
    TooMany,
    /// The user has made too many within an hour, and may make another one after this.
    TooOften(Duration),
}

const COLUMNS: &str = "serial, id, created_at, expires_at, max_downloads, downloads";

impl Accounts {
    /// Makes a link to a file, and writes the event.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be made all the same, and nobody has been told it.
    pub async fn link_file(
        &self,
        new: &NewFileLink<'_>,
        session: &SessionId,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<Linked, AccountsError> {
        const COUNT: &str = "SELECT COUNT(*) AS count FROM file_links
            WHERE file_serial = $1 AND expires_at > $2
                AND (max_downloads IS NULL OR downloads < max_downloads)";
        #[derive(FromQueryResult)]
        struct Row {
            count: i64,
        }
        let insert = format!(
            "INSERT INTO file_links (id, hash, file_serial, created_at, expires_at, max_downloads)
                VALUES ($1, $2, $3, $4, $5, $6) RETURNING {COLUMNS}"
        );
        let event = NewEvent {
            user_id: new.user_id,
            created_at: now,
            kind: EventKind::FileLinkMade,
            address: Some(client.address),
            details: EventDetails::default(),
        };
        let (id, token) = (FileLinkId::random(), Token::random());
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            if lock_user(&transaction, new.user_id).await?.is_none() {
                return Ok(Linked::NoFile);
            }
            let found = file::Entity::find()
                .filter(file::Column::Id.eq(new.file.as_str()))
                .filter(file::Column::UserId.eq(new.user_id))
                .filter(file::Column::CompletedAt.is_not_null())
                .one(&transaction)
                .await?;
            let Some(found) = found else { return Ok(Linked::NoFile) };
            let earliest = now - NEW_LINKS_WITHIN;
            let told = event.nth_newest_since(&transaction, MOST_NEW_LINKS, earliest).await?;
            if let Some(told) = told {
                return Ok(Linked::TooOften((told - earliest).unsigned_abs()));
            }
            let count = self.statement(COUNT, [found.serial.into(), now.into()]);
            let row = Row::find_by_statement(count).one(&transaction).await?;
            if new.most > 0 && row.is_some_and(|row| row.count >= new.most) {
                return Ok(Linked::TooMany);
            }
            let values: [Value; 6] = [
                id.as_str().into(),
                token.hash().into_bytes().into(),
                found.serial.into(),
                now.into(),
                new.expires_at.into(),
                new.max_downloads.into(),
            ];
            let made = FileLink::find_by_statement(self.statement(&insert, values));
            let Some(made) = made.one(&transaction).await? else { return Ok(Linked::NoFile) };
            event.insert(&transaction, std::slice::from_ref(session)).await?;
            transaction.commit().await?;
            Ok(Linked::To(made, token))
        })
        .await
    }

    /// The live links to a file of a user; none where they have no such file.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn file_links(
        &self,
        user_id: i64,
        file: &FileId,
        page: PageRequest,
        now: OffsetDateTime,
    ) -> Result<Option<Page<FileLink>>, AccountsError> {
        let Some(file) = self.file(user_id, file).await? else { return Ok(None) };
        let sql = format!(
            "SELECT {COLUMNS} FROM file_links
                WHERE file_serial = $1 AND serial < $2 AND expires_at > $3
                    AND (max_downloads IS NULL OR downloads < max_downloads)
                ORDER BY serial DESC LIMIT $4"
        );
        let before = page.cursor.map_or(i64::MAX, |cursor| cursor.row());
        let limit = i64::try_from(page.limit.saturating_add(1)).unwrap_or(i64::MAX);
        let values = [file.serial.into(), before.into(), now.into(), limit.into()];
        let query = FileLink::find_by_statement(self.statement(&sql, values));
        let rows = self.within_deadline(query.all(&self.database)).await?;
        Ok(Some(Page::new(rows, page.limit, |row| row.serial)))
    }

    /// Ends a link to a file of a user. Says whether there was one.
    ///
    /// # Errors
    /// [`AccountsError`]; it may have ended all the same.
    pub async fn end_file_link(
        &self,
        user_id: i64,
        file: &FileId,
        link: &FileLinkId,
    ) -> Result<bool, AccountsError> {
        const SQL: &str = "DELETE FROM file_links WHERE id = $1 AND file_serial = (
                SELECT serial FROM files WHERE id = $2 AND user_id = $3
            )";
        let values = [link.as_str().into(), file.as_str().into(), user_id.into()];
        Ok(self.run(SQL, values).await? > 0)
    }

    /// The file that a link leads to at `now`, and how often it may be used in all. Nothing is
    /// counted.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn linked_file(
        &self,
        hash: &TokenHash,
        now: OffsetDateTime,
    ) -> Result<Option<LinkedFile>, AccountsError> {
        const SQL: &str = "SELECT link.max_downloads, file.id FROM file_links link
            JOIN files file ON file.serial = link.file_serial
            WHERE link.hash = $1 AND link.expires_at > $2
                AND (link.max_downloads IS NULL OR link.downloads < link.max_downloads)
                AND file.user_id IS NOT NULL AND file.completed_at IS NOT NULL";
        #[derive(FromQueryResult)]
        struct Row {
            max_downloads: Option<i64>,
            id: String,
        }
        let values = [hash.clone().into_bytes().into(), now.into()];
        let query = Row::find_by_statement(self.statement(SQL, values));
        self.within_deadline(async {
            let Some(row) = query.one(&self.database).await? else { return Ok(None) };
            let query = file::Entity::find()
                .filter(file::Column::Id.eq(row.id))
                .filter(file::Column::UserId.is_not_null());
            let found = query.one(&self.database).await?;
            Ok(found.map(|file| LinkedFile { file, max_downloads: row.max_downloads }))
        })
        .await
    }

    /// Counts a use of a link, if it is still good at `now`. Says whether it was.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be counted all the same.
    pub async fn use_file_link(
        &self,
        hash: &TokenHash,
        now: OffsetDateTime,
    ) -> Result<bool, AccountsError> {
        const SQL: &str = "UPDATE file_links SET downloads = downloads + 1
            WHERE hash = $1 AND expires_at > $2
                AND (max_downloads IS NULL OR downloads < max_downloads)";
        Ok(self.run(SQL, [hash.clone().into_bytes().into(), now.into()]).await? > 0)
    }

    /// Removes at most `limit` links that have expired before `now`; says how many.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn prune_file_links(
        &self,
        now: OffsetDateTime,
        limit: u64,
    ) -> Result<u64, AccountsError> {
        const SQL: &str = "DELETE FROM file_links WHERE serial IN (
                SELECT serial FROM file_links WHERE expires_at <= $1 LIMIT $2
            )";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.run(SQL, [now.into(), limit.into()]).await
    }
}

/// What a link leads to.
#[derive(Clone, Debug)]
pub struct LinkedFile {
    pub file: file::Model,
    pub max_downloads: Option<i64>,
}
