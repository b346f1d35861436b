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
import random
import signal
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402
import peer_model  # noqa: E402

CPUS = harness.CPUS
CONNECTIONS = 32
COMPARED_USERS = 200


def run_wrk(server: harness.Server, paths: Path, seconds: int) -> dict[str, float]:
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

    def started(server: harness.Server) -> harness.Server:
        stack.callback(server.stop)
        server.wait_until_ready()
        server.wait_until_idle()
        return server

    port = harness.free_port()
    nextloop = started(harness.Server("nextloop", [
        options.nextloop, "serve", "--registry", options.registry, "--model", options.model,
        "--alias", "production", "--host", "127.0.0.1", "--port", port, "--threads", "1",
    ], port, options.logs / "nextloop.log", cpus=CPUS[:1]))  # fmt: skip
    fastapi = started(harness.fastapi_server(options.peer_model, options.logs / "fastapi.log", CPUS[:1]))
    compared = [path for paths in cases.values() for path in paths[:COMPARED_USERS]]
    body_bytes = len(peer_model.compare_answers(nextloop, fastapi, compared)[0])
    # A body of the same length; the answer itself may hold what nginx's configuration cannot.
    nginx = started(harness.nginx_server(work, b'"' + b"x" * (body_bytes - 2) + b'"', CPUS[:1]))

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
