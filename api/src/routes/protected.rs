//! `GET /protected`

use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use super::Tag;
use crate::http::bearer::BearerToken;
use crate::http::error::{ErrorKind, Failure, Failures};

#[derive(Debug)]
pub struct ProtectedApi;

/// What only a signed-in user sees.
#[derive(Debug, Object)]
#[oai(example)]
pub struct Protected {
    /// Always `Protected`.
    data: String,
}

impl Example for Protected {
    fn example() -> Self {
        Self { data: "Protected".to_owned() }
    }
}

#[derive(Debug)]
pub struct ProtectedFailures;

impl Failures for ProtectedFailures {
    const KINDS: &'static [ErrorKind] = &[ErrorKind::Unauthorized];
}

#[OpenApi]
impl ProtectedApi {
    /// Try a token out
    ///
    /// Send the token from `POST /signup` as `Authorization: Bearer <token>`. In Swagger UI: press
    /// Authorize and paste it.
    #[oai(
        path = "/protected",
        method = "get",
        tag = "Tag::Protected",
        operation_id = "getProtected"
    )]
    async fn protected(
        &self,
        _user: BearerToken,
    ) -> Result<Json<Protected>, Failure<ProtectedFailures>> {
        Ok(Json(Protected { data: "Protected".to_owned() }))
    }
}
