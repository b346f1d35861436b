#!/usr/bin/env python3
"""A TLS client of the standard library, for the process tests: what it found, as JSON on stdout.

usage: tls_client.py PORT CA CASE [--cert FILE --key FILE] [--count N]

Cases
  versions    a request in TLS 1.2 and one in 1.3, whether 1.1 is refused
  alpn        what is agreed on for several offers, or why the handshake failed
  resumption  for both versions, whether the second connection resumed the session of the first
  dribble     handshake and request with every byte on the wire in a segment of its own
  truncate    a body that is cut short, with and without close_notify: what came back
  bulk        N bulk lines, answered by a stream: lines that came back, and whether the end was said in TLS
  load        N connections with two requests each; names of the certificates, and errors
"""

import argparse
import json
import socket
import ssl

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("ca")
parser.add_argument("case")
parser.add_argument("--cert")
parser.add_argument("--key")
parser.add_argument("--count", type=int, default=1)
options = parser.parse_args()


def make_context(version=None, protocols=None):
    context = ssl.create_default_context(cafile=options.ca)
    if options.cert:
        context.load_cert_chain(options.cert, options.key)
    if version:
        context.minimum_version = context.maximum_version = version
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def connect():
    raw = socket.create_connection(("127.0.0.1", options.port), timeout=20)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return raw


def wrap(context, session=None):
    return context.wrap_socket(connect(), server_hostname="localhost", session=session)


def request(target="/livez", close=False):
    end = "Connection: close\r\n" if close else ""
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{end}\r\n".encode()


def receive(tls):
    """One answer with a Content-Length: status and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = tls.recv(65536)
        if not piece:
            raise EOFError("the connection ended in the head")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = dict(line.lower().split(":", 1) for line in lines[1:])
    length = int(fields["content-length"])
    while len(body) < length:
        piece = tls.recv(65536)
        if not piece:
            raise EOFError("the connection ended in the body")
        body += piece
    return int(lines[0].split()[1]), body


def ask(tls, close=False):
    tls.sendall(request(close=close))
    return receive(tls)[0]


VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def versions():
    found = {}
    for name, version in VERSIONS.items():
        with wrap(make_context(version)) as tls:
            found[name] = [tls.version(), ask(tls)]
    context = make_context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    try:
        wrap(context).close()
        found["1.1"] = "accepted"
    except ssl.SSLError as error:
        found["1.1"] = error.reason
    return found


def alpn():
    found = {}
    for offer in (["http/1.1"], ["h2", "http/1.1"], ["h2"], []):
        try:
            with wrap(make_context(protocols=offer)) as tls:
                found[",".join(offer)] = [tls.selected_alpn_protocol(), ask(tls)]
        except ssl.SSLError as error:
            found[",".join(offer)] = str(error)
    return found


def resumption():
    found = {}
    for name, version in VERSIONS.items():
        context = make_context(version)
        with wrap(context) as first:
            ask(first)
            session, reused = first.session, first.session_reused
        with wrap(context, session) as second:
            found[name] = [reused, second.session_reused, ask(second)]
    return found


class Wire:
    """TLS over memory: the caller decides how its bytes reach the socket."""

    def __init__(self, context):
        self.raw = connect()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def flush(self, dribbles):
        data = self.outgoing.read()
        for piece in (data[i : i + 1] for i in range(len(data))) if dribbles else (data,):
            self.raw.sendall(piece)

    def run(self, step, dribbles=False):
        while True:
            try:
                result = step()
                self.flush(dribbles)
                return result
            except ssl.SSLWantReadError:
                self.flush(dribbles)
                data = self.raw.recv(65536)
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()


def dribble():
    found = {}
    for name, version in VERSIONS.items():
        wire = Wire(make_context(version))
        wire.run(wire.tls.do_handshake, dribbles=True)
        wire.run(lambda: wire.tls.write(request()), dribbles=True)
        answer = wire.run(lambda: wire.tls.read(65536))
        found[name] = int(answer.split()[1])
        wire.raw.close()
    return found


def truncate():
    found = {}
    for says_goodbye in (True, False):
        wire = Wire(make_context())
        wire.run(wire.tls.do_handshake)
        head = b"POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n"
        wire.run(lambda: wire.tls.write(head + b'{"user_id":'))
        if says_goodbye:
            try:
                wire.tls.unwrap()
            except ssl.SSLError:
                pass
            wire.flush(False)
        wire.raw.shutdown(socket.SHUT_WR)
        data = b""
        while piece := wire.raw.recv(65536):
            data += piece
        wire.incoming.write(data)
        wire.incoming.write_eof()
        try:
            answer = wire.tls.read(65536)
        except ssl.SSLError as error:
            # Without a reason it is the end of what there is to read.
            answer = (error.reason or "").encode()
        found["goodbye" if says_goodbye else "cut"] = answer.decode()
    return found


def bulk():
    lines = "".join(f'{{"user_id":"{number}","k":20}}\n' for number in range(options.count)).encode()
    head = (
        f"POST /recommend/bulk HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
        f"Content-Length: {len(lines)}\r\nConnection: close\r\n\r\n"
    )
    with wrap(make_context()) as tls:
        tls.suppress_ragged_eofs = False
        tls.sendall(head.encode() + lines)
        data = bytearray()
        while piece := tls.recv(65536):
            data += piece
    head, _, body = bytes(data).partition(b"\r\n\r\n")
    text, place = b"", 0
    while True:
        end = body.index(b"\r\n", place)
        size = int(body[place:end], 16)
        if size == 0:
            break
        text += body[end + 2 : end + 2 + size]
        place = end + 2 + size + 2
    return {"sent": len(lines), "received": len(text), "answers": sum(1 for _ in map(json.loads, text.splitlines()))}


def load():
    names, errors = set(), []
    context = make_context()
    for _ in range(options.count):
        try:
            with wrap(context) as tls:
                names.add(tls.getpeercert()["subject"][0][0][1])
                statuses = [ask(tls), ask(tls, close=True)]
                if statuses != [200, 200] or tls.recv(1) != b"":
                    errors.append(f"{statuses}")
        except (OSError, EOFError) as error:
            errors.append(repr(error))
    return {"names": sorted(names), "errors": errors}


print(json.dumps(globals()[options.case]()))
