//! Codes become tokens.

use common::accounts::{AccountsError, Redemption};
use common::crypto::signing_keys::JwtKind;
use common::domain::openid::{AccessToken, AuthorizationCode};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

use super::OpenId;
use super::id_token::IdTokenClaims;
use crate::service::jwts::JwtError;
use crate::service::registered_clients::OpenIdTerms;
use crate::state::AppState;

/// What a client gets for a code. `Debug` hides both tokens.
pub struct Tokens {
    pub access_token: AccessToken,
    /// How long that lives, in seconds.
    pub expires_in: i64,
    pub id_token: String,
    /// Separated by blanks.
    pub scope: String,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// Why it gets none.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// Unknown, expired, used or another client's, or redeemed by what does not fit.
    #[error("the code is good for nothing")]
    WrongCode,
    #[error(transparent)]
    Jwt(#[from] JwtError),
    #[error(transparent)]
    Accounts(#[from] AccountsError),
}

/// Redeems a code, once.
///
/// # Errors
/// [`TokensError`].
pub async fn redeem(
    state: &AppState,
    openid: &OpenId,
    client_id: &str,
    terms: &OpenIdTerms,
    code: &str,
    redirect_uri: &str,
    verifier: Option<&str>,
) -> Result<Tokens, TokensError> {
    let code = AuthorizationCode::parse(code).ok_or(TokensError::WrongCode)?;
    let challenge = verifier.map(|text| BASE64URL_NOPAD.encode(&Sha256::digest(text)));
    let redemption =
        Redemption { code: &code, client_id, redirect_uri, code_challenge: challenge.as_deref() };
    let (access_token, now) = (AccessToken::random(), state.clock.now());
    let refused = || {
        state.rejections.code(client_id);
        TokensError::WrongCode
    };
    let granted = state.accounts.granted(&redemption, now).await?.ok_or_else(refused)?;
    if let Some(uri) = &terms.backchannel_logout_uri
        && !state.accounts.tell_of_end(&granted, client_id, uri).await?
    {
        return Err(TokensError::WrongCode);
    }
    let claims = IdTokenClaims::of(&granted, &openid.issuer, client_id, now);
    let id_token = state.jwts.sign(JwtKind::IdToken, granted.user_id, &claims).await?;
    // Last, so that a client whose request failed before can repeat it.
    let expires_at = state.accounts.redeem(&redemption, &access_token, now).await?;
    let expires_at = expires_at.ok_or_else(refused)?;
    Ok(Tokens {
        id_token,
        access_token,
        expires_in: (expires_at - now).whole_seconds(),
        scope: granted.scope,
    })
}
