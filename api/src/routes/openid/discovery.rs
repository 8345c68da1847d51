//! `GET /.well-known/openid-configuration` (OpenID Connect Discovery 1.0, 3 and 4).

use poem::http::header;
use poem::web::Json;
use poem::{IntoResponse, Response};
use serde_json::json;

use super::{
    AUTHORIZE_PATH, END_SESSION_PATH, INTROSPECTION_PATH, JWKS_PATH, Provider, REVOCATION_PATH,
    TOKEN_PATH, USER_INFO_PATH,
};
use crate::service::openid::SCOPES;

/// Clients keep it for as long as the keys.
const CACHE_CONTROL: &str = "public, max-age=300";

impl Provider {
    pub(super) fn discovery(&self) -> Response {
        let issuer = &self.openid.issuer;
        let at = |path: &str| format!("{issuer}{path}");
        let keys = self.state.jwts.keys.get();
        let algorithm = keys.as_ref().as_ref().map(|keys| keys.algorithm());
        let clients = self.state.registered_clients.get();
        let has_email = clients.all_openid().any(|terms| terms.synthetic_email.is_some());
        let scopes: Vec<&str> =
            SCOPES.into_iter().filter(|scope| *scope != "email" || has_email).collect();
        let mut claims = vec![
            "iss",
            "sub",
            "aud",
            "iat",
            "exp",
            "auth_time",
            "nonce",
            "sid",
            "amr",
            "name",
            "picture",
            "phone_number",
            "phone_number_verified",
        ];
        if has_email {
            claims.extend(["email", "email_verified"]);
        }
        let ways_of_clients = ["client_secret_basic", "client_secret_post", "none"];
        let ways_of_backends = ["client_secret_basic", "client_secret_post"];
        let discovery = json!({
            "issuer": issuer,
            "authorization_endpoint": at(AUTHORIZE_PATH),
            "token_endpoint": at(TOKEN_PATH),
            "userinfo_endpoint": at(USER_INFO_PATH),
            "end_session_endpoint": at(END_SESSION_PATH),
            "jwks_uri": at(JWKS_PATH),
            "introspection_endpoint": at(INTROSPECTION_PATH),
            "revocation_endpoint": at(REVOCATION_PATH),
            "scopes_supported": scopes,
            "claims_supported": claims,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [algorithm],
            "token_endpoint_auth_methods_supported": ways_of_clients,
            "introspection_endpoint_auth_methods_supported": ways_of_backends,
            "revocation_endpoint_auth_methods_supported": ways_of_clients,
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": ["none", "login"],
            "authorization_response_iss_parameter_supported": true,
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
            "claims_parameter_supported": false,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        });
        Json(discovery).with_header(header::CACHE_CONTROL, CACHE_CONTROL).into_response()
    }
}
