//! A JSON request body that is read strictly: bounded, `application/json`, one object and nothing
//! that the type does not know.

use poem::{Body, Request, RequestBody, error::ResponseError, http::StatusCode};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::Type,
};
use serde::de::DeserializeOwned;

pub use super::bounded_body::MAX_BODY_BYTES;
use super::bounded_body::{ReadBody, read_bounded};
use super::error::ErrorKind;
use super::media_type;

const CONTENT_TYPE: &str = "application/json";

/// Extracts a `T` from a JSON body and describes it in the OpenAPI document.
///
/// `T` derives both `serde::Deserialize` with `#[serde(deny_unknown_fields)]` and
/// `poem_openapi::Object`; the two have to agree on names. Unlike `poem_openapi::payload::Json` it
/// refuses numbers for strings, repeated keys, unknown fields, arrays in place of the object,
/// anything after the object, and bodies above [`MAX_BODY_BYTES`]. Every failure is a
/// [`PayloadError`].
#[derive(Debug, Clone)]
pub struct StrictJson<T>(pub T);

/// Why a body was refused.
///
/// It reaches the outside as a [`poem::Error`]: `error.downcast_ref::<PayloadError>()` gives it
/// back. No variant holds a part of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// 400: not one JSON object of the expected shape.
    #[error("invalid request payload: {0}")]
    Invalid(&'static str),
    /// 408: the body did not arrive in time (the server's read limit, see [`crate::server`]).
    #[error("the request body did not arrive in time")]
    TimedOut,
    /// 413: the body is longer than [`MAX_BODY_BYTES`].
    #[error("the request body is longer than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// 503: too many long bodies are being read.
    #[error("too many long request bodies are being read")]
    Overloaded,
    /// 415: the content type is missing or is not `application/json`.
    #[error("the content type is not {CONTENT_TYPE}")]
    UnsupportedMediaType,
}

impl ResponseError for PayloadError {
    fn status(&self) -> StatusCode {
        ErrorKind::from(*self).status_and_code().0
    }
}

impl<'a, T: DeserializeOwned + Type> ApiExtractor<'a> for StrictJson<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type: CONTENT_TYPE, schema: T::schema_ref() }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let bytes = read(request, body.take()?).await?;
        Ok(Self(parse(&bytes)?))
    }
}

/// Reads a body that is announced as JSON, [`MAX_BODY_BYTES`] of it at most; whether it is JSON is
/// not looked at.
pub(crate) async fn read(request: &Request, body: Body) -> Result<ReadBody, PayloadError> {
    if !media_type::is(request, CONTENT_TYPE) {
        return Err(PayloadError::UnsupportedMediaType);
    }
    read_bounded(request, body).await
}

fn parse<T: DeserializeOwned>(bytes: &impl AsRef<[u8]>) -> Result<T, PayloadError> {
    let text =
        std::str::from_utf8(bytes.as_ref()).map_err(|_| PayloadError::Invalid("not UTF-8"))?;
    // serde takes an array for a struct, so the object has to be asked for.
    if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return Err(PayloadError::Invalid("not a JSON object"));
    }
    serde_json::from_str(text).map_err(|error| {
        PayloadError::Invalid(match error.classify() {
            serde_json::error::Category::Data => {
                "an unknown or repeated field, or a value of another type"
            }
            _ => "not JSON, or more than one value",
        })
    })
}

#[cfg(test)]
mod tests {
    use poem::Endpoint;
    use poem_openapi::{Object, OpenApi, OpenApiService, payload::PlainText};
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Object)]
    #[serde(deny_unknown_fields)]
    struct Greeting {
        name: String,
        times: Option<u8>,
    }

    struct Api;

    #[OpenApi]
    impl Api {
        #[oai(path = "/greet", method = "post")]
        async fn greet(&self, body: StrictJson<Greeting>) -> PlainText<String> {
            PlainText(format!("{} {:?}", body.0.name, body.0.times))
        }
    }

    async fn post(
        content_type: Option<&str>,
        body: impl Into<Body>,
    ) -> Result<String, PayloadError> {
        let service = OpenApiService::new(Api, "test", "1");
        let mut request = Request::builder().method(poem::http::Method::POST).uri_str("/greet");
        if let Some(content_type) = content_type {
            request = request.content_type(content_type);
        }
        let endpoint = poem::Route::new().nest("/", service);
        match endpoint.call(request.body(body)).await {
            Ok(mut response) => Ok(response.take_body().into_string().await.unwrap()),
            Err(error) => Err(*error.downcast_ref::<PayloadError>().expect("a PayloadError")),
        }
    }

    #[tokio::test]
    async fn takes_one_object_with_any_parameter_on_the_content_type() {
        for content_type in
            ["application/json", "Application/JSON; charset=utf-8", "application/json ;x=y"]
        {
            let answer =
                post(Some(content_type), " \r\n\t{\"name\":\"Zoë\",\"times\":null} \n").await;
            assert_eq!(answer.unwrap(), "Zoë None", "{content_type}");
        }
    }

    #[tokio::test]
    async fn refuses_every_other_content_type() {
        let others = [
            None,
            Some("text/plain"),
            Some("application/jsonp"),
            Some("application/problem+json"),
            Some(""),
        ];
        for content_type in others {
            let answer = post(content_type, r#"{"name":"a"}"#).await;
            assert_eq!(answer, Err(PayloadError::UnsupportedMediaType), "{content_type:?}");
        }
    }

    #[tokio::test]
    async fn refuses_every_malformed_body() {
        let bodies: [&[u8]; 16] = [
            b"",
            b"   ",
            b"null",
            b"[\"a\",1]",
            b"\"a\"",
            b"{",
            b"{}",
            b"{\"name\":5}",
            b"{\"name\":null}",
            b"{\"name\":true}",
            b"{\"name\":\"a\",\"name\":\"b\"}",
            b"{\"name\":\"a\",\"extra\":1}",
            b"{\"name\":\"a\",\"times\":256}",
            b"{\"name\":\"a\"}{\"name\":\"b\"}",
            b"{\"name\":\"\xff\"}",
            b"\xef\xbb\xbf{\"name\":\"a\"}",
        ];
        for body in bodies {
            let answer = post(Some(CONTENT_TYPE), body).await;
            assert!(matches!(answer, Err(PayloadError::Invalid(_))), "{body:?}: {answer:?}");
        }
    }

    #[tokio::test]
    async fn the_limit_is_exact_with_and_without_an_announced_length() {
        let body = |length: usize| format!("{{\"name\":\"{}\"}}", "a".repeat(length - 11));
        assert_eq!(body(MAX_BODY_BYTES).len(), MAX_BODY_BYTES);
        assert!(post(Some(CONTENT_TYPE), body(MAX_BODY_BYTES)).await.is_ok());
        let answer = post(Some(CONTENT_TYPE), body(MAX_BODY_BYTES + 1)).await;
        assert_eq!(answer, Err(PayloadError::TooLarge));

        let mut announced = Request::builder()
            .content_type(CONTENT_TYPE)
            .header("content-length", "104857")
            .finish();
        let refused = read(&announced, Body::empty()).await.err();
        assert_eq!(refused, Some(PayloadError::TooLarge));
        announced.headers_mut().insert("content-length", "104856".parse().unwrap());
        assert!(read(&announced, Body::empty()).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_that_is_late_is_told_from_one_that_breaks_off() {
        for (kind, expected) in [
            (std::io::ErrorKind::TimedOut, PayloadError::TimedOut),
            (
                std::io::ErrorKind::ConnectionReset,
                PayloadError::Invalid("the body ended early or is badly framed"),
            ),
        ] {
            let failing =
                futures_util::stream::iter([Err::<&'static [u8], _>(std::io::Error::from(kind))]);
            let answer = post(Some(CONTENT_TYPE), Body::from_bytes_stream(failing)).await;
            assert_eq!(answer, Err(expected));
        }
    }

    #[test]
    fn the_document_shows_the_body() {
        let document: serde_json::Value =
            serde_json::from_str(&OpenApiService::new(Api, "test", "1").spec()).unwrap();
        let body = &document["paths"]["/greet"]["post"]["requestBody"];
        assert_eq!(body["required"], true);
        assert_eq!(
            body["content"]["application/json"]["schema"]["$ref"],
            "#/components/schemas/Greeting"
        );
        let schema = &document["components"]["schemas"]["Greeting"];
        assert_eq!(schema["required"], serde_json::json!(["name"]));
        assert_eq!(schema["properties"]["name"]["type"], "string");
    }
}
