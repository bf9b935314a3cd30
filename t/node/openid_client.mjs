/* SPDX-License-Identifier: Apache-2.0 */
// Signing in at this server by npm's openid-client, as applications have it: version 5, which takes RS256 alone, and version 6.
//
// usage: node openid_client.mjs < {"version", "issuer", "id", "secret", "redirect", "cookie"}      writes one object of what came of each step
import { webcrypto } from 'node:crypto';

// Global only from Node.js 20 on.
globalThis.crypto ??= webcrypto;
let input = '';
for await (const part of process.stdin) {
    input += part;
}
const { version, issuer, id, secret, redirect, cookie } = JSON.parse(input);
const scope = 'openid profile email groups';

// The browser, which is signed in: where it is sent.
async function visit(url) {
    const answer = await fetch(url, { redirect: 'manual', headers: { cookie } });
    return answer.headers.get('location');
}

async function withFive() {
    const { Issuer, generators } = await import('openid-client5');
    const found = await Issuer.discover(issuer);
    const client = new found.Client({ client_id: id, client_secret: secret, redirect_uris: [redirect], response_types: ['code'] });
    const code_verifier = generators.codeVerifier(), state = generators.state(), nonce = generators.nonce();
    const code_challenge = generators.codeChallenge(code_verifier);
    const location = await visit(client.authorizationUrl({ scope, state, nonce, code_challenge, code_challenge_method: 'S256' }));
    const tokens = await client.callback(redirect, client.callbackParams(location), { code_verifier, state, nonce, response_type: 'code', max_age: 3600 });
    const userinfo = await client.userinfo(tokens);
    const refreshed = await client.refresh(tokens);
    return { claims: tokens.claims(), userinfo, refreshed: refreshed.claims(), refresh: () => client.refresh(refreshed) };
}

async function withSix() {
    const openid = await import('openid-client6');
    const config = await openid.discovery(new URL(issuer), id, secret, undefined, { execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks] });
    const pkceCodeVerifier = openid.randomPKCECodeVerifier(), expectedState = openid.randomState(), expectedNonce = openid.randomNonce();
    const url = openid.buildAuthorizationUrl(config, {
        redirect_uri: redirect, scope, state: expectedState, nonce: expectedNonce, code_challenge_method: 'S256',
        code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    });
    const location = new URL(await visit(url));
    const tokens = await openid.authorizationCodeGrant(config, location, { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true, maxAge: 3600 });
    const userinfo = await openid.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
    const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token);
    return { claims: tokens.claims(), userinfo, refreshed: refreshed.claims(), refresh: () => openid.refreshTokenGrant(config, refreshed.refresh_token) };
}

const { refresh, ...told } = await (version === 5 ? withFive() : withSix());
// Its sessions end, and the application tries to go on.
await fetch(`${issuer}/v1/oauth/sign-out`, { method: 'POST', redirect: 'manual', headers: { cookie, origin: issuer } });
told.ended = await refresh().then(() => 'none', (error) => error.error);
console.log(JSON.stringify(told));
