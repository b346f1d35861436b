"""Exact float32 top-10, one query at a time, one thread: NextLoop beside NumPy and the Python library implicit.

    swift build -c release --product nextloop-bench
    python3 benchmarks/topk/compare.py [--bench .build/release/nextloop-bench] [--runs 5]

Needs numpy and implicit (PyPI). The three take turns; the table shows the median of each one's median query.
"""

import argparse
import json
import os
import statistics
import subprocess
import time

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
from implicit.cpu.topk import topk as implicit_topk  # noqa: E402


def median_query(query_one, users, queries):
    times = []
    for query in range(queries + 10):
        user = users[query % len(users)]
        start = time.perf_counter()
        query_one(user)
        times.append(time.perf_counter() - start)
    return statistics.median(times[10:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=".build/release/nextloop-bench")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("-k", type=int, default=10)
    arguments = parser.parse_args()
    random = np.random.default_rng(42)
    for items, queries in ((5_120, 2000), (100_000, 300), (1_000_000, 40)):
        matrix = random.standard_normal((items, arguments.factors), dtype=np.float32)
        users = random.standard_normal((64, arguments.factors), dtype=np.float32)

        def with_numpy(user):
            scores = matrix @ user
            best = np.argpartition(scores, -arguments.k)[-arguments.k :]
            return best[np.argsort(-scores[best])]

        def with_implicit(user):
            return implicit_topk(matrix, user[None, :], arguments.k, num_threads=1)

        command = [
            arguments.bench, "topk", "--items", str(items), "--factors", str(arguments.factors), "-k",
            str(arguments.k), "--queries", str(queries), "--json"]
        ours, numpys, implicits, reads = [], [], [], []
        for _ in range(arguments.runs):
            result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            ours.append(result["p50_seconds"])
            reads.append(result["read_bytes_per_second"])
            numpys.append(median_query(with_numpy, users, queries))
            implicits.append(median_query(with_implicit, users, queries))
        a, b, c = (statistics.median(x) for x in (ours, numpys, implicits))
        print(
            f"top-{arguments.k} of {items:>9,} x {arguments.factors}: NextLoop {a * 1e6:9.1f} us "
            f"({items * arguments.factors * 4 / a / 1e9:5.1f} GB/s; plain read {statistics.median(reads) / 1e9:5.1f})  "
            f"NumPy {b * 1e6:9.1f} us ({b / a:4.1f} x)  implicit {c * 1e6:9.1f} us ({c / a:4.1f} x)", flush=True)


if __name__ == "__main__":
    main()
