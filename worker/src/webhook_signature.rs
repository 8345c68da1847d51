//! How messages to a webhook are signed: the Standard Webhooks specification.

use std::fmt;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::RequestBuilder;
use sha2::Sha256;

/// `whsec_` and 24 to 64 bytes in base64. `Debug` hides them.
#[derive(Clone)]
pub struct WebhookSecret(Hmac<Sha256>);

impl WebhookSecret {
    /// # Errors
    /// Text of another form.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        text.strip_prefix("whsec_")
            .and_then(|encoded| BASE64.decode(encoded.as_bytes()).ok())
            .filter(|bytes| (24..=64).contains(&bytes.len()))
            .and_then(|bytes| Hmac::new_from_slice(&bytes).ok())
            .map(Self)
            .ok_or("has to be whsec_ and 24 to 64 bytes in base64")
    }

    /// A request that carries a message, sent at `timestamp` (Unix seconds).
    pub(crate) fn signed(
        &self,
        request: RequestBuilder,
        id: &str,
        timestamp: i64,
        body: String,
    ) -> RequestBuilder {
        request
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.sign(id, timestamp, &body))
            .body(body)
    }

    /// The signature of one message, as the header carries it.
    fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let text = format!("{id}.{timestamp}.{body}");
        let mac = self.0.clone().chain_update(text).finalize();
        format!("v1,{}", BASE64.encode(&mac.into_bytes()))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_hmac_of_id_timestamp_and_body() {
        // Computed with: printf 'msg_1.1700000000.{}' | openssl dgst -sha256 -hmac <24 times "k">
        // -binary | base64
        let secret =
            WebhookSecret::parse(&format!("whsec_{}", BASE64.encode(&[b'k'; 24]))).unwrap();
        assert_eq!(
            secret.sign("msg_1", 1_700_000_000, "{}"),
            "v1,E3sCg9uS8x43RKlJqcda1EcaYZxNkN+l2u7RBZBSZQQ="
        );
    }

    #[test]
    fn a_secret_of_another_form_is_refused() {
        for text in ["", "whsec_", "whsec_AAAA", "whsec_not base64", &BASE64.encode(&[0; 32])] {
            assert!(WebhookSecret::parse(text).is_err(), "{text}");
        }
    }
}
