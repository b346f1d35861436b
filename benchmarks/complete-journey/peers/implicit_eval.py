#!/usr/bin/env python3
"""Trains and evaluates the Python library implicit on an export, by the protocol in protocol.py; prints JSON.

implicit takes the confidence c of each pair, not a strength r: its solver adds c to the right-hand side and
(c - 1) to the matrix (cpu/als.py of 0.7.3, `user_linear_equation`: `b += confidence * factor`,
`A += (confidence - 1) * outer`), and its own `alpha` only multiplies that c. So c = 1 + alpha * r is passed with
alpha = 1 in the constructor. lambda is added to the diagonal as it is, not scaled by the number of interactions.
The default solver is used: three steps of conjugate gradient, float32.
"""

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path

# One BLAS thread, as implicit's documentation asks: its own threads share the work. Read when NumPy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import implicit  # noqa: E402
import numpy as np  # noqa: E402
from implicit.cpu.als import AlternatingLeastSquares  # noqa: E402
from protocol import Split, evaluate, read_lines, split_orders  # noqa: E402


def run_seed(split: Split, options: argparse.Namespace, seed: int) -> dict[str, object]:
    """Metrics and seconds of one training run."""
    confidence = split.train.copy()
    confidence.data = (1 + options.alpha * confidence.data).astype(np.float32)
    model = AlternatingLeastSquares(
        factors=options.factors,
        regularization=options.regularization,
        alpha=1.0,
        iterations=options.iterations,
        num_threads=options.threads,
        random_state=seed,
        dtype=np.float32,
    )
    seconds: list[float] = []
    started = time.perf_counter()
    model.fit(confidence, show_progress=False, callback=lambda _iteration, elapsed, _loss: seconds.append(elapsed))
    fit_seconds = time.perf_counter() - started
    users, items = model.user_factors, model.item_factors
    return {
        "seed": seed,
        "metrics": evaluate(split, lambda hotel, rows: users[rows] @ items[split.candidates[hotel]].T),
        "seconds": fit_seconds,
        "seconds_per_iteration": statistics.median(seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("orders", type=Path, help="the hotel_order export")
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=15)
    parser.add_argument("--regularization", type=float, default=0.01)
    parser.add_argument("--alpha", type=float, default=40.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    options = parser.parse_args()

    split = split_orders(read_lines(options.orders))
    runs = [run_seed(split, options, seed) for seed in options.seeds]
    names = runs[0]["metrics"].keys()
    report = {
        "library": {"implicit": implicit.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "settings": {
            "factors": options.factors,
            "iterations": options.iterations,
            "regularization": options.regularization,
            "alpha": options.alpha,
            "threads": options.threads,
            "seeds": options.seeds,
        },
        "split": split.summary,
        "popularity": evaluate(split, lambda hotel, _users: split.popularity[hotel]),
        # The mean, not the median: the seeds scatter about evenly, and it settles with fewer of them.
        "als": {name: statistics.fmean(run["metrics"][name] for run in runs) for name in names},
        "seconds_per_iteration": statistics.median(run["seconds_per_iteration"] for run in runs),
        "runs": runs,
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
