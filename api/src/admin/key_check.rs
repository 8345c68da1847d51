//! Who asks: the admin key of a request, and whether its role is enough. Holding an [`AdminKeyHolder`]
//! is the check.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use common::accounts::{AccountsError, KeptAdminKey};
use common::domain::admin_action::{AdminActionKind, NewAdminAction};
use common::domain::admin_key::{AdminKey, AdminRole};
use common::domain::token::TokenHash;
use poem::Request;
use poem::http::{HeaderMap, HeaderValue, header};
use poem_openapi::SecurityScheme;
use poem_openapi::auth::Bearer;

use super::console_cookie;
use super::state::AdminState;
use crate::http::bearer;
use crate::http::error::{ApiError, ErrorKind};
use crate::http::same_origin;

/// A key of `api admin-key add`.
#[derive(Debug, SecurityScheme)]
#[oai(ty = "bearer", rename = "AdminKey", checker = "checked_before")]
pub struct AdminKeyHolder(pub Arc<KeptAdminKey>);

impl AdminKeyHolder {
    /// Notes what the holder is about to do outside of the database.
    pub(super) async fn notes(
        &self,
        state: &AdminState,
        kind: AdminActionKind,
        describe: impl FnOnce(NewAdminAction<'_>) -> NewAdminAction<'_>,
    ) -> Result<(), ApiError> {
        let actor = self.0.actor();
        let action = describe(NewAdminAction::new(&actor, kind));
        state.app.accounts.note_admin_action(&action, state.app.clock.now()).await?;
        Ok(())
    }
}

/// [`check`] has been here before, on every operation.
#[expect(clippy::unused_async, reason = "the scheme asks for a future")]
async fn checked_before(request: &Request, _: Bearer) -> Option<Arc<KeptAdminKey>> {
    request.extensions().get().cloned()
}

/// Keeps the holder of a request's key, where the role is enough.
///
/// The key comes in `Authorization`, which no page of a stranger's can make a browser send. A
/// browser that signed in to the console sends a cookie in its place.
pub(super) async fn check(
    request: &mut Request,
    state: &AdminState,
    needed: AdminRole,
) -> Result<(), ApiError> {
    let (holder, shown) = match console_cookie::token_in(request.headers()) {
        Some(token) if !request.headers().contains_key(header::AUTHORIZATION) => {
            by_cookie(request, state, Shown::Cookie(token.hash())).await?
        }
        _ => by_key(request, state).await?,
    };
    if holder.role < needed {
        return Err(ErrorKind::RoleTooLow.into());
    }
    let data = request.extensions_mut();
    data.insert(Arc::new(holder));
    data.insert(shown);
    Ok(())
}

/// What a request showed.
#[derive(Clone)]
pub(super) enum Shown {
    Key(TokenHash),
    Cookie(TokenHash),
}

impl Shown {
    /// Whose it is now; none where it is over.
    pub(super) async fn holder(
        &self,
        state: &AdminState,
    ) -> Result<Option<KeptAdminKey>, AccountsError> {
        let (accounts, now) = (&state.app.accounts, state.app.clock.now());
        match self {
            Self::Key(hash) => accounts.use_admin_key(hash.clone(), now).await,
            Self::Cookie(hash) => accounts.use_admin_session(hash.clone(), now).await,
        }
    }
}

/// The key is looked up first: others' wrong ones never keep a right one out.
async fn by_key(request: &Request, state: &AdminState) -> Result<(KeptAdminKey, Shown), ApiError> {
    let shown = Shown::Key(key_in(request.headers())?.hash());
    if let Some(holder) = shown.holder(state).await? {
        return Ok((holder, shown));
    }
    let address = address_of(request);
    if let Some(wait) = state.wrong_keys.note(address, Instant::now()) {
        return Err(ApiError::retry_after(ErrorKind::TooManyWrongKeys, wait));
    }
    tracing::warn!(event = "wrong_admin_key", %address);
    Err(ErrorKind::InvalidAuthorizationHeader.into())
}

/// A browser sends the cookie for whatever page asks: other programs of this machine have pages of
/// the same site. So a page has to be our own, and what changes something has to say so.
async fn by_cookie(
    request: &mut Request,
    state: &AdminState,
    shown: Shown,
) -> Result<(KeptAdminKey, Shown), ApiError> {
    if !(request.method().is_safe() && same_origin::is_untold(request.headers())) {
        same_origin::check(request.headers(), None)?;
    }
    let holder = shown.holder(state).await?.ok_or(ErrorKind::Unauthorized)?;
    // The document's scheme asks for the header, whatever it says.
    request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer cookie"));
    Ok((holder, shown))
}

/// Whether a request that [`check`] let pass came with a key, and not with the cookie.
pub(super) fn has_key(headers: &HeaderMap) -> bool {
    key_in(headers).is_ok()
}

fn key_in(headers: &HeaderMap) -> Result<AdminKey, ErrorKind> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(ErrorKind::Unauthorized)?;
    let key = bearer::credentials(value).and_then(AdminKey::parse);
    match (key, values.next()) {
        (Some(key), None) => Ok(key),
        _ => Err(ErrorKind::InvalidAuthorizationHeader),
    }
}

/// Of the connection: no header is believed.
fn address_of(request: &Request) -> IpAddr {
    let address = request.remote_addr().as_socket_addr();
    address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip().to_canonical())
}
