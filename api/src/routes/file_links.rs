//! Links by which others get a file, and the downloads by them.

use std::sync::Arc;
use std::time::Duration;

use common::accounts::{self, Linked, NewFileLink};
use common::domain::client::Client;
use common::domain::ids::{FileId, FileLinkId};
use common::domain::token::Token;
use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;
use time::OffsetDateTime;
use time::macros::datetime;

use super::file_download::{Download, is_head, served};
use super::files::{Deleted, OneFailures, example_id};
use super::payloads::NullableText;
use super::{Tag, paging};
use crate::http::bearer::BearerToken;
use crate::http::error::{ApiError, ErrorKind, Failure, Failures};
use crate::http::file_answer::Wanted;
use crate::http::strict_json::StrictJson;
use crate::service::files::downloads;
use crate::state::AppState;

const SHORTEST_LIFE: u64 = 60;
const USUAL_LIFE: u64 = 7 * 24 * 60 * 60;
const MOST_DOWNLOADS: u64 = 1_000_000;

#[derive(Debug)]
pub struct FileLinksApi;

/// What a new link is good for.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct NewLink {
    /// Seconds until it ends: 60 at least, and 30 days at most, unless the service is set otherwise.
    /// A week where nothing is said.
    expires_in: Option<u64>,
    /// How often it may be used, 1 to 1,000,000; as often as one likes where nothing is said.
    max_downloads: Option<u64>,
}

/// A part of the list, newest first.
#[derive(Debug, Object)]
#[oai(example)]
pub struct LinkList {
    /// The links.
    data: Vec<Link>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: NullableText,
}

/// A live link to a file. What it shows is told once, when it is made.
#[derive(Debug, Object)]
#[oai(example)]
pub struct Link {
    /// The link's id. It opens nothing.
    id: String,
    /// When it was made (RFC 3339, UTC).
    created_at: OffsetDateTime,
    /// When it ends (RFC 3339, UTC).
    expires_at: OffsetDateTime,
    /// How often it may be used; left out where as often as one likes.
    #[oai(skip_serializing_if_is_none)]
    max_downloads: Option<u64>,
    /// How often it was used.
    downloads: u64,
}

/// There is a link.
#[derive(Debug, Object)]
#[oai(example)]
pub struct LinkMade {
    /// The link.
    data: Link,
    /// Where anybody gets the file, until the link ends. It is told this once. Without a host where
    /// PUBLIC_URL is not set.
    url: String,
}

#[derive(Debug)]
pub struct LinkFailures;

impl Failures for LinkFailures {
    const KINDS: &'static [ErrorKind] = &[
        ErrorKind::InvalidPayload,
        ErrorKind::InvalidLink,
        ErrorKind::Unauthorized,
        ErrorKind::ForeignPage,
        ErrorKind::NotFound,
        ErrorKind::RequestTimeout,
        ErrorKind::TooManyLinks,
        ErrorKind::TooManyNewLinks,
        ErrorKind::PayloadTooLarge,
        ErrorKind::UnsupportedMediaType,
    ];
}

#[derive(Debug)]
pub struct ListFailures;

impl Failures for ListFailures {
    const KINDS: &'static [ErrorKind] =
        &[ErrorKind::InvalidParameter, ErrorKind::Unauthorized, ErrorKind::NotFound];
}

#[derive(Debug)]
pub struct SharedFailures;

impl Failures for SharedFailures {
    const KINDS: &'static [ErrorKind] = &[
        ErrorKind::InvalidParameter,
        ErrorKind::NotFound,
        ErrorKind::PreconditionFailed,
        ErrorKind::RangeNotSatisfiable,
        ErrorKind::FileStoreUnavailable,
    ];
}

#[OpenApi]
impl FileLinksApi {
    /// Share a file
    ///
    /// Makes a link by which anybody gets the file without signing in, until it expires, is ended or
    /// has been used as often as it may be.
    #[oai(
        path = "/files/:file_id/links",
        method = "post",
        tag = "Tag::Files",
        operation_id = "createFileLink"
    )]
    async fn create(
        &self,
        state: Data<&Arc<AppState>>,
        client: Data<&Client>,
        current: BearerToken,
        /// The file's id, 26 characters.
        #[oai(example = "example_id")]
        file_id: Path<String>,
        body: StrictJson<NewLink>,
    ) -> Result<Json<LinkMade>, Failure<LinkFailures>> {
        let id = FileId::parse(&file_id).ok_or(ErrorKind::NotFound)?;
        let NewLink { expires_in, max_downloads } = body.0;
        let terms = &state.files.link_terms;
        let life = expires_in.unwrap_or(USUAL_LIFE.min(terms.longest.as_secs()));
        let is_life = (SHORTEST_LIFE..=terms.longest.as_secs()).contains(&life);
        let is_count = max_downloads.is_none_or(|most| (1..=MOST_DOWNLOADS).contains(&most));
        if !(is_life && is_count) {
            return Err(ErrorKind::InvalidLink.into());
        }
        let (user_id, session, now) = (current.0.user.id, &current.0.session.id, state.clock.now());
        let new = NewFileLink {
            user_id,
            file: &id,
            expires_at: now + Duration::from_secs(life),
            max_downloads: max_downloads.and_then(|most| i64::try_from(most).ok()),
            most: terms.most_of_a_file,
        };
        match state.accounts.link_file(&new, session, *client, now).await? {
            Linked::To(link, token) => {
                tracing::info!(
                    event = "file_link_made",
                    user_id,
                    file = id.as_str(),
                    link = link.id
                );
                let url = state.public_url(&format!("/shared/{}", token.expose()));
                Ok(Json(LinkMade { data: link.into(), url }))
            }
            Linked::NoFile => Err(ErrorKind::NotFound.into()),
            Linked::TooMany => Err(ErrorKind::TooManyLinks.into()),
            Linked::TooOften(wait) => {
                Err(ApiError::retry_after(ErrorKind::TooManyNewLinks, wait).into())
            }
        }
    }

    /// See the links to a file
    ///
    /// Those that are still good.
    #[oai(
        path = "/files/:file_id/links",
        method = "get",
        tag = "Tag::Files",
        operation_id = "listFileLinks"
    )]
    async fn list(
        &self,
        state: Data<&Arc<AppState>>,
        current: BearerToken,
        /// The file's id, 26 characters.
        #[oai(example = "example_id")]
        file_id: Path<String>,
        /// The most that the answer lists.
        #[oai(
            default = "paging::default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
        /// Where to go on: the `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<LinkList>, Failure<ListFailures>> {
        let id = FileId::parse(&file_id).ok_or(ErrorKind::NotFound)?;
        let page = paging::request(*limit, cursor.as_deref())?;
        let (user_id, now) = (current.0.user.id, state.clock.now());
        let page = state.accounts.file_links(user_id, &id, page, now).await?;
        let page = page.ok_or(ErrorKind::NotFound)?;
        let next_cursor = NullableText(page.next.map(|cursor| cursor.to_string()));
        Ok(Json(LinkList { data: page.rows.into_iter().map(Link::from).collect(), next_cursor }))
    }

    /// End a link
    ///
    /// From then on it gets 404. A download that runs goes on.
    #[oai(
        path = "/files/:file_id/links/:link_id",
        method = "delete",
        tag = "Tag::Files",
        operation_id = "deleteFileLink"
    )]
    async fn end(
        &self,
        state: Data<&Arc<AppState>>,
        current: BearerToken,
        /// The file's id, 26 characters.
        #[oai(example = "example_id")]
        file_id: Path<String>,
        /// The link's id, 26 characters.
        #[oai(example = "example_link_id")]
        link_id: Path<String>,
    ) -> Result<Deleted, Failure<OneFailures>> {
        let file = FileId::parse(&file_id).ok_or(ErrorKind::NotFound)?;
        let link = FileLinkId::parse(&link_id).ok_or(ErrorKind::NotFound)?;
        match state.accounts.end_file_link(current.0.user.id, &file, &link).await? {
            true => Ok(Deleted::Done),
            false => Err(ErrorKind::NotFound.into()),
        }
    }

    /// Download a shared file
    ///
    /// As `GET /files/{file_id}`, by whoever has the link. A link that never was, has expired, was
    /// ended or was used up gets 404. What begins with the file's first byte counts as a use. Of a
    /// link that may be used so often and no more each request does, so it hands out no parts.
    #[oai(
        path = "/shared/:link",
        method = "get",
        tag = "Tag::Files",
        operation_id = "downloadSharedFile"
    )]
    async fn shared(
        &self,
        state: Data<&Arc<AppState>>,
        request: &Request,
        /// What the link shows, 26 characters.
        #[oai(example = "example_secret")]
        link: Path<String>,
        /// Shows it in place instead of saving it, where it is a picture, sound or a film.
        inline: Query<Option<bool>>,
    ) -> Result<Download, Failure<SharedFailures>> {
        let link = Token::parse(&link).ok_or(ErrorKind::NotFound)?;
        let linked = downloads::find_linked(*state, &link).await?;
        let linked = linked.ok_or(ErrorKind::NotFound)?;
        let mut served = served(&linked.file, inline.unwrap_or(false));
        served.in_parts = linked.max_downloads.is_none();
        let wanted = served.wanted(request.headers());
        let begins = match &wanted {
            Wanted::Whole => true,
            Wanted::Part(range) => range.start == 0,
            Wanted::Nothing | Wanted::Another | Wanted::OutOfRange => false,
        };
        let is_head = is_head(request);
        let counts = begins && !is_head;
        if counts && linked.max_downloads.is_some() {
            downloads::find_bytes(*state, &linked.file).await?;
        }
        // What cannot be had is no use.
        let download = Download::of(*state, &linked.file, &served, &wanted, is_head).await?;
        if counts && !state.accounts.use_file_link(&link.hash(), state.clock.now()).await? {
            return Err(ErrorKind::NotFound.into());
        }
        Ok(download)
    }
}

impl From<accounts::FileLink> for Link {
    fn from(link: accounts::FileLink) -> Self {
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        Self {
            id: link.id,
            created_at: link.created_at,
            expires_at: link.expires_at,
            max_downloads: link.max_downloads.map(count),
            downloads: count(link.downloads),
        }
    }
}

impl Example for NewLink {
    fn example() -> Self {
        Self { expires_in: Some(86_400), max_downloads: Some(3) }
    }
}

impl Example for LinkList {
    fn example() -> Self {
        Self { data: vec![Link::example()], next_cursor: NullableText(None) }
    }
}

impl Example for Link {
    fn example() -> Self {
        Self {
            id: example_link_id(),
            created_at: datetime!(2026-11-30 07:04:59 UTC),
            expires_at: datetime!(2026-12-01 07:04:59 UTC),
            max_downloads: Some(3),
            downloads: 0,
        }
    }
}

impl Example for LinkMade {
    fn example() -> Self {
        Self {
            data: Link::example(),
            url: format!("https://signin.example.com/shared/{}", example_secret()),
        }
    }
}

fn example_link_id() -> String {
    "b7x5aw2nqf3c4zt6y2h4v5xk7e".to_owned()
}

fn example_secret() -> String {
    "Y7QKZB3VJ5N2WXH4T6DPL2AEMU".to_owned()
}
