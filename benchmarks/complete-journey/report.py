#!/usr/bin/env python3
"""Joins the parts of one run into result.json and a Markdown table, result.md, which also goes to stdout."""

import argparse
import datetime
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import harness  # noqa: E402


def plus_minus(mean: float, standard_error: float | None) -> str:
    """A mean with its standard error, which one seed does not have."""
    return f"{mean:.4f}" + (f" ± {standard_error:.4f}" if standard_error is not None else "")


def markdown(result: dict) -> str:
    comparison, load = result["comparison"], result.get("load")
    ours, peer = comparison["nextloop"], comparison["implicit"]
    settings = peer["settings"]
    popularity, split = peer["popularity"], peer["split"]
    seeds, errors = len(settings["seeds"]), comparison["standard_errors"]
    lines = [
        f"Machine: {result['machine']}. Date: {result['date']}. Commit: {result['commit']}. "
        f"Command: `{result['command']}`.",
        f"{result['swift']}; implicit {peer['library']['implicit']}, NumPy {peer['library']['numpy']}, "
        f"Python {peer['library']['python']}" + (f"; {result['nginx']}." if load else "."),
        "",
        f"Settings of both: {settings['factors']} factors, {settings['iterations']} iterations, "
        f"alpha {settings['alpha']:g}, lambda {settings['regularization']:g}, {settings['threads']} threads; "
        f"mean of {seeds} seeds (± its standard error), median of the times. "
        f"{split['users_evaluated']:,} held-back orders, {split['items']:,} items, {split['hotels']} hotels.",
        "",
        "| | nextloop | implicit | popularity | nextloop / implicit |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    names = {"ndcg_at_10": "nDCG@10", "recall_at_10": "recall@10", "map_at_10": "MAP@10", "coverage": "coverage"}
    for key, name in names.items():
        a, b = ours["als"][key], peer["als"][key]
        own, other = plus_minus(a, errors["nextloop"][key]), plus_minus(b, errors["implicit"][key])
        lines.append(f"| {name} | {own} | {other} | {popularity[key]:.4f} | {a / b:.3f} |")
    a, b = ours["seconds_per_iteration"], peer["seconds_per_iteration"]
    lines.append(f"| ms per ALS iteration | {a * 1e3:.1f} | {b * 1e3:.1f} | | {a / b:.3f} |")
    if load:
        lines += [
            "",
            f"`GET /recommend`, k = 10, one server thread, wrk with {load['connections']} connections, "
            f"median of {load['runs_each']} interleaved runs of {load['seconds']} s, "
            f"answers of {load['answer_bytes']} bytes:",
            "",
            "| case | server | requests/s | p50 | p99 | nextloop answers |",
            "| --- | --- | ---: | ---: | ---: | ---: |",
        ]
        servers = {
            "nextloop": "nextloop",
            "fastapi_implicit": "FastAPI + implicit",
            "nginx_return_200": "nginx `return 200`",
        }
        cases = {"whole_catalogue": f"all {split['items']:,} items", "one_hotel": "one hotel's items"}
        for case, title in cases.items():
            figures = load["cases"][case]
            for key, name in servers.items():
                server = figures[key]
                ratio = figures.get(f"ratio_to_{key}")
                times = "" if ratio is None else f"{ratio:.1f} x as many" if ratio >= 10 else f"{ratio:.2f} x as many"
                lines.append(
                    f"| {title} | {name} | {server['requests_per_second']:,.0f} | {server['p50_us'] / 1e3:.2f} ms "
                    f"| {server['p99_us'] / 1e3:.2f} ms | {times} |"
                )
    passed = sum(c["passed"] for c in comparison["checks"])
    lines += ["", f"Checks: {passed} of {len(comparison['checks'])} passed."]
    lines += [
        f"Failed: {c['name']}: got {c['got']}, wanted {c['wanted']}." for c in comparison["checks"] if not c["passed"]
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--export", type=Path, required=True, help="summary of export_orders.py")
    parser.add_argument("--comparison", type=Path, required=True, help="output of compare.py")
    parser.add_argument("--load", type=Path, help="output of load.py")
    parser.add_argument("--command", required=True, help="the command line that made all this")
    parser.add_argument("--output", type=Path, required=True, help="directory for result.md and result.json")
    options = parser.parse_args()
    result = {
        "machine": harness.machine(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "commit": harness.first_line("git", "describe", "--always", "--dirty"),
        "command": options.command,
        "swift": harness.first_line("swift", "--version"),
        "nginx": harness.first_line("nginx", "-v"),
        "export": json.loads(options.export.read_text()),
        "comparison": json.loads(options.comparison.read_text()),
    }
    if options.load:
        result["load"] = json.loads(options.load.read_text())
    table = markdown(result)
    (options.output / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    (options.output / "result.md").write_text(table)
    print(table, end="")


if __name__ == "__main__":
    main()
