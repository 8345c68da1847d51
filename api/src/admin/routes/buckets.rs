//! `/admin/buckets/{kind}`: the leaky buckets that count unverified sends.

use std::sync::Arc;

use common::admin::buckets;
use common::domain::admin_action::AdminActionKind;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, OpenApi};

use super::Tag;
use super::failures::failures;
use super::payloads::{Because, BucketLevel};
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::{ApiError, Failure};
use crate::http::strict_json::StrictJson;

#[derive(Debug)]
pub(super) struct BucketsApi;

/// `address`: those of a client address. `network`: those of the network of one. `range`: those to numbers that differ in the last
/// three digits only. `country`: those to a country. `service`: all.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case", remote = "buckets::BucketKind")]
enum BucketKind {
    Address,
    Network,
    Range,
    Country,
    Service,
}

failures! {
    SeeFailures {
        InvalidParameter, InvalidPhoneNumber, InvalidBucket, TooManyLookUps, RedisUnavailable,
    }
    EmptyFailures {
        InvalidParameter, InvalidPhoneNumber, InvalidBucket, InvalidPayload, InvalidReason,
        RequestTimeout, PayloadTooLarge, UnsupportedMediaType, RedisUnavailable,
    }
}

#[OpenApi]
impl BucketsApi {
    /// See how full a bucket is
    ///
    /// The bucket of a range counts as a look-up of the number, of which the holder of a `viewer` key
    /// may do 100 within an hour. They are told of it only whether it is full.
    #[oai(
        path = "/admin/buckets/:kind",
        method = "get",
        tag = "Tag::Buckets",
        operation_id = "getBucket"
    )]
    async fn see(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// Whose sends it counts.
        #[oai(example = "example_kind")]
        kind: Path<BucketKind>,
        /// The address, or one of the network; a number of the range; the country's two letters, or
        /// `none` for numbers of no country; nothing for the service.
        of: Query<Option<String>>,
    ) -> Result<Json<BucketLevel>, Failure<SeeFailures>> {
        let bucket = bucket(&state, kind.0, of.0)?;
        if let buckets::Bucket::Range(number) = &bucket {
            key.looks_up(&state, number).await?;
        }
        let level = look(&state, &bucket, false).await?;
        Ok(Json(if key.sees_masked() { level.for_those_who_guess() } else { level }))
    }

    /// Empty a bucket
    ///
    /// Answers how full it was before.
    #[oai(
        path = "/admin/buckets/:kind/empty",
        method = "post",
        tag = "Tag::Buckets",
        operation_id = "emptyBucket"
    )]
    async fn empty(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// Whose sends it counts.
        #[oai(example = "example_kind")]
        kind: Path<BucketKind>,
        /// The address, or one of the network; a number of the range; the country's two letters, or
        /// `none` for numbers of no country; nothing for the service.
        of: Query<Option<String>>,
        body: StrictJson<Because>,
    ) -> Result<Json<BucketLevel>, Failure<EmptyFailures>> {
        let bucket = bucket(&state, kind.0, of.0)?;
        let reason = body.0.reason()?;
        let kind = AdminActionKind::BucketEmptied;
        key.notes(&state, kind, |action| action.about(&bucket).because(reason)).await?;
        Ok(Json(look(&state, &bucket, true).await?))
    }
}

fn bucket(
    state: &AdminState,
    kind: BucketKind,
    of: Option<String>,
) -> Result<buckets::Bucket, ApiError> {
    let kind = buckets::BucketKind::from(kind);
    Ok(kind.of(of.as_deref(), state.app.default_country)?)
}

async fn look(
    state: &AdminState,
    bucket: &buckets::Bucket,
    empty: bool,
) -> Result<BucketLevel, ApiError> {
    let mut redis = state.redis.clone();
    Ok(bucket.look(&mut redis, &state.ledger, &state.app.clock, empty).await?.into())
}

fn example_kind() -> BucketKind {
    BucketKind::Service
}
