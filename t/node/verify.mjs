/* SPDX-License-Identifier: Apache-2.0 */
// Verifies access tokens as another program would: npm's jose, with the keys that the server publishes.
//
// usage: node verify.mjs < {"issuer", "jwks", "tokens": {NAME: TOKEN}}      writes {NAME: {"header", "claims"} or {"refused": CODE}}
import { createRemoteJWKSet, jwtVerify } from 'jose';

let input = '';
for await (const part of process.stdin) {
    input += part;
}
const { issuer, jwks, tokens } = JSON.parse(input);
const keys = createRemoteJWKSet(new URL(jwks));
const told = {};
for (const [name, token] of Object.entries(tokens)) {
    try {
        const { payload, protectedHeader } = await jwtVerify(token, keys, {
            issuer,
            audience: issuer,
            typ: 'at+jwt',
            algorithms: ['ES256'],
            requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id'],
        });
        told[name] = { header: protectedHeader, claims: payload };
    } catch (error) {
        told[name] = { refused: error.code ?? String(error) };
    }
}
console.log(JSON.stringify(told));
