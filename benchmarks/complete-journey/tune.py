#!/usr/bin/env python3
"""Searches for training settings without looking at the orders that the benchmark is judged by.

Every customer's last order is taken out of the export; `nextloop train` then holds back what has become the last one,
the customer's second-last, and measures on that. Writes a JSON list of runs (--output), to which later calls add, and
prints all of it as a Markdown table, best nDCG@10 first.
"""

import argparse
import csv
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from protocol import read_lines  # noqa: E402

METRICS = ["ndcg_at_10", "recall_at_10", "map_at_10", "coverage"]
SETTINGS = ["factors", "alpha", "regularization", "iterations"]


def write_tuning_export(orders: Path, output: Path) -> int:
    """Writes the kept lines without each customer's last order by (reg_date, order_seq); returns the orders written.

    Only what training reads is written: the same interactions in a fifth of the bytes.
    """
    lines = read_lines(orders)
    heads = lines.drop_duplicates("order").sort_values(["user", "time", "order"])
    last = heads.groupby("user")["order"].last()
    lines = lines[~lines["order"].isin(last)]
    with output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["order_seq", "hotel_seq", "customer_seq", "reg_date", "order_price", "status", "contents"]
        )
        count = 0
        for (order, hotel, user, time), group in lines.groupby(["order", "hotel", "user", "time"], sort=True):
            elements = [
                {"itemSeq": item, "count": pieces}
                for item, pieces in zip(group["item"].tolist(), group["count"].tolist(), strict=True)
            ]
            writer.writerow([order, hotel, user, time, 1, "COMPLETE", json.dumps(elements)])
            count += 1
    return count


def train(binary: Path, orders: Path, settings: dict[str, float], seed: int, threads: int) -> dict[str, object]:
    """The evaluation that one training run writes into its manifest."""
    registry = Path(tempfile.mkdtemp(prefix="tune-", dir=orders.parent))
    try:
        command = [binary, "train", "--orders", orders, "--registry", registry, "--model", "tune"]
        command += ["--seed", seed, "--threads", threads, "--max-reject-share", "1"]
        command += itertools.chain.from_iterable((f"--{name}", settings[name]) for name in SETTINGS)
        run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"error: {settings}: {run.stderr.strip()}")
        return json.loads((registry / "tune" / "1" / "manifest.json").read_text())["evaluation"]
    finally:
        shutil.rmtree(registry)


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def table(runs: list[dict], popularity: dict[str, float]) -> str:
    """The runs as Markdown, one line for each setting, means over its seeds."""
    settings: dict[tuple, list[dict]] = {}
    for run in runs:
        settings.setdefault(tuple(run["settings"][name] for name in SETTINGS), []).append(run["als"])
    means = {key: [statistics.fmean(m[name] for m in found) for name in METRICS] for key, found in settings.items()}
    lines = [
        row(["factors", "alpha", "lambda", "iterations", "seeds", "nDCG@10", "recall@10", "MAP@10", "coverage"]),
        row(["---:"] * 9),
        row(["popularity", "", "", "", ""] + [f"{popularity[name]:.4f}" for name in METRICS]),
    ]
    for key, metrics in sorted(means.items(), key=lambda entry: -entry[1][0]):
        lines.append(row([f"{x:g}" for x in key] + [str(len(settings[key]))] + [f"{x:.4f}" for x in metrics]))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("orders", type=Path, help="the export")
    parser.add_argument("--binary", type=Path, required=True, help="the nextloop to train with")
    parser.add_argument("--output", type=Path, required=True, help="JSON list of runs; added to when it exists")
    parser.add_argument("--factors", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.03, 0.1, 0.3, 1])
    parser.add_argument("--regularization", type=float, nargs="+", default=[3, 10, 20, 30, 50])
    parser.add_argument("--iterations", type=int, nargs="+", default=[15])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    tuning_orders = options.output.with_name("orders-without-last.csv")
    if not tuning_orders.exists():
        partial = tuning_orders.with_name(tuning_orders.name + ".partial")
        print(f"{write_tuning_export(options.orders, partial)} orders written", file=sys.stderr)
        partial.replace(tuning_orders)
    runs = json.loads(options.output.read_text()) if options.output.exists() else []
    done = {(*run["settings"].values(), run["seed"]) for run in runs}
    for *values, seed in itertools.product(*(getattr(options, name) for name in SETTINGS), options.seeds):
        settings = dict(zip(SETTINGS, values, strict=True))
        if (*values, seed) in done:
            continue
        evaluation = train(options.binary, tuning_orders, settings, seed, options.threads)
        runs.append({"settings": settings, "seed": seed} | {n: evaluation[n] for n in ("als", "popularity", "users")})
        options.output.write_text(json.dumps(runs, indent=1) + "\n")
        print(settings, seed, {n: round(evaluation["als"][n], 4) for n in METRICS}, file=sys.stderr)
    print(table(runs, runs[-1]["popularity"]))


if __name__ == "__main__":
    main()
