"""Our parser beside llhttp (httptools) and h11, over the same bytes: what is accepted, and where requests end.

    parsers.py HTTP_FRAMES [--seed 1] [--count 60000] [--h11-count 6000] [--show 20]

HTTP_FRAMES is the built executable of Tests/Differential/Frames. A difference is a bug of ours unless differences.py has
agreed to it. Prints a JSON object with the counts; exit 1 when there is a difference that is not agreed.
"""

import argparse
import collections
import dataclasses
import json
import struct
import subprocess
import sys
import tempfile

import h11
import httptools

import cases
import differences


@dataclasses.dataclass
class Request:
    method: bytes
    target: bytes
    body: bytes
    stays: bool


@dataclasses.dataclass
class Outcome:
    requests: list[Request]
    # waiting, closed or refused
    end: str


def ours(executable: str, inputs: list[bytes]) -> list[Outcome]:
    with tempfile.TemporaryFile() as file:
        for case in inputs:
            file.write(struct.pack("<I", len(case)) + case)
        file.seek(0)
        run = subprocess.run([executable], stdin=file, stdout=subprocess.PIPE, timeout=1200, check=True)
    outcomes = []
    for line in run.stdout.decode().splitlines():
        words, _, end = line.partition("|")
        fields = words.split()

        def raw(word: str) -> bytes:
            return b"" if word == "-" else bytes.fromhex(word)

        requests = [
            Request(raw(fields[i]), raw(fields[i + 1]), raw(fields[i + 2]), fields[i + 3] == "1")
            for i in range(0, len(fields), 4)
        ]
        end = end.strip()
        outcomes.append(Outcome(requests, end if end in ("waiting", "closed") else "refused"))
    if len(outcomes) != len(inputs):
        raise SystemExit(f"{executable} answered {len(outcomes)} of {len(inputs)} cases")
    return outcomes


class LlhttpConnection:
    """Collects what httptools reports."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.parser = httptools.HttpRequestParser(self)
        self.target = b""
        self.body = b""

    def on_message_begin(self) -> None:
        self.target = b""
        self.body = b""

    def on_url(self, piece: bytes) -> None:
        self.target += piece

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        stays = self.parser.should_keep_alive()
        self.requests.append(Request(self.parser.get_method(), self.target, self.body, stays))


def llhttp(case: bytes) -> Outcome:
    connection = LlhttpConnection()
    try:
        connection.parser.feed_data(case)
    except httptools.HttpParserUpgrade:
        # It stops where another protocol would begin: RFC 9110 section 7.8 lets a server ignore the offer, as we do.
        return Outcome(connection.requests, "upgrade")
    except httptools.HttpParserError:
        closed = bool(connection.requests) and not connection.requests[-1].stays
        return Outcome(connection.requests, "closed" if closed else "refused")
    closed = bool(connection.requests) and not connection.requests[-1].stays
    return Outcome(connection.requests, "closed" if closed else "waiting")


def by_h11(case: bytes) -> Outcome:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(case)
    requests: list[Request] = []
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                return Outcome(requests, "waiting")
            if event is h11.PAUSED:
                if connection.our_state is h11.MUST_CLOSE or connection.their_state is not h11.DONE:
                    return Outcome(requests, "closed")
                connection.start_next_cycle()
            elif isinstance(event, h11.Request):
                method, target, body = event.method, event.target, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                stays = connection.our_state is not h11.MUST_CLOSE
                requests.append(Request(method, target, body, stays))
                if not stays:
                    return Outcome(requests, "closed")
            else:
                return Outcome(requests, "closed")
    except h11.LocalProtocolError:
        return Outcome(requests, "upgrade")  # CONNECT, answered with 200, would become a tunnel.
    except h11.RemoteProtocolError:
        return Outcome(requests, "refused")


def difference(our: Outcome, their: Outcome) -> str | None:
    """What is wrong with ours if theirs is right; None when ours is the same or the stricter one."""
    for number, (mine, other) in enumerate(zip(our.requests, their.requests)):
        for part in ("method", "target", "body"):
            if getattr(mine, part) != getattr(other, part):
                return f"another {part} of request {number}"
        if mine.stays and not other.stays:
            return f"request {number} ends the connection for them, not for us"
    if len(our.requests) > len(their.requests):
        return "accepts what they refuse" if their.end != "waiting" else "sees a request where they wait"
    if len(our.requests) < len(their.requests) and our.end == "waiting":
        return "waits where they see a request"
    return None


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("executable")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--count", type=int, default=60_000)
    arguments.add_argument("--h11-count", type=int, default=6_000)
    arguments.add_argument("--show", type=int, default=20)
    options = arguments.parse_args()

    named = cases.known_attacks() + list(cases.generated(options.seed, options.count))
    agreed: collections.Counter[str] = collections.Counter()
    kinds: collections.Counter[str] = collections.Counter()
    failures = []
    accepted = refused = 0
    for start in range(0, len(named), 50_000):
        block = named[start:start + 50_000]
        for number, ((name, case), our) in enumerate(zip(block, ours(options.executable, [case for _, case in block]))):
            accepted += len(our.requests)
            refused += our.end == "refused"
            peers = [("llhttp", llhttp)] + ([("h11", by_h11)] if start + number < options.h11_count else [])
            for peer, parse in peers:
                their = parse(case)
                what = difference(our, their)
                if what is None:
                    continue
                reason = differences.agreed(peer, what, case, our, their)
                if reason:
                    agreed[f"{peer}: {reason}"] += 1
                else:
                    kinds[f"{peer}: {what}"] += 1
                    failures.append((peer, what, name, case, our, their))
    for peer, what, name, case, our, their in failures[:options.show]:
        print(f"{peer}: {what} ({name})\n  {case!r}\n  ours   {our}\n  theirs {their}", file=sys.stderr)
    unused = sorted(set(differences.names()) - {key.split(": ", 1)[1] for key in agreed} - differences.socket_only())
    print(json.dumps({
        "cases": len(named), "requests": accepted, "refused": refused, "failures": len(failures), "kinds": kinds,
        "agreed": agreed, "agreed_unused": unused,
    }))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
