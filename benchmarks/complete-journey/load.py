#!/usr/bin/env python3
"""Requests per second of nextloop, FastAPI + implicit and nginx `return 200`, interleaved in one run; prints JSON.

One load generator thread (wrk, 32 connections, loopback) drives one server thread or worker at a time; where the
machine has two CPUs the servers get the first and wrk the second. The paths cycle through every user of the model
in a seeded random order, in two cases: the whole catalogue, and the hotel where the user orders most often.
Before any load, nextloop's answers are compared with those of implicit for the same factors.

Every server is started here and stopped by its process id, also on error and on SIGTERM.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
CPUS = sorted(os.sched_getaffinity(0)) if shutil.which("taskset") else [0]
CONNECTIONS = 32
COMPARED_USERS = 200
SCORE_TOLERANCE = 1e-5
READY_SECONDS_MAX = 120
# nginx reads one configuration parameter into 4,096 bytes.
BODY_BYTES_MAX = 4000


class Server:
    """A child process that listens on `port`; its output goes to a log file."""

    def __init__(self, name: str, command: list[str], port: int, ready_path: str, log: Path, environment=None):
        self.name, self.port, self.log = name, port, log
        pin = ["taskset", "-c", str(CPUS[0])] if len(CPUS) > 1 else []
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*pin, *command], stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})},
            )  # fmt: skip
        self.ready_path = ready_path

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                self.get(self.ready_path)
                return
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        last_lines = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        raise SystemExit(
            f"error: {self.name} did not get ready on port {self.port}; the end of {self.log}:\n{last_lines}"
        )

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as response:
            return response.read()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_nginx(directory: Path, body_bytes: int, log: Path) -> Server:
    if not 2 <= body_bytes <= BODY_BYTES_MAX:
        raise SystemExit(
            f"error: an answer of {body_bytes} bytes does not fit nginx's `return`, wanted 2...{BODY_BYTES_MAX}"
        )
    port = free_port()
    template = (HERE.parent / "peers" / "nginx.conf.template").read_text()
    body = '"' + "x" * (body_bytes - 2) + '"'
    values = {"@DIRECTORY@": str(directory), "@PORT@": str(port), "@BODY@": body}
    for name, value in values.items():
        template = template.replace(name, value)
    configuration = directory / "nginx.conf"
    configuration.write_text(template)
    command = ["nginx", "-p", str(directory), "-e", "stderr", "-c", str(configuration)]
    return Server("nginx return 200", command, port, "/", log)


def run_wrk(server: Server, paths: Path, seconds: int) -> dict[str, float]:
    pin = ["taskset", "-c", str(CPUS[1])] if len(CPUS) > 1 else []
    command = [
        *pin, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s",
        "-s", str(HERE / "peers" / "wrk.lua"), f"http://127.0.0.1:{server.port}", "--", str(paths),
    ]  # fmt: skip
    output = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    if output.returncode != 0:
        raise SystemExit(f"error: wrk against {server.name} exited {output.returncode}: {output.stdout}{output.stderr}")
    figures = json.loads(output.stdout.splitlines()[-1])
    if figures["failed"] or figures["not_2xx"]:
        raise SystemExit(
            f"error: {server.name} under load: {figures['failed']} failed requests, {figures['not_2xx']} not 2xx"
        )
    return {"requests_per_second": figures["requests"] / figures["duration_us"] * 1e6, **figures}


def compare_answers(nextloop: Server, peer: Server, paths: list[str]) -> int:
    """Checks that both give the same scores, place by place, and returns the median size of nextloop's answers.

    Items may differ only where their scores agree within the tolerance: implicit sums in another order.
    """
    sizes = []
    for path in paths:
        answer = nextloop.get(path)
        sizes.append(len(answer))
        ours, theirs = json.loads(answer)["items"], json.loads(peer.get(path))["items"]
        scores = [(a["score"], b["score"]) for a, b in zip(ours, theirs, strict=False)]
        agree = all(abs(a - b) <= SCORE_TOLERANCE * max(abs(a), abs(b), 1e-3) for a, b in scores)
        if len(ours) != len(theirs) or not agree:
            raise SystemExit(f"error: {path}: nextloop answers {ours}, implicit answers {theirs}")
    return int(statistics.median(sizes))


def request_paths(users: Path, order: random.Random) -> list[str]:
    paths = []
    for line in users.read_text().splitlines():
        user, *hotel = line.split()
        paths.append(f"/recommend?user_id={user}&k=10" + "".join(f"&hotel_id={h}" for h in hotel))
    order.shuffle(paths)
    return paths


def ratio(of_server: dict[str, list[dict[str, float]]], peer: str) -> float:
    """The median of the ratios inside each round, whose runs follow one another: what else the machine does drifts."""
    rounds = zip(of_server["nextloop"], of_server[peer], strict=True)
    return statistics.median(ours["requests_per_second"] / theirs["requests_per_second"] for ours, theirs in rounds)


def measure(options: argparse.Namespace, work: Path, stack: ExitStack) -> dict[str, object]:
    order = random.Random(1)
    cases = {
        "whole_catalogue": request_paths(options.peer_model / "users.txt", order),
        "one_hotel": request_paths(options.peer_model / "users_and_hotels.txt", order),
    }
    for case, paths in cases.items():
        (work / f"{case}.txt").write_text("\n".join(paths) + "\n")

    def started(server: Server) -> Server:
        stack.callback(server.stop)
        server.wait_until_ready()
        return server

    port = free_port()
    nextloop = started(Server("nextloop", [
        str(options.nextloop), "serve", "--registry", str(options.registry), "--model", options.model,
        "--alias", "production", "--host", "127.0.0.1", "--port", str(port), "--threads", "1",
    ], port, "/readyz", options.logs / "nextloop.log"))  # fmt: skip
    port = free_port()
    fastapi = started(Server("FastAPI + implicit", [
        sys.executable, "-m", "uvicorn", "fastapi_app:app", "--app-dir", str(HERE.parent / "peers"), "--host", "127.0.0.1",
        "--port", str(port), "--workers", "1", "--loop", "uvloop", "--http", "httptools", "--no-access-log",
        "--log-level", "warning",
    ], port, "/readyz", options.logs / "fastapi.log",
        {"MODEL_DIR": str(options.peer_model), "OPENBLAS_NUM_THREADS": "1"}))  # fmt: skip
    compared = [path for paths in cases.values() for path in paths[:COMPARED_USERS]]
    body_bytes = compare_answers(nextloop, fastapi, compared)
    nginx = started(start_nginx(work, body_bytes, options.logs / "nginx.log"))

    servers = {"nextloop": nextloop, "fastapi_implicit": fastapi, "nginx_return_200": nginx}
    runs = {case: {name: [] for name in servers} for case in cases}
    for case in cases:
        for server in servers.values():
            run_wrk(server, work / f"{case}.txt", min(2, options.seconds))  # warm-up, not counted
    for _ in range(options.runs):
        for case in cases:
            for name, server in servers.items():
                figures = run_wrk(server, work / f"{case}.txt", options.seconds)
                print(f"{case} {server.name}: {figures['requests_per_second']:.0f} req/s", file=sys.stderr)
                runs[case][name].append(figures)

    report = {
        "connections": CONNECTIONS,
        "seconds": options.seconds,
        "runs_each": options.runs,
        "pinned": len(CPUS) > 1,
        "answer_bytes": body_bytes,
        "answers_compared": len(compared),
        "cases": {},
    }
    for case, of_server in runs.items():
        medians = {
            name: {
                figure: statistics.median(run[figure] for run in all_runs)
                for figure in ("requests_per_second", "p50_us", "p99_us")
            }
            for name, all_runs in of_server.items()
        }
        report["cases"][case] = {
            **medians,
            "ratio_to_fastapi_implicit": ratio(of_server, "fastapi_implicit"),
            "ratio_to_nginx_return_200": ratio(of_server, "nginx_return_200"),
            "runs": of_server,
        }
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nextloop", type=Path, required=True, help="the built executable")
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--peer-model", type=Path, required=True, help="directory written by peers/export_model.py")
    parser.add_argument("--logs", type=Path, required=True, help="directory for the servers' logs")
    parser.add_argument("--seconds", type=int, default=10, help="of load for each figure (default 10)")
    parser.add_argument("--runs", type=int, default=3, help="interleaved runs, of which the median counts (default 3)")
    options = parser.parse_args()
    if not (1 <= options.seconds <= 60 and 1 <= options.runs <= 20):
        parser.error("wanted 1...60 seconds and 1...20 runs")
    options.logs.mkdir(parents=True, exist_ok=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    with tempfile.TemporaryDirectory(prefix="complete-journey-") as work, ExitStack() as stack:
        print(json.dumps(measure(options, Path(work), stack), indent=2))


if __name__ == "__main__":
    main()
