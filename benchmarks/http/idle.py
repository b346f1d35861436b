#!/usr/bin/env python3
"""Latency of others while many connections are idle and some send their headers a byte at a time.

    python3 benchmarks/http/idle.py --binary .build/release/nextloop --registry models --model room-service --user 1042

Starts `serve` on one loop and asks it for GET /recommend at a constant rate over a few kept-alive connections, alone and then
with --idle connections that have been answered once and --slow attackers that never end their headers, from another
process. Latency is counted from the moment a request was due, so that a late start is not hidden. Prints p50 and p99 of both and
their ratio (the goal is a p99 within 2 x), and the server's resident bytes for each idle connection.
"""
import argparse
import multiprocessing
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time


def connect(port):
    """A connection, with patience: the kernel's queue of a busy machine may be full."""
    for _ in range(50):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError:
            time.sleep(0.1)
    sys.exit("idle.py: the server does not accept connections")


def ask(connection, target):
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % target)
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = connection.recv(65536)
        if not more:
            sys.exit("idle.py: the server closed a connection")
        answer += more
    head, body = answer.split(b"\r\n\r\n", 1)
    if not head.startswith(b"HTTP/1.1 200"):
        sys.exit(f"idle.py: got {head.splitlines()[0].decode()}")
    length = int(re.search(rb"content-length:\s*(\d+)", head, re.I)[1])
    while len(body) < length:
        body += connection.recv(65536)


def measure(port, target, rate, seconds):
    connections = [connect(port) for _ in range(8)]
    latencies = []
    start = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = start + number / rate
        while (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        ask(connections[number % len(connections)], target)
        latencies.append(time.perf_counter() - due)
    latencies.sort()
    return latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]


def burden(port, idle, slow, ready, done):
    """Holds the idle connections and dribbles headers, each attacker a byte every 100 ms, until told to stop."""
    held = []
    for _ in range(idle):
        held.append(connect(port))
        ask(held[-1], b"/livez")
    attackers = [connect(port) for _ in range(slow)]
    for attacker in attackers:
        attacker.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
    ready.set()
    while not done.wait(0.1):
        for index, attacker in enumerate(attackers):
            try:
                attacker.sendall(b"a")
            except OSError:  # Told 408 and closed: the next one.
                attackers[index] = connect(port)
                attackers[index].sendall(b"GET / HTTP/1.1\r\nX-Slow: ")


def resident(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=".build/release/nextloop")
    parser.add_argument("--registry", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--user", default="1", help="user id of the requests")
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--slow", type=int, default=500)
    parser.add_argument("--rate", type=float, default=500, help="requests a second")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = options.idle + options.slow + 100
    if hard < wanted:
        sys.exit(f"idle.py: {hard} files may be open; wanted {wanted}: raise the limit (ulimit -n) or lower --idle")

    with tempfile.NamedTemporaryFile("r") as log:
        server = subprocess.Popen(
            [options.binary, "serve", "--registry", options.registry, "--model", options.model, "--port", "0",
             "--threads", "1", "--drain-seconds", "0", "--shutdown-timeout", "1",
             "--max-connections", str(wanted + 1000)], stderr=open(log.name, "w"))
        helper = None
        done = multiprocessing.Event()
        try:
            port = None
            for _ in range(600):
                if found := re.search(r"ready on http://127\.0\.0\.1:(\d+)", open(log.name).read()):
                    port = int(found[1])
                    break
                time.sleep(0.1)
            if port is None:
                sys.exit("idle.py: the server did not start:\n" + open(log.name).read())
            target = b"/recommend?k=10&user_id=" + options.user.encode()
            measure(port, target, options.rate, 1)
            alone = measure(port, target, options.rate, options.seconds)
            before = resident(server.pid)
            ready = multiprocessing.Event()
            helper = multiprocessing.Process(target=burden, args=(port, options.idle, options.slow, ready, done))
            helper.start()
            if not ready.wait(120):
                sys.exit("idle.py: the idle connections were not made within 120 s")
            each = (resident(server.pid) - before) / (options.idle + options.slow)
            burdened = measure(port, target, options.rate, options.seconds)
        finally:
            done.set()
            if helper:
                helper.join(10)
                if helper.is_alive():
                    helper.kill()
            server.send_signal(signal.SIGTERM)
            server.wait(30)
    print(f"{'':34}{'p50':>10}{'p99':>10}")
    for name, (p50, p99) in [("alone", alone), (f"{options.idle} idle, {options.slow} slow", burdened)]:
        print(f"{name:34}{p50 * 1e6:>8.0f}us{p99 * 1e6:>8.0f}us")
    print(f"{'ratio':34}{burdened[0] / alone[0]:>10.2f}{burdened[1] / alone[1]:>10.2f}")
    print(f"resident bytes an idle connection: {each:.0f}")


if __name__ == "__main__":
    main()
