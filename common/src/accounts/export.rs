//! What is known of a user beside their sessions, events, files and operators' actions.

use sea_orm::FromQueryResult;
use time::OffsetDateTime;

use super::{Accounts, AccountsError};

/// What an OpenID client got of a session: a code that it may swap, or an access token.
#[derive(Clone, Debug, Eq, FromQueryResult, PartialEq)]
pub struct OwnGrant {
    pub client_id: String,
    pub session_id: String,
    pub redirect_uri: String,
    /// Separated by blanks.
    pub scope: String,
    /// When the user gave an OTP.
    pub auth_time: OffsetDateTime,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    /// Whether the client has swapped its code.
    pub is_redeemed: bool,
}

/// An OpenID client that is told when a session ends.
#[derive(Clone, Debug, Eq, FromQueryResult, PartialEq)]
pub struct OwnLogout {
    pub client_id: String,
    pub session_id: String,
    pub uri: String,
    /// Whether the session has ended, and the client is still to be told.
    pub has_ended: bool,
}

/// A link by which others get a file, live or not.
#[derive(Clone, Debug, Eq, FromQueryResult, PartialEq)]
pub struct OwnFileLink {
    pub file_id: String,
    pub id: String,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    pub max_downloads: Option<i64>,
    pub downloads: i64,
}

/// A picture that was put, whatever became of it.
#[derive(Clone, Debug, Eq, FromQueryResult, PartialEq)]
pub struct OwnPictureRow {
    pub id: String,
    /// A word of `PictureState`.
    pub state: String,
    /// Why none could be made.
    pub fault: Option<String>,
    /// In bytes, as it was put.
    pub put_size: i64,
    pub session_id: String,
    pub address: String,
    pub created_at: OffsetDateTime,
    pub made_at: Option<OffsetDateTime>,
}

/// All of it, the newest first.
#[derive(Clone, Debug)]
pub struct KeptOfUser {
    pub grants: Vec<OwnGrant>,
    pub logouts: Vec<OwnLogout>,
    pub file_links: Vec<OwnFileLink>,
    pub pictures: Vec<OwnPictureRow>,
}

impl Accounts {
    /// # Errors
    /// [`AccountsError`].
    pub async fn kept_of_user(&self, user_id: i64) -> Result<KeptOfUser, AccountsError> {
        // By the sessions, which have an index for it.
        const GRANTS: &str = "SELECT grants.client_id, grants.session_id, grants.redirect_uri,
                grants.scope, grants.auth_time, grants.created_at, grants.expires_at,
                grants.token_hash IS NOT NULL AS is_redeemed
            FROM tokens JOIN grants ON grants.session_id = tokens.id
            WHERE tokens.user_id = $1 ORDER BY grants.created_at DESC";
        const LOGOUTS: &str = "SELECT client_id, sid AS session_id, uri,
                session_id IS NULL AS has_ended
            FROM logouts WHERE user_id = $1 ORDER BY id DESC";
        const FILE_LINKS: &str = "SELECT files.id AS file_id, file_links.id, file_links.created_at,
                file_links.expires_at, max_downloads, downloads
            FROM files JOIN file_links ON file_links.file_serial = files.serial
            WHERE files.user_id = $1 ORDER BY file_links.serial DESC";
        const PICTURES: &str = "SELECT id, state, fault, put_size, session_id, address, created_at,
                made_at
            FROM pictures WHERE user_id = $1 ORDER BY serial DESC";
        let of_user = |sql| self.statement(sql, [user_id.into()]);
        let database = &self.database;
        self.within_deadline(async {
            let grants = OwnGrant::find_by_statement(of_user(GRANTS)).all(database).await?;
            let logouts = OwnLogout::find_by_statement(of_user(LOGOUTS)).all(database).await?;
            let file_links = OwnFileLink::find_by_statement(of_user(FILE_LINKS));
            let file_links = file_links.all(database).await?;
            let pictures = OwnPictureRow::find_by_statement(of_user(PICTURES));
            let pictures = pictures.all(database).await?;
            Ok(KeptOfUser { grants, logouts, file_links, pictures })
        })
        .await
    }
}
