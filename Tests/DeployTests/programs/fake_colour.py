#!/usr/bin/env python3
"""Takes nextloop's place as a colour and misbehaves, as FAKE_MODE says; else it passes requests on to a real nextloop.

  exit       ends with status 70 at once
  unready    listens, and /readyz is 503 for ever
  errors     /recommend is 500 for one request in three once the file FAKE_WHEN exists
  slow       /recommend takes 0.4 s once the file FAKE_WHEN exists
  crash      kills itself once the file FAKE_WHEN exists

FAKE_BINARY is the real nextloop. The fake counts its own answers in /metrics, under the real names.
"""

import ctypes
import http.client
import http.server
import os
import signal
import subprocess
import sys
import threading
import time

mode, trigger = os.environ["FAKE_MODE"], os.environ.get("FAKE_WHEN", "")
arguments = sys.argv[1:]
if arguments[0] != "serve":
    os.execv(os.environ["FAKE_BINARY"], [os.environ["FAKE_BINARY"], *arguments])
if mode == "exit":
    sys.exit("fake colour: cannot start today")
port = int(arguments[arguments.index("--port") + 1])
counts = {"2xx": 0, "5xx": 0}
slow = {"2xx": 0, "5xx": 0}
lock = threading.Lock()


def start_real():
    """The real service dies with this process, however that ends."""
    real = arguments[:]
    real[real.index("--port") + 1] = "0"
    process = subprocess.Popen(
        [os.environ["FAKE_BINARY"], *real], stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL))
    for line in process.stderr:
        if "ready on http://" in line:
            found = int(line.split("ready on http://127.0.0.1:")[1].split()[0])
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, found
    sys.exit("fake colour: the real one did not start")


class Handler(http.server.BaseHTTPRequestHandler):
    # Head and body leave in one call, as the service's do: a crash does not come between them.
    wbufsize = 1 << 20
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        began = time.monotonic()
        status, fields, answer = self.answer(body)
        if self.path.startswith("/recommend"):
            group = f"{status // 100}xx" if status >= 500 else "2xx"
            with lock:
                counts[group] += 1
                slow[group] += time.monotonic() - began > 0.3
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_POST = do_HEAD = do_GET

    def answer(self, body):
        on = trigger != "" and os.path.exists(trigger)
        if mode == "unready":
            return 503, [("Content-Type", "application/problem+json")], b'{"detail":"Not today."}'
        if self.path == "/metrics":
            lines = []
            with lock:
                for group, count in counts.items():
                    labels = f'method="GET",handler="/recommend",status="{group}"'
                    lines.append(f"http_requests_total{{{labels}}} {count}")
                    for bound, inside in (("0.3", count - slow[group]), ("1", count), ("+Inf", count)):
                        lines.append(f'http_request_duration_seconds_bucket{{{labels},le="{bound}"}} {inside}')
            return 200, [("Content-Type", "text/plain")], ("\n".join(lines) + "\nhttp_requests_inprogress 1\n").encode()
        if self.path.startswith("/recommend") and on:
            if mode == "errors" and counts["2xx"] % 3 == 0:
                with lock:
                    counts["2xx"] += 1  # The next one is well.
                return 500, [("Content-Type", "application/problem+json")], b'{"detail":"fake"}'
            if mode == "slow":
                time.sleep(0.4)
        upstream = http.client.HTTPConnection("127.0.0.1", real_port, timeout=5)
        upstream.request(self.command, self.path, body or None, {"Content-Type": "application/json"} if body else {})
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        kept = [(n, v) for n, v in answer.getheaders() if n.lower() in ("content-type", "x-model-version", "x-request-id")]
        return answer.status, kept, data

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


real_port = 0
if mode != "unready":
    real, real_port = start_real()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if mode == "crash":
    def crash():
        while not os.path.exists(trigger):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)
    threading.Thread(target=crash, daemon=True).start()
Server(("127.0.0.1", port), Handler).serve_forever()
