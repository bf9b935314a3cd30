/* SPDX-License-Identifier: Apache-2.0 */
// What an application does that signs people in by OpenID Connect, by npm's oauth4webapi, which holds every answer against the specifications.
//
// usage: node openid.mjs < {"issuer", "id", "secret", "redirect", "cookie", "algorithm"}      writes one object of what came of each step
import { webcrypto } from 'node:crypto';
import * as oauth from 'oauth4webapi';

globalThis.crypto ??= webcrypto;
let input = '';
for await (const part of process.stdin) {
    input += part;
}
const { issuer, id, secret, redirect, cookie, algorithm } = JSON.parse(input);
const url = new URL(issuer);
const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url));
const client = {
    client_id: id, ...(secret && { client_secret: secret }), token_endpoint_auth_method: secret ? 'client_secret_basic' : 'none',
    id_token_signed_response_alg: algorithm,
};
const told = { metadata: server };

// The browser, which is signed in.
async function visit(parameters) {
    const target = new URL(server.authorization_endpoint);
    for (const [name, value] of Object.entries(parameters)) {
        target.searchParams.set(name, value);
    }
    const answer = await fetch(target, { redirect: 'manual', headers: { cookie } });
    return { status: answer.status, location: answer.headers.get('location') };
}

const verifier = oauth.generateRandomCodeVerifier(), state = oauth.generateRandomState(), nonce = oauth.generateRandomNonce();
const parameters = {
    client_id: id, redirect_uri: redirect, response_type: 'code', scope: 'openid profile email groups', state, nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
};
const came = await visit(parameters);
told.status = came.status;
const back = oauth.validateAuthResponse(server, client, new URL(came.location), state);
const answer = await oauth.authorizationCodeGrantRequest(server, client, back, redirect, verifier);
const tokens = await oauth.processAuthorizationCodeOpenIDResponse(server, client, answer, nonce, 3600);
told.claims = oauth.getValidatedIdTokenClaims(tokens);
told.header = JSON.parse(Buffer.from(tokens.id_token.split('.')[0], 'base64url'));
await oauth.validateIdTokenSignature(server, tokens);
const info = await oauth.userInfoRequest(server, client, tokens.access_token);
told.userinfo = await oauth.processUserInfoResponse(server, client, told.claims.sub, info);
const refreshed = await oauth.processRefreshTokenResponse(server, client, await oauth.refreshTokenGrantRequest(server, client, tokens.refresh_token));
told.refreshed = oauth.getValidatedIdTokenClaims(refreshed);
told.access_token = refreshed.access_token;
told.refresh_token = refreshed.refresh_token;

// A refusal comes back as one, with the issuer.
const refused = await visit({ ...parameters, prompt: 'none', max_age: '0' });
const error = oauth.validateAuthResponse(server, client, new URL(refused.location), state);
told.refused = oauth.isOAuth2Error(error) ? error.error : 'none';
// The code once more.
const again = await oauth.authorizationCodeGrantRequest(server, client, back, redirect, verifier);
const twice = await oauth.processAuthorizationCodeOpenIDResponse(server, client, again, nonce);
told.twice = oauth.isOAuth2Error(twice) ? twice.error : 'none';
console.log(JSON.stringify(told));
