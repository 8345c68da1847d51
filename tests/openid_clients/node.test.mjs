// Libraries of Node's servers. PACKAGES has them.

import { after, before, test } from "node:test";

import { load, startExpress } from "./support/apps.mjs";
import { SECRET, client, signsInAndOut, startProvider } from "./support/provider.mjs";

const SCOPE = "openid profile phone";

let provider;
before(async () => {
  provider = await startProvider([
    client("openid-client", "/callback"),
    client("oauth4webapi", "/callback"),
    client("passport", "/callback", { pkce: "optional" }),
  ]);
});
after(() => provider?.stop());

async function holds(routes) {
  const app = await startExpress(routes);
  try {
    await signsInAndOut(provider, app);
  } finally {
    await app.stop();
  }
}

const known = ({ sub, name, phone_number }) => ({ sub, name, phone_number });

test("openid-client", async () => {
  const openid = await load("openid-client");
  await holds(async (app, url) => {
    const options = { execute: [openid.allowInsecureRequests] };
    const config = await openid.discovery(new URL(provider.url), "openid-client", SECRET, undefined, options);
    openid.enableNonRepudiationChecks(config);
    app.get("/login", async (request, response) => {
      const [pkceCodeVerifier, expectedState, expectedNonce] =
        [openid.randomPKCECodeVerifier(), openid.randomState(), openid.randomNonce()];
      request.session.checks = { pkceCodeVerifier, expectedState, expectedNonce };
      response.redirect(openid.buildAuthorizationUrl(config, {
        redirect_uri: `${url}/callback`, scope: SCOPE, state: expectedState, nonce: expectedNonce,
        code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: "S256",
      }).href);
    });
    app.get("/callback", async (request, response) => {
      const checks = { ...request.session.checks, idTokenExpected: true, maxAge: 600 };
      const tokens = await openid.authorizationCodeGrant(config, new URL(request.url, url), checks);
      const { sub } = tokens.claims();
      request.session.claims = known(await openid.fetchUserInfo(config, tokens.access_token, sub));
      request.session.hint = tokens.id_token;
      response.redirect("/");
    });
    app.get("/logout", (request, response) => {
      const { hint } = request.session;
      request.session.destroy();
      response.redirect(openid.buildEndSessionUrl(config, { id_token_hint: hint, post_logout_redirect_uri: `${url}/bye` }).href);
    });
  });
});

test("oauth4webapi", async () => {
  const oauth = await load("oauth4webapi");
  const insecure = { [oauth.allowInsecureRequests]: true };
  await holds(async (app, url) => {
    const issuer = new URL(provider.url);
    const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
    const rp = { client_id: "oauth4webapi" };
    app.get("/login", async (request, response) => {
      const [verifier, state, nonce] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState(), oauth.generateRandomNonce()];
      request.session.checks = { verifier, state, nonce };
      response.redirect(`${server.authorization_endpoint}?${new URLSearchParams({
        response_type: "code", client_id: rp.client_id, redirect_uri: `${url}/callback`, scope: SCOPE, state, nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
      })}`);
    });
    app.get("/callback", async (request, response) => {
      const { verifier, state, nonce } = request.session.checks;
      const parameters = oauth.validateAuthResponse(server, rp, new URL(request.url, url), state);
      const answer = await oauth.authorizationCodeGrantRequest(
        server, rp, oauth.ClientSecretPost(SECRET), parameters, `${url}/callback`, verifier, insecure);
      const tokens = await oauth.processAuthorizationCodeResponse(
        server, rp, answer, { expectedNonce: nonce, requireIdToken: true, maxAge: 600 });
      await oauth.validateApplicationLevelSignature(server, answer, insecure);
      const { sub } = oauth.getValidatedIdTokenClaims(tokens);
      const info = await oauth.userInfoRequest(server, rp, tokens.access_token, insecure);
      request.session.claims = known(await oauth.processUserInfoResponse(server, rp, sub, info));
      request.session.hint = tokens.id_token;
      response.redirect("/");
    });
    app.get("/logout", (request, response) => {
      const { hint } = request.session;
      request.session.destroy();
      response.redirect(`${server.end_session_endpoint}?${new URLSearchParams({ id_token_hint: hint, post_logout_redirect_uri: `${url}/bye` })}`);
    });
  });
});

// It knows no PKCE.
test("passport-openidconnect", async () => {
  const { Passport } = (await load("passport")).default;
  const { default: Strategy } = await load("passport-openidconnect");
  await holds(async (app, url) => {
    const passport = new Passport();
    passport.use(new Strategy({
      issuer: provider.url,
      authorizationURL: `${provider.url}/oauth/authorize`,
      tokenURL: `${provider.url}/oauth/token`,
      userInfoURL: `${provider.url}/oauth/userinfo`,
      clientID: "passport", clientSecret: SECRET, callbackURL: `${url}/callback`, scope: "profile phone", nonce: true, maxAge: 600,
    }, (issuer, fromUserInfo, fromIdToken, context, idToken, accessToken, refreshToken, parameters, done) => {
      const claims = known(fromUserInfo._json);
      done(fromIdToken.id === claims.sub ? null : new Error("of another user"), { claims, hint: idToken });
    }));
    app.use(passport.initialize());
    const authenticate = passport.authenticate("openidconnect", { session: false, failWithError: true });
    app.get("/login", authenticate);
    app.get("/callback", authenticate, (request, response) => {
      Object.assign(request.session, request.user);
      response.redirect("/");
    });
    app.get("/logout", (request, response) => {
      const { hint } = request.session;
      request.session.destroy();
      response.redirect(`${provider.url}/oauth/end_session?${new URLSearchParams({ id_token_hint: hint, post_logout_redirect_uri: `${url}/bye` })}`);
    });
  });
});
