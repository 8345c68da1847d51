//! A browser's session opens its user's files too, so that the sign-in page uploads and shows them.
//! Whatever changes something has to come from a page of the service itself.

use poem::Request;
use poem::http::{HeaderValue, header};

use super::error::ApiError;
use super::origin::Origin;
use super::same_origin;
use super::session_cookie::SessionCookie;
use super::tus;
use crate::service::sessions;
use crate::state::AppState;

#[derive(Clone, Debug)]
pub struct FilesCookie {
    pub(crate) cookie: SessionCookie,
    /// Where browsers reach the service, as far as the settings say.
    pub(crate) own: Option<Origin>,
}

impl FilesCookie {
    /// Finds the session in the cookie of a request for files that has no token itself. It is then
    /// the request's, as [`bearer::check`](super::bearer::check) leaves it.
    ///
    /// # Errors
    /// A page of another origin wants to change something; or the database is away.
    pub(crate) async fn admit(
        &self,
        request: &mut Request,
        state: &AppState,
    ) -> Result<(), ApiError> {
        let has_token = request.headers().contains_key(header::AUTHORIZATION);
        if has_token || !tus::is_of_files(request.uri().path()) {
            return Ok(());
        }
        let Some(token) = self.cookie.token_in(request.headers()) else { return Ok(()) };
        if !request.method().is_safe() {
            same_origin::check(request.headers(), self.own.as_ref())?;
        }
        if let Some(current) = sessions::find(state, &token).await? {
            request.extensions_mut().insert(current);
            // The document's scheme asks for the header, whatever it says.
            let value = HeaderValue::from_static("Bearer cookie");
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        Ok(())
    }
}
