#!/usr/bin/python3 -E
# SPDX-License-Identifier: Apache-2.0
"""A mail server for t/unit/client/client_smtp.c, on loopback ports of the kernel's choice.

usage: smtp_server.py FOLDER

Prints one line of JSON with its ports once it listens, and ends when its standard input does, so that it never outlives the test. Every mail that it takes
is written to FOLDER/mail.json. What it answers hangs on the first word of the recipient's address:

    mail-CODE@...   that code after MAIL (the word stands in the sender's address)
    rcpt-CODE@...   after RCPT
    text-CODE@...   after the text
    slow@...        nothing after the text, for a long time
    drop@...        the connection is closed in the middle of the text

The ports: plain, auth (user "ada at home", password "Pass: wörd 1"), starttls, smtps (certificate made by itself), refusing (554 instead of a greeting),
strict (504 to EHLO with a name of one word), old (without SMTPUTF8), busy (421), silent (says nothing at all).
"""
import asyncio
import email
import email.errors
import email.policy
import json
import logging
import os
import ssl
import subprocess
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

USER, PASSWORD = "ada at home", "Pass: wörd 1"
WORDS = "Said by the test \x1b[31m\x07 server"


def wanted(address, stage):
    word = address.split("@")[0]
    return f"{word[5:8]} 5.1.1 {WORDS}" if word.startswith(stage + "-") else None


def parsed(content):
    """The message as Python's own parser reads it, which knows no local parts in UTF-8 (RFC 6532)."""
    message = email.message_from_string(content.decode(), policy=email.policy.SMTPUTF8)
    parts = {part.get_content_type(): part for part in message.walk()}
    defects = [str(defect) for part in message.walk() for defect in part.defects]
    defects += [f"{name}: {defect}" for part in message.walk() for name, value in part.items() for defect in value.defects if not isinstance(defect, email.errors.NonASCIILocalPartDefect)]
    return {
        "defects": defects,
        "subject": message["Subject"],
        "from": [message["From"].addresses[0].display_name, message["From"].addresses[0].addr_spec],
        "to": message["To"].addresses[0].addr_spec,
        "date": message["Date"].datetime.isoformat(),
        "longest": max(map(len, content.split(b"\r\n"))),
        "text": parts["text/plain"].get_content().replace("\r\n", "\n"),
        "html": parts["text/html"].get_content().replace("\r\n", "\n"),
        "headers": {name: str(message[name]) for name in ("Message-ID", "Auto-Submitted", "Content-Language")},
    }


class Handler:
    def __init__(self, folder):
        self.folder = folder

    async def handle_MAIL(self, server, session, envelope, address, options):
        refusal = wanted(address, "mail")
        if refusal:
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = wanted(address, "rcpt")
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos[0].startswith("slow@"):
            await asyncio.sleep(600)
        refusal = wanted(envelope.rcpt_tos[0], "text")
        if refusal:
            return refusal
        mail = {
            "from": envelope.mail_from,
            "options": envelope.mail_options,
            "to": envelope.rcpt_tos,
            "content": envelope.original_content.decode(),
            "user": session.auth_data or "",
            "tls": session.ssl is not None,
            "helo": session.host_name,
            "parsed": parsed(envelope.original_content),
        }
        path = os.path.join(self.folder, "mail.json")
        with open(path + ".new", "w") as out:
            json.dump(mail, out)
        os.rename(path + ".new", path)
        return "250 OK"


class Server(SMTP):
    # The answer to DATA itself is this class's own, so a connection that breaks within the text is made here.
    async def smtp_DATA(self, arg):
        if self.envelope.rcpt_tos and self.envelope.rcpt_tos[0].startswith("drop@"):
            await self.push("354 Go on")
            await self._reader.readline()
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


class Strict(Server):
    async def smtp_EHLO(self, hostname):
        if "." not in hostname and ":" not in hostname:
            await self.push("504 5.5.2 Helo command rejected: need fully-qualified hostname")
            return
        await super().smtp_EHLO(hostname)

    async def smtp_HELO(self, hostname):
        await self.smtp_EHLO(hostname)


def authenticate(server, session, envelope, mechanism, data):
    right = data.login == USER.encode() and data.password == PASSWORD.encode()
    # A server that repeats what it was told: our side must not pass it on.
    return AuthResult(success=right, handled=right, auth_data=USER, message=None if right else f"535 5.7.8 No: {data.password!r}")


def certificate(folder):
    paths = [os.path.join(folder, name) for name in ("cert.pem", "key.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:0.0.0.0", "-out", paths[0], "-keyout", paths[1]],
        check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*paths)
    return context


def saying(line):
    async def talk(reader, writer):
        try:
            if line is None:
                await asyncio.sleep(600)
            writer.write(line.encode() + b"\r\n")
            await writer.drain()
            await reader.read()
            writer.close()
        except OSError:
            pass
    return talk


async def main(folder):
    loop = asyncio.get_running_loop()
    handler, tls = Handler(folder), certificate(folder)

    def smtp(**options):
        return lambda: Server(handler, enable_SMTPUTF8=True, hostname="mail.test", loop=loop, **options)

    servers = {
        "plain": await loop.create_server(smtp(), "127.0.0.1", 0),
        "auth": await loop.create_server(smtp(authenticator=authenticate, auth_required=True, auth_require_tls=False), "127.0.0.1", 0),
        "starttls": await loop.create_server(smtp(tls_context=tls, require_starttls=True), "127.0.0.1", 0),
        "smtps": await loop.create_server(smtp(), "0.0.0.0", 0, ssl=tls),
        "refusing": await asyncio.start_server(saying("554 No service here"), "127.0.0.1", 0),
        "strict": await loop.create_server(lambda: Strict(handler, enable_SMTPUTF8=True, hostname="mail.test", loop=loop), "127.0.0.1", 0),
        "old": await loop.create_server(lambda: Server(handler, enable_SMTPUTF8=False, hostname="mail.test", loop=loop), "127.0.0.1", 0),
        "busy": await asyncio.start_server(saying("421 Too busy"), "127.0.0.1", 0),
        "silent": await asyncio.start_server(saying(None), "127.0.0.1", 0),
    }
    print(json.dumps({name: server.sockets[0].getsockname()[1] for name, server in servers.items()}), flush=True)
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    os._exit(0)


# Of what is wrong here on purpose.
warnings.simplefilter("ignore")
logging.disable()
asyncio.run(main(sys.argv[1]))
