//! What use cases work with.

use std::sync::Arc;

use common::accounts::Accounts;
use common::domain::phone::Country;
use common::ledger::delivery_status::DeliveryStatuses;
use common::ledger::idempotency::IdempotencyStore;
use common::ledger::notices::Notices;
use common::runtime::clock::Clock;
use common::runtime::readiness::Readiness;

use crate::rejections::Rejections;
use crate::reload::Reloadable;
use crate::service::files::Files;
use crate::service::jwts::JwtIssuer;
use crate::service::otp_service::OtpService;
use crate::service::registered_clients::RegisteredClients;
use crate::service::session_cache::SessionCache;
use crate::service::sessions::SessionTerms;

/// One for the whole process. Operations find it in their request's data, in an [`Arc`].
#[derive(Clone, Debug)]
pub struct AppState {
    /// Users, their sessions and their events.
    pub accounts: Accounts,
    pub otp: OtpService,
    /// SMS without an OTP.
    pub notices: Notices,
    pub delivery_statuses: DeliveryStatuses,
    pub idempotency: Arc<IdempotencyStore>,
    pub rejections: Rejections,
    pub readiness: Readiness,
    pub session_terms: SessionTerms,
    pub session_cache: SessionCache,
    pub jwts: JwtIssuer,
    pub files: Files,
    pub registered_clients: Reloadable<RegisteredClients>,
    /// Of numbers without a country code.
    pub default_country: Country,
    pub clock: Clock,
}

impl AppState {
    /// The URL of a path, as far as the settings say where browsers reach the service.
    #[must_use]
    pub fn public_url(&self, path: &str) -> String {
        format!("{}{path}", self.jwts.issuer.as_deref().unwrap_or_default())
    }
}
