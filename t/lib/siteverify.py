# SPDX-License-Identifier: Apache-2.0
"""A captcha service on loopback, as the leading ones answer: what it says depends on the response that it is shown.

Prints its port; keeps each form that it got as a line of JSON in the file of its argument; ends when its standard input does.
"""
import http.server
import json
import sys
import threading
import time
import urllib.parse

FORMS = open(sys.argv[1], 'a', buffering=1)
LOCK = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def tell(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass

    def do_GET(self):
        self.note({'method': 'GET', 'path': self.path})
        self.tell(200, b'{"success": true}')

    def note(self, form):
        with LOCK:
            FORMS.write(json.dumps(form) + '\n')

    def do_POST(self):
        form = self.rfile.read(int(self.headers.get('Content-Length', 0))).decode()
        form = dict(urllib.parse.parse_qsl(form, keep_blank_values=True, strict_parsing=True))
        self.note({**form, 'method': 'POST', 'path': self.path, 'type': self.headers.get('Content-Type')})
        response = form['response']
        if form['secret'] != 'captcha-canary':
            self.tell(200, b'{"success": false, "error-codes": ["invalid-input-secret"]}')
        elif response.startswith('solved'):
            self.tell(200, json.dumps({'success': True, 'challenge_ts': '2025-01-01T00:00:00Z', 'hostname': 'example.org'}).encode())
        elif response == 'slow':
            time.sleep(20)
        elif response == 'huge':
            self.tell(200, b'{"success": true}' + b' ' * (1 << 20))
        elif response == 'redirect':
            self.tell(302, b'{"success": true}', [('Location', '/elsewhere')])
        elif response == 'garbage':
            self.tell(200, b'<html>all is well</html>')
        elif response == 'broken':
            self.tell(500, b'{"success": true}')
        else:
            self.tell(200, b'{"success": false, "error-codes": ["invalid-input-response"]}')


server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
