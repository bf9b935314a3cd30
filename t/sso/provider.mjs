/* SPDX-License-Identifier: Apache-2.0 */
// npm's oidc-provider, a certified OpenID provider, as the other side of t/api/sso.t.
//
// usage: node provider.mjs CLIENT-ID CLIENT-SECRET REDIRECT-URI...
//
// Listens on a free port of loopback, prints one line of JSON with it, and ends when its standard input does. Its login form takes any password; who signs in
// as NAME has the subject NAME and the address NAME, which is verified unless it begins with "unproved". A control server beside it (control in that line)
// takes it down (GET /down: every request is refused with 503) and up again (GET /up).
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const [client_id, client_secret, ...redirect_uris] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
let provider;
let down = false;

function make(issuer) {
    const made = new Provider(issuer, {
        clients: [{ client_id, client_secret, redirect_uris, grant_types: ['authorization_code'], response_types: ['code'] }],
        claims: { openid: ['sub'], email: ['email', 'email_verified'] },
        cookies: { keys: ['of this test only'] },
        jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: 'key-1' }] },
        findAccount: (context, id) => ({
            accountId: id,
            claims: () => ({ sub: id, email: id, email_verified: !id.startsWith('unproved') }),
        }),
    });
    made.on('server_error', (context, error) => console.error(error));
    made.on('grant.error', (context, error) => console.error(`grant: ${error.error}: ${error.error_detail ?? ''}`));
    return made.callback();
}

const server = createServer((request, response) => {
    if (down) {
        response.writeHead(503).end();
    } else {
        provider(request, response);
    }
});

const control = createServer((request, response) => {
    down = request.url === '/down';
    response.end();
});

server.listen(0, '127.0.0.1', () => {
    provider = make(`http://127.0.0.1:${server.address().port}`);
    control.listen(0, '127.0.0.1', () => {
        console.log(JSON.stringify({ port: server.address().port, control: control.address().port }));
    });
});
process.stdin.on('end', () => process.exit(0)).resume();
