/* SPDX-License-Identifier: Apache-2.0 */
// npm's smtp-server as the mail server of t/httpd/mail.t.
//
// usage: node server.mjs USER PASSWORD
//
// Listens on free ports of loopback (plain; auth: STARTTLS and that user wanted), prints one line of JSON with them and a control server's, and ends when its
// standard input does.
//
//   POST /rules   a list of {stage, does, to, times}: what is done at that stage of a connection instead of taking the mail. stage: connect, mail, rcpt,
//                 middle (of the text), text (the mail has been taken), quit. does: hang (until the next /rules), drop, or a code to answer. to: only for
//                 recipients that begin so (stages rcpt and later). times: so often, then no more.
//   GET /seen     {connections, hanging (stage or null), mails: [{from, to, user, tls, helo, utf8, raw}]} since the last DELETE /seen
import { createServer } from 'node:http';
import { SMTPServer } from 'smtp-server';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';

const [user, password] = process.argv.slice(2);
let rules = [];
let release = [];
let seen;

function forget() {
    seen = { connections: 0, hanging: null, mails: [] };
}
forget();

function rule_for(stage, session) {
    const to = session.envelope?.rcptTo?.[0]?.address ?? '';
    const rule = rules.find(one => one.stage === stage && (one.times ?? 1) > 0 && to.startsWith(one.to ?? ''));
    if (rule?.times) rule.times -= 1;
    return rule?.does;
}

async function pass(stage, server, session, callback, does = rule_for(stage, session)) {
    if (does === 'hang') {
        seen.hanging = stage;
        await new Promise(resolve => release.push(resolve));
    }
    if (does === 'drop') {
        for (const connection of server.connections) if (connection.session.id === session.id) connection._socket.destroy();
        return;
    }
    callback(typeof does === 'number' ? Object.assign(new Error('Said by the test'), { responseCode: does }) : null);
}

function make(options) {
    const server = new SMTPServer({
        disableReverseLookup: true,
        ...options,
        onConnect: (session, callback) => {
            seen.connections += 1;
            pass('connect', server, session, callback);
        },
        onMailFrom: (address, session, callback) => pass('mail', server, session, callback),
        onRcptTo: (address, session, callback) => pass('rcpt', server, { ...session, envelope: { rcptTo: [address] } }, callback),
        onData: (stream, session, callback) => {
            const chunks = [];
            stream.once('data', () => pass('middle', server, session, () => {}));
            stream.on('data', chunk => chunks.push(chunk));
            stream.on('end', () => {
                const does = rule_for('text', session);
                if (typeof does !== 'number') {
                    seen.mails.push({
                        from: session.envelope.mailFrom.address, to: session.envelope.rcptTo[0].address, user: session.user ?? null, tls: session.secure,
                        helo: session.hostNameAppearsAs,
                        utf8: session.envelope.smtpUtf8 ?? false, raw: Buffer.concat(chunks).toString(),
                    });
                }
                pass('text', server, session, callback, does ?? null);
            });
        },
    });
    // Connections that break are what this is for.
    server.on('error', () => {});
    return server;
}

const quit = SMTPConnection.prototype.handler_QUIT;
SMTPConnection.prototype.handler_QUIT = function (command, callback) {
    pass('quit', this._server, this.session, () => quit.call(this, command, callback));
};

function body_of(request) {
    return new Promise(resolve => {
        let text = '';
        request.on('data', chunk => { text += chunk; });
        request.on('end', () => resolve(text));
    });
}

const control = createServer(async (request, response) => {
    if (request.method === 'POST') {
        rules = JSON.parse(await body_of(request));
        seen.hanging = null;
        release.splice(0).forEach(resolve => resolve());
    } else if (request.method === 'DELETE') {
        forget();
    }
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(seen));
});

function listen(server) {
    return new Promise(resolve => {
        const listening = server.listen(0, '127.0.0.1', () => resolve((listening.address?.() ?? server.server.address()).port));
    });
}

const plain = make({ authOptional: true, hideSTARTTLS: true });
const auth = make({
    authMethods: ['PLAIN', 'LOGIN'],
    onAuth: (given, session, callback) => {
        if (session.secure && given.username === user && given.password === password) callback(null, { user });
        else callback(Object.assign(new Error(`No: ${given.password}`), { responseCode: 535 }));
    },
});
console.log(JSON.stringify({ plain: await listen(plain), auth: await listen(auth), control: await listen(control) }));
process.stdin.on('end', () => process.exit(0)).resume();
