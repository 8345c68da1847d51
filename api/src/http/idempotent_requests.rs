//! The `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header): a client that lost an
//! answer repeats its request and gets the first answer again.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use common::domain::client::Client;
use common::domain::token::Token;
use common::ledger::idempotency::{Begun, Claim, IdempotencyStore};
use futures_util::FutureExt;
use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response};
use serde::{Deserialize, Serialize};

use crate::http::bearer::bearer_token;
use crate::http::error::{ApiError, ErrorKind};
use crate::http::strict_json;

const HEADER: &str = "Idempotency-Key";
const MAX_KEY_LENGTH: usize = 255;

/// The renewal of a token, whose repetitions come with a token that it has ended.
pub(crate) const RENEWAL_PATH: &str = "/tokens/current/renewal";

/// The headers of an answer that are its operation's own.
const KEPT_HEADERS: [HeaderName; 3] =
    [header::CONTENT_TYPE, header::RETRY_AFTER, header::WWW_AUTHENTICATE];

/// Makes an operation with a JSON body repeatable for clients that send the header; all others
/// notice nothing. It finds an [`IdempotencyStore`] in an `Arc` and the [`Client`] in the request's
/// data.
pub fn repeatable(
    operation: impl Endpoint<Output = Response> + 'static,
) -> impl Endpoint<Output = Response> + 'static {
    operation.around(|next, request| async move {
        match key_of(request.headers())? {
            None => next.call(request).await,
            Some(key) => answer_once(&*next, request, &key).await,
        }
    })
}

/// Makes the renewal of a token repeatable. It has no body: its answer is kept for the token that
/// it was given for, so that nobody else gets the new one.
pub fn repeatable_renewal(
    operation: impl Endpoint<Output = Response> + 'static,
) -> impl Endpoint<Output = Response> + 'static {
    operation.around(|next, request| async move {
        match (key_of(request.headers())?, bearer_token(request.headers())?) {
            (Some(key), Some(token)) => {
                let store = store_of(&request)?;
                let begun = begin(&store, &request, &key, &renewal_of(&token)).await?;
                answer_begun(&*next, request, &store, begun).await
            }
            _ => next.call(request).await,
        }
    })
}

/// The kept answer to a renewal, where that renewal has ended the token which its repetition comes
/// with, so that the operation itself is not reached any more. None where there is no such answer.
pub(crate) async fn repeated_renewal(request: &Request) -> Result<Option<Response>, ApiError> {
    let is_renewal = request.method() == Method::POST && request.uri().path() == RENEWAL_PATH;
    let (true, Ok(Some(key)), Ok(Some(token))) =
        (is_renewal, key_of(request.headers()), bearer_token(request.headers()))
    else {
        return Ok(None);
    };
    let store = store_of(request)?;
    match begin(&store, request, &key, &renewal_of(&token)).await? {
        Begun::Answered(answer) => Ok(Some(repeat(&answer)?)),
        Begun::InUse => Err(ErrorKind::IdempotencyKeyInUse.into()),
        Begun::Reused => Ok(None),
        Begun::Claimed(claim) => {
            settle(&store, &claim, None).await;
            Ok(None)
        }
    }
}

/// What a renewal is told by, in place of a body.
fn renewal_of(token: &Token) -> Vec<u8> {
    [RENEWAL_PATH.as_bytes(), &token.hash().into_bytes()].concat()
}

/// 1 to 255 visible ASCII characters, as they are or as a string of RFC 8941, in quotes.
fn key_of(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bare = |text: &str| match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').map(str::to_owned),
        None => Some(text.to_owned()),
    };
    let well_formed = |key: &String| {
        (1..=MAX_KEY_LENGTH).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match (value.to_str().ok().and_then(bare).filter(well_formed), values.next()) {
        (Some(key), None) => Ok(Some(key)),
        _ => Err(ErrorKind::InvalidIdempotencyKey.into()),
    }
}

async fn answer_once(
    next: &impl Endpoint<Output = Response>,
    request: Request,
    key: &str,
) -> poem::Result<Response> {
    let (mut request, mut body) = request.split();
    // Until the answer is there: it is what counts the body as a large one.
    let body = strict_json::read(&request, body.take()?).await?;
    let store = store_of(&request)?;
    let begun = begin(&store, &request, key, body.as_ref()).await?;
    body.put_back(&mut request);
    answer_begun(next, request, &store, begun).await
}

fn store_of(request: &Request) -> Result<Arc<IdempotencyStore>, ApiError> {
    request.data().cloned().ok_or(ErrorKind::Internal.into())
}

async fn begin(
    store: &IdempotencyStore,
    request: &Request,
    key: &str,
    told_by: &[u8],
) -> Result<Begun, ApiError> {
    let client = request.data::<Client>().ok_or(ErrorKind::Internal)?;
    Ok(store.begin(client.address, key, told_by).await?)
}

async fn answer_begun(
    next: &impl Endpoint<Output = Response>,
    request: Request,
    store: &IdempotencyStore,
    begun: Begun,
) -> poem::Result<Response> {
    let claim = match begun {
        Begun::Claimed(claim) => claim,
        Begun::InUse => return Err(ApiError::from(ErrorKind::IdempotencyKeyInUse).into()),
        Begun::Reused => return Err(ApiError::from(ErrorKind::IdempotencyKeyReused).into()),
        Begun::Answered(answer) => return Ok(repeat(&answer)?),
    };
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(result) => {
            let response = result.unwrap_or_else(|error| ApiError::from(error).into_response());
            let answer = KeptAnswer::of(response).await;
            settle(store, &claim, answer.as_ref().ok()).await;
            Ok(answer?.into_response())
        }
        Err(panic) => {
            settle(store, &claim, None).await;
            resume_unwind(panic)
        }
    }
}

/// A server's failure is not kept: the next try may succeed. A refusal with an end is kept until
/// then, so that a client that waits as it was told gets further. The first answer stands in any
/// case; a claim that cannot be settled runs out by itself.
async fn settle(store: &IdempotencyStore, claim: &Claim, answer: Option<&KeptAnswer>) {
    let kept = answer.filter(|answer| answer.status < 500);
    let is_refusal = kept.is_some_and(|answer| answer.status >= 400);
    let settled = match kept
        .and_then(|answer| Some((serde_json::to_vec(answer).ok()?, answer.retry_after())))
    {
        Some((answer, time)) if is_refusal => store.keep_refusal(claim, &answer, time).await,
        Some((answer, _)) => store.keep(claim, &answer).await,
        None => store.free(claim).await,
    };
    if let Err(error) = settled {
        tracing::warn!(event = "answer_not_kept", %error);
    }
}

fn repeat(answer: &[u8]) -> Result<Response, ApiError> {
    let answer: KeptAnswer = serde_json::from_slice(answer).map_err(|error| {
        tracing::error!(event = "kept_answer_unreadable", %error);
        ErrorKind::Internal
    })?;
    tracing::info!(event = "answer_repeated", status = answer.status);
    Ok(answer.into_response())
}

/// An answer as it is sealed.
#[derive(Deserialize, Serialize)]
struct KeptAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl KeptAnswer {
    async fn of(mut response: Response) -> Result<Self, ApiError> {
        let headers = KEPT_HEADERS.iter().filter_map(|name| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some((name.to_string(), value.to_owned()))
        });
        let headers = headers.collect();
        let status = response.status().as_u16();
        let body = response.take_body().into_string().await.map_err(|error| {
            tracing::error!(event = "answer_unreadable", %error);
            ErrorKind::Internal
        })?;
        Ok(Self { status, headers, body })
    }

    fn retry_after(&self) -> Option<Duration> {
        let (_, seconds) =
            self.headers.iter().find(|(name, _)| *name == header::RETRY_AFTER.as_str())?;
        seconds.parse().ok().map(Duration::from_secs)
    }
}

impl IntoResponse for KeptAnswer {
    fn into_response(self) -> Response {
        let mut response = Response::builder().body(self.body);
        response.set_status(
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        );
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use poem::endpoint::make;
    use poem::{Body, EndpointExt};

    use super::*;
    use crate::http::strict_json::PayloadError;

    fn key_in(values: &[&[u8]]) -> Result<Option<String>, ApiError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        key_of(&headers)
    }

    #[test]
    fn a_key_is_visible_ascii_in_quotes_or_without() {
        let longest = "k".repeat(255);
        assert_eq!(key_in(&[]), Ok(None));
        for (value, key) in [
            ("abc", "abc"),
            ("\"abc\"", "abc"),
            ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            ("!~", "!~"),
            ("a\"b", "a\"b"),
            (&longest, &longest),
            (&format!("\"{longest}\""), &longest),
        ] {
            assert_eq!(key_in(&[value.as_bytes()]), Ok(Some(key.to_owned())), "{value}");
        }
    }

    #[test]
    fn every_other_key_is_refused() {
        let too_long = "k".repeat(256);
        let wrong: &[&[&[u8]]] = &[
            &[b""],
            &[b"\""],
            &[b"\"\""],
            &[b"\"abc"],
            &[b"\"abc\";a=1"],
            &[b"a b"],
            &[b"a\tb"],
            &[b"\"a b\""],
            &["k\u{e9}".as_bytes()],
            &[b"\xff"],
            &[too_long.as_bytes()],
            &[b"abc", b"abc"],
        ];
        for values in wrong {
            assert_eq!(key_in(values), Err(ErrorKind::InvalidIdempotencyKey.into()), "{values:?}");
        }
    }

    /// Before the body is there, nothing is claimed: there is no store here.
    #[tokio::test]
    async fn a_body_that_cannot_be_read_is_the_same_error_as_ever() {
        let operation = repeatable(
            make(|_| async { Ok::<_, poem::Error>(Response::default()) }).map_to_response(),
        );
        let late = || {
            let chunks = futures_util::stream::iter([Err::<&'static [u8], _>(
                std::io::Error::from(std::io::ErrorKind::TimedOut),
            )]);
            Body::from_bytes_stream(chunks)
        };
        let too_long = Body::from(vec![b' '; strict_json::MAX_BODY_BYTES + 1]);
        for (content_type, body, expected) in [
            ("application/json", late(), PayloadError::TimedOut),
            ("application/json", too_long, PayloadError::TooLarge),
            ("text/plain", Body::from("{}"), PayloadError::UnsupportedMediaType),
        ] {
            let request =
                Request::builder().header(HEADER, "abc").content_type(content_type).body(body);
            let error = operation.call(request).await.unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&expected));
        }
    }
}
