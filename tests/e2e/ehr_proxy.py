"""Stands between riverside and its EHR: passes requests on, or loses, delays and forgets them; and remembers their order."""

import http.client
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class EhrProxy:
    """Use as a context. `mode` says what happens to the next requests, until it is changed:

    "pass"    passed on
    "close"   the connection is closed before anything is passed on
    "forget"  passed on and carried out, then the connection is closed without an answer
    "late"    passed on at once, answered after `delay` seconds
    """

    def __init__(self, delay=3):
        self.mode, self.delay, self.ehr, self.seen, self.lock = "pass", delay, None, [], threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                proxy.handle(self, body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # of those that did not wait for an answer
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def handle(self, request, body):
        mode = self.mode
        key = request.headers.get("idempotency-key")
        with self.lock:
            self.seen.append({"key": key, "mode": mode, "at": time.monotonic(), "bundle": json.loads(body)})
        if mode == "close":
            request.close_connection = True
            return
        connection = http.client.HTTPConnection(self.ehr, timeout=30)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection")}
        connection.request("POST", request.path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if mode == "forget":
            request.close_connection = True
            return
        if mode == "late":
            time.sleep(self.delay)
        request.send_response(answer.status)
        for name in ("content-type", "retry-after"):
            if answer.headers[name]:
                request.send_header(name, answer.headers[name])
        request.send_header("content-length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def keys(self):
        """The idempotency keys in the order they came first."""
        with self.lock:
            return list(dict.fromkeys(one["key"] for one in self.seen))
