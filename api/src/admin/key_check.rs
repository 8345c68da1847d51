//! Who asks: the admin key of a request, and whether its role is enough. Holding an [`AdminKeyHolder`]
//! is the check.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use common::accounts::KeptAdminKey;
use common::domain::admin_action::{AdminActionKind, NewAdminAction};
use common::domain::admin_key::{AdminKey, AdminRole};
use poem::Request;
use poem::http::{HeaderMap, header};
use poem_openapi::SecurityScheme;
use poem_openapi::auth::Bearer;

use super::state::AdminState;
use crate::http::error::{ApiError, ErrorKind};

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
/// The key comes in `Authorization`, which no page of a stranger's can make a browser send. Whoever
/// takes it from a cookie too has to refuse such pages here: see `http::same_origin`.
pub(super) async fn check(
    request: &mut Request,
    state: &AdminState,
    needed: AdminRole,
) -> Result<(), ApiError> {
    let key = key_in(request.headers())?.hash();
    let address = address_of(request);
    if let Some(wait) = state.wrong_keys.wait(address, &key, Instant::now()) {
        return Err(ApiError::retry_after(ErrorKind::TooManyWrongKeys, wait));
    }
    let now = state.app.clock.now();
    let Some(holder) = state.app.accounts.use_admin_key(key.clone(), now).await? else {
        state.wrong_keys.note_wrong(address, &key, Instant::now());
        tracing::warn!(event = "wrong_admin_key", %address);
        return Err(ErrorKind::InvalidAuthorizationHeader.into());
    };
    state.wrong_keys.note_right(&key);
    if holder.role < needed {
        return Err(ErrorKind::RoleTooLow.into());
    }
    request.extensions_mut().insert(Arc::new(holder));
    Ok(())
}

fn key_in(headers: &HeaderMap) -> Result<AdminKey, ErrorKind> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(ErrorKind::Unauthorized)?;
    let key = value.to_str().ok().and_then(|text| {
        let (scheme, key) = text.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("Bearer") { AdminKey::parse(key) } else { None }
    });
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
