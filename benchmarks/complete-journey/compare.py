#!/usr/bin/env python3
"""Holds nextloop's manifests against implicit_eval.py's report; prints JSON, exits 1 when a check fails.

Checks: the same settings; the same data (lines, users, items, hotels, interactions); the popularity baseline equal
on both sides, which proves the same split, candidates, ties and metrics; and the mean over the seeds of
nextloop's nDCG@10 and recall@10 at least `--tolerance` times implicit's and above popularity.
"""

import argparse
import json
import math
import statistics
import sys
from pathlib import Path

METRICS = ["recall_at_10", "ndcg_at_10", "map_at_10", "coverage"]
GATED = ["recall_at_10", "ndcg_at_10"]
# Both sides sum some 2,400 doubles in different orders, no more than that.
POPULARITY_TOLERANCE = 1e-9


def value(manifest: dict, key: str):
    """The number at a dotted key of a manifest."""
    found = manifest
    for part in key.split("."):
        if not isinstance(found, dict) or part not in found:
            sys.exit(f"error: the manifest of version {manifest.get('version')} has no {key}")
        found = found[part]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--implicit", type=Path, required=True, help="report of peers/implicit_eval.py")
    parser.add_argument("--tolerance", type=float, default=0.99, help="least share of implicit's metric (default 0.99)")
    parser.add_argument("manifests", type=Path, nargs="+", help="manifest.json of each version trained for it")
    options = parser.parse_args()
    peer = json.loads(options.implicit.read_text())
    manifests = [json.loads(path.read_text()) for path in options.manifests]

    checks: list[dict[str, object]] = []

    def check(name: str, passed: bool, got, wanted) -> None:
        checks.append({"name": name, "passed": bool(passed), "got": got, "wanted": wanted})

    for name in ["factors", "iterations", "regularization", "alpha"]:
        got = sorted({value(manifest, f"training.{name}") for manifest in manifests})
        wanted = peer["settings"][name]
        # A manifest may hold a float32 of the setting.
        check(f"same {name}", all(math.isclose(g, wanted, rel_tol=1e-6) for g in got), got, wanted)
    got = sorted(value(manifest, "training.seed") for manifest in manifests)
    check("same seeds", got == sorted(peer["settings"]["seeds"]), got, sorted(peer["settings"]["seeds"]))
    for name in ["order_lines", "users", "items", "hotels", "interactions"]:
        got, wanted = value(manifests[0], f"data.{name}"), peer["split"][name]
        check(f"same {name}", got == wanted, got, wanted)
    for name in METRICS:
        wanted = peer["popularity"][name]
        for manifest in manifests:
            got = value(manifest, f"evaluation.popularity.{name}")
            if not math.isclose(got, wanted, rel_tol=POPULARITY_TOLERANCE):
                break
        check(f"same popularity {name}", math.isclose(got, wanted, rel_tol=POPULARITY_TOLERANCE), got, wanted)

    als = {name: statistics.fmean(value(m, f"evaluation.als.{name}") for m in manifests) for name in METRICS}
    for name in GATED:
        least = options.tolerance * peer["als"][name]
        check(f"{name} >= {options.tolerance} x implicit", als[name] >= least, als[name], least)
        check(f"{name} > popularity", als[name] > peer["popularity"][name], als[name], peer["popularity"][name])

    # How far the means would move with other seeds: standard deviation / sqrt(number of seeds), for the table.
    def standard_errors(runs: list[dict[str, float]]) -> dict[str, float | None]:
        spread = {name: [run[name] for run in runs] for name in METRICS}
        return {n: statistics.stdev(v) / math.sqrt(len(v)) if len(v) > 1 else None for n, v in spread.items()}

    errors = {
        "nextloop": standard_errors([m["evaluation"]["als"] for m in manifests]),
        "implicit": standard_errors([run["metrics"] for run in peer["runs"]]),
    }
    seconds = statistics.median(value(m, "training.seconds_per_iteration") for m in manifests)
    print(json.dumps({
        "passed": all(c["passed"] for c in checks),
        "nextloop": {"als": als, "popularity": manifests[0]["evaluation"]["popularity"],
                     "seconds_per_iteration": seconds, "training": manifests[0]["training"],
                     "data": manifests[0]["data"],
                     "runs": [{"seed": m["training"]["seed"], "metrics": m["evaluation"]["als"],
                               "seconds_per_iteration": m["training"]["seconds_per_iteration"]} for m in manifests]},
        "implicit": peer,
        "standard_errors": errors,
        "ratio_of_seconds_per_iteration": seconds / peer["seconds_per_iteration"],
        "checks": checks,
    }, indent=2))  # fmt: skip
    failures = [c for c in checks if not c["passed"]]
    for failure in failures:
        print(f"failed: {failure['name']}: got {failure['got']}, wanted {failure['wanted']}", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
