//! What others run: providers and a collector, served over real HTTP.

pub(crate) mod collector;
pub(crate) mod fake_receiver;
pub(crate) mod fake_site_verify;
pub(crate) mod fake_twilio;
pub(crate) mod fake_webhook;
pub(crate) mod http_server;
