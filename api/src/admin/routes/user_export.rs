//! `POST /admin/users/{user_id}/export`: all that is known of a person.

use std::sync::Arc;

use common::accounts::{
    AccountsError, AdminActionFilter, OwnFileLink, OwnGrant, OwnLogout, OwnPictureRow,
};
use common::domain::admin_action::AdminActionKind;
use common::domain::cursor::{Page, PageRequest};
use common::domain::phone::PhoneNumber;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use time::OffsetDateTime;
use time::macros::datetime;

use super::Tag;
use super::actions::Action;
use super::failures::failures;
use super::numbers::{self, Number};
use super::payloads::{Because, User};
use super::user_sessions::Session;
use super::users;
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::Failure;
use crate::http::strict_json::StrictJson;
use crate::routes::events::Event;
use crate::routes::files::File;

/// Rows that are read at once.
const AT_ONCE: u64 = 500;

#[derive(Debug)]
pub(super) struct UserExportApi;

/// All that is known of a person, but for the bytes of their files.
#[derive(Debug, Object)]
#[oai(example)]
struct Export {
    /// When it was made (RFC 3339, UTC).
    exported_at: OffsetDateTime,
    /// The user, with their whole number.
    user: User,
    /// Where they are signed in, newest first.
    sessions: Vec<Session>,
    /// What happened to their account, newest first.
    events: Vec<Event>,
    /// What is known of their number.
    number: Number,
    /// Their files, newest first.
    files: Vec<File>,
    /// Links by which others get their files, newest first.
    file_links: Vec<ExportedLink>,
    /// Pictures that they put, newest first.
    pictures: Vec<ExportedPicture>,
    /// What apps got that they signed in to, newest first.
    app_grants: Vec<AppGrant>,
    /// Apps that are told when a session ends, newest first.
    app_logouts: Vec<AppLogout>,
    /// What operators did to them, newest first.
    operator_actions: Vec<Action>,
}

/// A link by which others get a file.
#[derive(Debug, Object)]
struct ExportedLink {
    /// Of which file.
    file_id: String,
    /// The link's id. It opens nothing.
    id: String,
    /// When it was made (RFC 3339, UTC).
    created_at: OffsetDateTime,
    /// When it ends, or did (RFC 3339, UTC).
    expires_at: OffsetDateTime,
    /// How often it may be used; left out where as often as one likes.
    #[oai(skip_serializing_if_is_none)]
    max_downloads: Option<i64>,
    /// How often it was used.
    downloads: i64,
}

/// A picture that a user put.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct ExportedPicture {
    /// Its id.
    id: String,
    /// `putting`: its bytes come. `making`: it is being made. `made`: it is theirs. `failed`: none
    /// could be made. `replaced`, `gone`: another one took its place.
    state: String,
    /// Why none could be made.
    fault: Option<String>,
    /// In bytes, as it was put.
    put_size: i64,
    /// The session that put it.
    session_id: String,
    /// From which address.
    address: String,
    /// When it was put (RFC 3339, UTC).
    created_at: OffsetDateTime,
    /// When it was made (RFC 3339, UTC).
    made_at: Option<OffsetDateTime>,
}

/// What an app got of a session: a code, or an access token for it.
#[derive(Debug, Object)]
struct AppGrant {
    /// The app.
    client_id: String,
    /// Of which session.
    session_id: String,
    /// Where the user was led.
    redirect_uri: String,
    /// What it may see, separated by blanks.
    scope: String,
    /// When the user gave an OTP (RFC 3339, UTC).
    signed_in_at: OffsetDateTime,
    /// When the app got it (RFC 3339, UTC).
    created_at: OffsetDateTime,
    /// When it ends (RFC 3339, UTC).
    expires_at: OffsetDateTime,
    /// Whether it is an access token.
    is_redeemed: bool,
}

/// An app that is told when a session ends.
#[derive(Debug, Object)]
struct AppLogout {
    /// The app.
    client_id: String,
    /// Of which session.
    session_id: String,
    /// Where it is told.
    uri: String,
    /// Whether the session has ended, and the app is still to be told.
    has_ended: bool,
}

failures! {
    ExportFailures {
        InvalidParameter, InvalidPayload, InvalidReason, UserNotFound, RequestTimeout,
        PayloadTooLarge, UnsupportedMediaType, RedisUnavailable,
    }
}

#[OpenApi]
impl UserExportApi {
    /// Export what is known of a user
    ///
    /// For the user, who may ask for it. Their number is whole in it, once.
    #[oai(
        path = "/admin/users/:user_id/export",
        method = "post",
        tag = "Tag::Users",
        operation_id = "exportUser"
    )]
    async fn export(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// The user's id.
        #[oai(example = "example_id")]
        user_id: Path<i64>,
        body: StrictJson<Because>,
    ) -> Result<Json<Export>, Failure<ExportFailures>> {
        let reason = body.0.reason()?;
        let id = *user_id;
        let listed = users::listed(&state, id).await?;
        let kind = AdminActionKind::UserExported;
        key.notes(&state, kind, |action| action.of_user(id).because(reason)).await?;
        let (accounts, now) = (&state.app.accounts, state.app.clock.now());
        let sessions = all(|page| accounts.sessions(id, page, now)).await?;
        let events = all(|page| accounts.events(id, page)).await?;
        let files = all(|page| accounts.files(id, page)).await?;
        let of_user = AdminActionFilter { user_id: Some(id), ..AdminActionFilter::default() };
        let actions = all(|page| accounts.admin_actions(of_user, page)).await?;
        let kept = accounts.kept_of_user(id).await?;
        let number = listed.user.phone_number.clone();
        let known = PhoneNumber::from_account(&number);
        let record = numbers::numbers(&state).record(&known).await?;
        Ok(Json(Export {
            exported_at: now,
            user: User { phone_number: number.into_string(), ..listed.into() },
            sessions: sessions.into_iter().map(Session::from).collect(),
            events: events.into_iter().map(Event::from).collect(),
            number: Number::of(&state, &known, record, Some(id)),
            files: files.iter().map(File::from).collect(),
            file_links: kept.file_links.into_iter().map(ExportedLink::from).collect(),
            pictures: kept.pictures.into_iter().map(ExportedPicture::from).collect(),
            app_grants: kept.grants.into_iter().map(AppGrant::from).collect(),
            app_logouts: kept.logouts.into_iter().map(AppLogout::from).collect(),
            operator_actions: actions.into_iter().filter_map(Action::of).collect(),
        }))
    }
}

/// All pages of a list.
async fn all<T, F>(read: impl Fn(PageRequest) -> F) -> Result<Vec<T>, AccountsError>
where
    F: Future<Output = Result<Page<T>, AccountsError>>,
{
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let page = read(PageRequest { cursor, limit: AT_ONCE }).await?;
        rows.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(rows);
        }
    }
}

impl From<OwnFileLink> for ExportedLink {
    fn from(link: OwnFileLink) -> Self {
        let OwnFileLink { file_id, id, created_at, expires_at, max_downloads, downloads } = link;
        Self { file_id, id, created_at, expires_at, max_downloads, downloads }
    }
}

impl From<OwnPictureRow> for ExportedPicture {
    fn from(picture: OwnPictureRow) -> Self {
        Self {
            id: picture.id,
            state: picture.state,
            fault: picture.fault,
            put_size: picture.put_size,
            session_id: picture.session_id,
            address: picture.address,
            created_at: picture.created_at,
            made_at: picture.made_at,
        }
    }
}

impl From<OwnGrant> for AppGrant {
    fn from(grant: OwnGrant) -> Self {
        Self {
            client_id: grant.client_id,
            session_id: grant.session_id,
            redirect_uri: grant.redirect_uri,
            scope: grant.scope,
            signed_in_at: grant.auth_time,
            created_at: grant.created_at,
            expires_at: grant.expires_at,
            is_redeemed: grant.is_redeemed,
        }
    }
}

impl From<OwnLogout> for AppLogout {
    fn from(OwnLogout { client_id, session_id, uri, has_ended }: OwnLogout) -> Self {
        Self { client_id, session_id, uri, has_ended }
    }
}

fn example_id() -> i64 {
    users::example_id()
}

impl Example for Export {
    fn example() -> Self {
        let (session_id, app) = ("k5x2aw7nqf3c4zt6y2h4v5xk7e", "notes");
        Self {
            exported_at: datetime!(2026-11-24 10:00:00 UTC),
            user: User { phone_number: "+919876543210".to_owned(), ..User::example() },
            sessions: vec![Session::example()],
            events: vec![Event::example()],
            number: Number::example(),
            files: vec![File::example()],
            file_links: vec![ExportedLink {
                file_id: "m4q7n2w5zc6x3v2b7t6h4y5xke".to_owned(),
                id: "p2w5zc6x3v2b7t6h4y5xkem4q7".to_owned(),
                created_at: datetime!(2026-11-23 08:00:00 UTC),
                expires_at: datetime!(2026-11-30 08:00:00 UTC),
                max_downloads: Some(10),
                downloads: 3,
            }],
            pictures: vec![ExportedPicture {
                id: "z6x3v2b7t6h4y5xkem4q7p2w5c".to_owned(),
                state: "made".to_owned(),
                fault: None,
                put_size: 2_400_000,
                session_id: session_id.to_owned(),
                address: "203.0.113.7".to_owned(),
                created_at: datetime!(2026-11-23 08:00:00 UTC),
                made_at: Some(datetime!(2026-11-23 08:00:01 UTC)),
            }],
            app_grants: vec![AppGrant {
                client_id: app.to_owned(),
                session_id: session_id.to_owned(),
                redirect_uri: "https://notes.example.com/callback".to_owned(),
                scope: "openid phone".to_owned(),
                signed_in_at: datetime!(2026-11-23 07:04:59 UTC),
                created_at: datetime!(2026-11-23 07:05:10 UTC),
                expires_at: datetime!(2026-11-23 08:05:10 UTC),
                is_redeemed: true,
            }],
            app_logouts: vec![AppLogout {
                client_id: app.to_owned(),
                session_id: session_id.to_owned(),
                uri: "https://notes.example.com/logout".to_owned(),
                has_ended: false,
            }],
            operator_actions: vec![Action::example()],
        }
    }
}
