"""The built nextloop beside nginx, over sockets: which requests of a connection are answered, and which are refused.

    servers.py --port PORT [--nginx nginx] [--seed 1] [--count 2000] [--show 20]

PORT is a running `nextloop serve` on 127.0.0.1. nginx is started here, on a Unix socket in a temporary directory, and stopped
at the end. Each case is sent whole, our side is ended, and the answers are read up to the end. Requests are told apart by
X-Request-ID, which both echo. A difference is a bug of ours unless differences.py has agreed to it; exit 1 when there is one.
"""

import argparse
import collections
import dataclasses
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

import cases
import differences

CONFIGURATION = """
daemon off;
master_process off;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/error.log crit;
events {{ worker_connections 64; }}
http {{
    access_log off;
    lingering_close off;
    keepalive_requests 1000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    # A proxy, so that it reads bodies to their end before anything is answered.
    server {{
        listen unix:{directory}/socket;
        location / {{
            proxy_ignore_client_abort on;
            proxy_pass http://unix:{directory}/inner;
        }}
    }}
    server {{
        listen unix:{directory}/inner;
        location / {{
            add_header X-Request-ID $http_x_request_id always;
            return 200 "answered";
        }}
    }}
}}
"""


@dataclasses.dataclass
class Outcome:
    """X-Request-ID of each request that was answered, `?` where the case has none, and whether a refusal came last."""

    requests: list[str]
    end: str
    statuses: list[int]


def exchange(address, case: bytes) -> bytes:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    received = b""
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(address)
        try:
            connection.sendall(case)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                received += piece
        except ConnectionError:
            pass  # What was answered before counts.
    return received


HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")


def answers(stream: bytes):
    """Status, headers and body of each answer. That of a HEAD has a length and no body: the next head comes at once."""
    place = 0
    while place < len(stream):
        match = HEAD.match(stream, place)
        if not match:
            yield 200, {}, stream[place:]  # nginx answers HTTP/0.9 with the body alone.
            return
        headers = {}
        for line in match[2].split(b"\r\n")[:-1]:
            name, _, value = line.partition(b":")
            headers[name.strip().lower()] = value.strip()
        place = match.end()
        length = int(headers.get(b"content-length", 0))
        if stream.startswith(b"HTTP/1.1 ", place) or place == len(stream):
            length = 0
        if int(match[1]) >= 200:
            yield int(match[1]), headers, stream[place:place + length]
        place += length


def outcome(case: bytes, stream: bytes, is_answer) -> Outcome:
    result = Outcome([], "closed", [])
    for status, headers, body in answers(stream):
        result.statuses.append(status)
        if not is_answer(status, headers, body):
            result.end = "refused"
            break
        name = headers.get(b"x-request-id", b"")
        result.requests.append(name.decode() if re.fullmatch(rb"[A-Za-z0-9._-]{1,128}", name) and name in case else "?")
    return result


def ours(case: bytes, port: int) -> Outcome:
    def is_answer(status, headers, body):
        # A refusal ends the connection; of a HEAD only the status tells it.
        closes = headers.get(b"connection") == b"close"
        return not (closes and (b"refused-request" in body or status in (400, 408, 413, 414, 417, 431, 501, 505)))

    return outcome(case, exchange(("127.0.0.1", port), case), is_answer)


def nginx(case: bytes, path: str) -> Outcome:
    return outcome(case, exchange(path, case), lambda status, headers, body: status == 200)


def difference(our: Outcome, their: Outcome) -> str | None:
    """What is wrong with ours if theirs is right; None when ours is the same or the stricter one."""
    for number, (mine, other) in enumerate(zip(our.requests, their.requests)):
        if mine != other:
            return f"another request {number}"
    if len(our.requests) > len(their.requests):
        return "accepts what they refuse" if their.end == "refused" else "sees a request that they do not"
    if len(our.requests) < len(their.requests) and our.end != "refused":
        return "misses a request that they see"
    return None


def start_nginx(program: str, directory: str) -> subprocess.Popen:
    configuration = pathlib.Path(directory, "nginx.conf")
    configuration.write_text(CONFIGURATION.format(directory=directory))
    process = subprocess.Popen([program, "-e", "stderr", "-p", directory, "-c", configuration], stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            exchange(f"{directory}/socket", cases.get())
            return process
        except OSError:
            time.sleep(0.02)
    process.kill()
    raise SystemExit("nginx did not start")


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--nginx", default="nginx")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--count", type=int, default=2000)
    arguments.add_argument("--show", type=int, default=20)
    options = arguments.parse_args()

    agreed: collections.Counter[str] = collections.Counter()
    kinds: collections.Counter[str] = collections.Counter()
    statuses: collections.Counter[int] = collections.Counter()
    failures = []
    count = answered = 0
    with tempfile.TemporaryDirectory() as directory:
        process = start_nginx(options.nginx, directory)
        try:
            named = cases.known_attacks() + list(cases.generated(options.seed, options.count))
            for name, case in named:
                our, their = ours(case, options.port), nginx(case, f"{directory}/socket")
                count += 1
                answered += len(our.requests)
                statuses.update(our.statuses)
                what = difference(our, their)
                if what is None:
                    continue
                reason = differences.agreed("nginx", what, case, our, their)
                if reason:
                    agreed[reason] += 1
                else:
                    kinds[what] += 1
                    failures.append((what, name, case, our, their))
        finally:
            process.kill()  # One process, and nothing of it is kept; a signal it may block would not end it.
            process.wait(10)
    for what, name, case, our, their in failures[:options.show]:
        print(f"nginx: {what} ({name})\n  {case!r}\n  ours   {our}\n  theirs {their}", file=sys.stderr)
    print(json.dumps({
        "cases": count, "requests": answered, "statuses": statuses, "failures": len(failures), "kinds": kinds,
        "agreed": agreed,
    }))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
