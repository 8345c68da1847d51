//! Deliveries, as operators see them.

use std::cmp::Reverse;

use crate::admin::numbers::DeliveryRecord;
use crate::admin::{OperatorError, ask_redis};
use crate::domain::cursor::{Page, PageRequest, by_time};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::ids::DeliveryId;
use crate::domain::phone::E164;
use crate::ledger::connection::RedisConnection;
use crate::ledger::happened::Listed;
use crate::ledger::keys;
use crate::ledger::records::{self, Delivery};

/// Records that are read at once.
const AT_ONCE: usize = 500;

/// Which deliveries. All of it has to fit.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeliveryFilter<'a> {
    pub status: Option<DeliveryStatus>,
    /// Why it ended, or why it was tried again.
    pub reason: Option<&'a str>,
    /// None that was asked for before (Unix ms).
    pub since: Option<i64>,
    /// None that was asked for then or later (Unix ms).
    pub until: Option<i64>,
}

impl DeliveryFilter<'_> {
    fn has_time(&self, requested_at: i64) -> bool {
        self.since.is_none_or(|since| requested_at >= since)
            && self.until.is_none_or(|until| requested_at < until)
    }

    #[must_use]
    pub fn fits(&self, sms: &DeliveryRecord) -> bool {
        self.status.is_none_or(|status| status.into_str() == sms.status)
            && (self.reason.is_none() || self.reason == sms.reason.as_deref())
            && self.has_time(sms.requested_at.unix_ms())
    }

    /// Where those are listed that may fit: nothing else says that they wait or are being sent.
    fn list(&self) -> String {
        let name = match self.status {
            None | Some(DeliveryStatus::Queued | DeliveryStatus::Sending) => "asked",
            Some(status) => status.into_str(),
        };
        format!("{}{name}", keys::LISTED_PREFIX)
    }
}

/// A delivery, and to which number, masked.
#[derive(Clone, Debug)]
pub struct NumberedDelivery {
    pub number: String,
    pub sms: DeliveryRecord,
}

impl NumberedDelivery {
    fn read(id: String, kept: Option<Vec<u8>>) -> Option<Self> {
        let sms: Delivery = records::read(&kept?).ok()?;
        let number = E164::from_store(sms.number.clone()?).to_string();
        Some(Self { number, sms: DeliveryRecord::of(id, sms)? })
    }
}

/// A delivery; none where it is not known, or not any more.
///
/// # Errors
/// [`OperatorError`].
pub async fn find(
    redis: &mut RedisConnection,
    id: &DeliveryId,
) -> Result<Option<NumberedDelivery>, OperatorError> {
    let mut call = redis::cmd("GET");
    call.arg(keys::delivery(id.as_str()));
    let kept: Option<Vec<u8>> = ask_redis(call.query_async(redis)).await?;
    Ok(NumberedDelivery::read(id.to_string(), kept))
}

/// The last deliveries to all numbers, those first that were asked for last. Of each status only so
/// many are listed.
///
/// # Errors
/// [`OperatorError`].
pub async fn list(
    redis: &mut RedisConnection,
    filter: DeliveryFilter<'_>,
    page: PageRequest,
) -> Result<Page<NumberedDelivery>, OperatorError> {
    let mut call = redis::cmd("LRANGE");
    call.arg(filter.list()).arg(0).arg(-1);
    let entries: Vec<Vec<u8>> = ask_redis(call.query_async(redis)).await?;
    let read = |entry: &Vec<u8>| records::read::<Listed>(entry).ok();
    let mut listed: Vec<Listed> = entries.iter().filter_map(read).collect();
    // As they got their status; the last of those that were asked for at once comes first.
    listed.reverse();
    listed.sort_by_key(|Listed(at, _)| Reverse(*at));
    let placed = by_time(listed, |Listed(at, _)| *at, page);
    let placed: Vec<_> = placed.filter(|(_, Listed(at, _))| filter.has_time(*at)).collect();

    let mut rows = Vec::new();
    for some in placed.chunks(AT_ONCE) {
        let mut call = redis::cmd("MGET");
        for (_, Listed(_, id)) in some {
            call.arg(keys::delivery(id));
        }
        let kept: Vec<Option<Vec<u8>>> = ask_redis(call.query_async(redis)).await?;
        for ((place, Listed(_, id)), kept) in some.iter().zip(kept) {
            // What has got another status since, or is forgotten, is passed over.
            let found = NumberedDelivery::read(id.clone(), kept);
            rows.extend(found.filter(|found| filter.fits(&found.sms)).map(|row| (*place, row)));
        }
        if i64::try_from(rows.len()).is_ok_and(|found| found >= page.rows_asked()) {
            break;
        }
    }
    Ok(Page::new(rows, page.limit, |(place, _)| *place).filter_map(|(_, row)| Some(row)))
}
