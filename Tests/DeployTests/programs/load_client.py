#!/usr/bin/env python3
"""Keep-alive load that counts every request: its status, its model version, and every request that got no answer.

usage: load_client.py --port P --method GET|POST --users FILE [--connections 8] [--rate R] [--seconds S]

Each connection carries one request at a time and is never retried: a connection that ends before the whole answer came
is a lost request, and is reported with what happened to it. Only an answer that says `Connection: close` allows a new
connection without a loss. Runs until SIGTERM or SIGINT (or --seconds) and then prints one JSON object:

  {"requests": n, "answered": n, "lost": n, "statuses": {"200": n}, "versions": {"7": n}, "losses": ["..."],
   "started": unix seconds, "seconds": s, "slowest_ms": ms}

`requests` = `answered` + `lost`, always: nothing is dropped from the count.
"""

import argparse
import json
import signal
import socket
import sys
import time

ANSWER_SECONDS_MAX = 15.0


class Client:
    def __init__(self, port, connections):
        self.port = port
        self.sockets = [self.connect() for _ in range(connections)]
        self.requests = self.answered = 0
        self.statuses, self.versions = {}, {}
        self.losses, self.lost = [], 0
        self.slowest = 0.0

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_SECONDS_MAX)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def lose(self, slot, what):
        self.lost += 1
        if len(self.losses) < 20:
            self.losses.append(f"{time.time():.3f} {what}")
        self.reopen(slot)

    def reopen(self, slot):
        if self.sockets[slot] is not None:
            self.sockets[slot].close()
        try:
            self.sockets[slot] = self.connect()
        except OSError:
            self.sockets[slot] = None

    def round(self, request_of):
        """One request on every connection, all in flight together; then one answer from each."""
        sent = []
        for slot in range(len(self.sockets)):
            self.requests += 1
            if self.sockets[slot] is None:
                self.lose(slot, "connect: no connection")
                continue
            try:
                self.sockets[slot].sendall(request_of())
                sent.append((slot, time.monotonic()))
            except OSError as error:
                self.lose(slot, f"send: {error!r}")
        for slot, began in sent:
            try:
                status, version, closes = self.receive(self.sockets[slot])
            except (OSError, ValueError) as error:
                self.lose(slot, f"receive: {error!r}")
                continue
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.answered += 1
            self.statuses[status] = self.statuses.get(status, 0) + 1
            self.versions[version] = self.versions.get(version, 0) + 1
            if status != "200" and len(self.losses) < 20:
                self.losses.append(f"{time.time():.3f} status {status}")
            if closes:
                self.reopen(slot)

    @staticmethod
    def receive(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                raise ValueError(f"closed after {len(data)} bytes of an answer")
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        lines = head.split(b"\r\n")
        status = lines[0].split(b" ")[1].decode()
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        if b"content-length" not in fields:
            raise ValueError("an answer without Content-Length")
        missing = int(fields[b"content-length"]) - len(body)
        while missing > 0:
            more = connection.recv(65536)
            if not more:
                raise ValueError(f"closed with {missing} bytes of the body missing")
            missing -= len(more)
        version = fields.get(b"x-model-version", b"none").decode()
        return status, version, fields.get(b"connection", b"").lower() == b"close"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--method", choices=["GET", "POST"], required=True)
    parser.add_argument("--users", required=True, help="file of user ids, one a line")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rate", type=float, default=0, help="requests a second over all connections; 0: flat out")
    parser.add_argument("--seconds", type=float, default=3600)
    options = parser.parse_args()

    with open(options.users, encoding="ascii") as file:
        users = file.read().split()
    turn = 0

    def request():
        nonlocal turn
        turn += 1
        user = users[turn % len(users)]
        if options.method == "GET":
            return f"GET /recommend?user_id={user}&k=5 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        body = json.dumps({"user_id": user, "k": 5})
        return (
            f"POST /recommend HTTP/1.1\r\nHost: localhost\r\nX-Routing-Key: {user}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    stopping = False

    def stop(*_):
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    client = Client(options.port, options.connections)
    started, began = time.time(), time.monotonic()
    pause = options.connections / options.rate if options.rate else 0
    due = began
    while not stopping and time.monotonic() - began < options.seconds:
        client.round(request)
        if pause:
            due = max(due + pause, time.monotonic() - 1)
            time.sleep(max(0, due - time.monotonic()))
    json.dump(
        {
            "method": options.method, "requests": client.requests, "answered": client.answered, "lost": client.lost,
            "statuses": client.statuses, "versions": client.versions, "losses": client.losses,
            "started": round(started, 3), "seconds": round(time.monotonic() - began, 3),
            "slowest_ms": round(client.slowest * 1000, 1),
        },
        sys.stdout)
    print()


main()
