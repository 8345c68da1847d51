//! Deliveries, as operators see them.

use crate::admin::numbers::DeliveryRecord;
use crate::admin::{OperatorError, ask_redis};
use crate::domain::ids::DeliveryId;
use crate::domain::phone::E164;
use crate::ledger::connection::RedisConnection;
use crate::ledger::keys;
use crate::ledger::records::{self, Delivery};

/// A delivery, and to which number, masked; none where it is not known, or not any more.
///
/// # Errors
/// [`OperatorError`].
pub async fn find(
    redis: &mut RedisConnection,
    id: &DeliveryId,
) -> Result<Option<(String, DeliveryRecord)>, OperatorError> {
    let mut call = redis::cmd("GET");
    call.arg(keys::delivery(id.as_str()));
    let kept: Option<Vec<u8>> = ask_redis(call.query_async(redis)).await?;
    let sms = kept.and_then(|kept| records::read::<Delivery>(&kept).ok());
    Ok(sms.and_then(|sms| {
        let number = E164::from_store(sms.number.clone()?).to_string();
        Some((number, DeliveryRecord::of(id.to_string(), sms)?))
    }))
}
