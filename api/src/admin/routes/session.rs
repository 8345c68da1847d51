//! `/admin/session`: how a browser signs in to the console.

use std::sync::Arc;

use common::domain::token::Token;
use poem::Request;
use poem::web::Data;
use poem_openapi::{ApiResponse, OpenApi};

use super::Tag;
use super::failures::failures;
use crate::admin::console_cookie;
use crate::admin::key_check::{self, AdminKeyHolder};
use crate::admin::state::AdminState;
use crate::http::error::{ErrorKind, Failure};

#[derive(Debug)]
pub(super) struct SessionApi;

/// A browser is signed in.
#[derive(ApiResponse, Debug)]
enum Begun {
    /// Done
    #[oai(status = 204)]
    Done(
        /// A cookie that is taken in place of the key, for 12 hours.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

/// It is signed in no more.
#[derive(ApiResponse, Debug)]
enum Ended {
    /// Done
    #[oai(status = 204)]
    Done(
        /// The end of the cookie.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

failures! {
    BeginFailures {}
    EndFailures {}
}

#[OpenApi]
impl SessionApi {
    /// Sign a browser in
    ///
    /// The answer sets a cookie that is taken in place of the key until 12 hours have passed, the
    /// session is ended, or its key is removed or over. No script can read it.
    #[oai(
        path = "/admin/session",
        method = "post",
        tag = "Tag::Keys",
        operation_id = "beginSession"
    )]
    async fn begin(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        request: &Request,
    ) -> Result<Begun, Failure<BeginFailures>> {
        if !key_check::has_key(request.headers()) {
            // A session cannot begin another one: it would never end.
            return Err(ErrorKind::Unauthorized.into());
        }
        let (token, now) = (Token::random(), state.app.clock.now());
        let expires_at = now + console_cookie::LIFE;
        state.app.accounts.begin_admin_session(&token, key.0.id, expires_at, now).await?;
        Ok(Begun::Done(console_cookie::set(&token, request.headers())))
    }

    /// Sign a browser out
    ///
    /// Its cookie works no more, whoever has it.
    #[oai(
        path = "/admin/session",
        method = "delete",
        tag = "Tag::Keys",
        operation_id = "endSession"
    )]
    async fn end(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
        request: &Request,
    ) -> Result<Ended, Failure<EndFailures>> {
        if let Some(token) = console_cookie::token_in(request.headers()) {
            state.app.accounts.end_admin_session(token.hash()).await?;
        }
        Ok(Ended::Done(console_cookie::clear(request.headers())))
    }
}
