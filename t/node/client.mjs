/* SPDX-License-Identifier: Apache-2.0 */
// What a client of OAuth does, by npm's oauth4webapi, which holds every answer against the RFCs.
//
// usage: node client.mjs < {"issuer", "id", "secret", "username", "password"}      writes one object of what came of each step
import { webcrypto } from 'node:crypto';
import * as oauth from 'oauth4webapi';

globalThis.crypto ??= webcrypto;
let input = '';
for await (const part of process.stdin) {
    input += part;
}
const { issuer, id, secret, username, password } = JSON.parse(input);
const url = new URL(issuer);
const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm: 'oauth2' }));
const person = { client_id: 'app', token_endpoint_auth_method: 'none' };
const told = { metadata: server };

// Is it a token that RFC 9068 allows, by the keys that the metadata name?
async function validated(token) {
    const request = new Request(`${issuer}/v1/users`, { headers: { authorization: `Bearer ${token}` } });
    return oauth.validateJwtAccessToken(server, request, issuer);
}

for (const token_endpoint_auth_method of ['client_secret_basic', 'client_secret_post']) {
    const client = { client_id: id, client_secret: secret, token_endpoint_auth_method };
    const step = (told[token_endpoint_auth_method] = {});
    step.token = await oauth.processClientCredentialsResponse(server, client, await oauth.clientCredentialsGrantRequest(server, client, {}));
    step.claims = await validated(step.token.access_token);
    step.introspected = await oauth.processIntrospectionResponse(server, client, await oauth.introspectionRequest(server, client, step.token.access_token));
    const wrong = { ...client, client_secret: 'wrong' };
    step.refused = await oauth.processClientCredentialsResponse(server, wrong, await oauth.clientCredentialsGrantRequest(server, wrong, {}));
    const signedIn = await oauth.genericTokenEndpointRequest(server, client, 'password', { username, password });
    step.password = await signedIn.json();
    step.renewed = await oauth.processRefreshTokenResponse(server, client, await oauth.refreshTokenGrantRequest(server, client, step.password.refresh_token));
    step.person = await validated(step.renewed.access_token);
    step.revoked = (await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, step.renewed.refresh_token))) ?? 'done';
    step.dead = await oauth.processRefreshTokenResponse(server, client, await oauth.refreshTokenGrantRequest(server, client, step.renewed.refresh_token));
    step.inactive = await oauth.processIntrospectionResponse(server, client, await oauth.introspectionRequest(server, client, step.renewed.access_token));
}
const publicly = await oauth.genericTokenEndpointRequest(server, person, 'password', { username, password });
told.publicly = { status: publicly.status, members: Object.keys(await publicly.json()) };
console.log(JSON.stringify(told));
