//! `GET /healthz`

use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::Tag;
use crate::error::{Failure, Failures};

/// The operation.
#[derive(Debug)]
pub struct HealthApi;

/// The process lives.
#[derive(Debug, Object)]
#[oai(example)]
pub struct Health {
    /// Always `ok`.
    status: String,
}

impl poem_openapi::types::Example for Health {
    fn example() -> Self {
        Self { status: "ok".to_owned() }
    }
}

/// None of its own.
#[derive(Debug)]
pub struct HealthFailures;

impl Failures for HealthFailures {
    const KINDS: &'static [crate::error::ErrorKind] = &[];
}

#[OpenApi]
impl HealthApi {
    /// Say that the process lives
    ///
    /// Neither Redis nor the database is asked.
    #[oai(path = "/healthz", method = "get", tag = "Tag::Operations", operation_id = "health")]
    async fn health(&self) -> Result<Json<Health>, Failure<HealthFailures>> {
        Ok(Json(Health { status: "ok".to_owned() }))
    }
}
