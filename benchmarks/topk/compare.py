#!/usr/bin/env python3
"""Exact top-k on one thread: NextLoop beside faiss IndexFlatIP and implicit, on the same factors.

    benchmarks/topk/compare.py              # the table for docs/benchmarks.md
    benchmarks/topk/compare.py --hnsw       # and what an approximation would buy
    benchmarks/topk/compare.py --quick      # shows that all works

Every turn of every size lets the three answer the same 64 users; the table shows the median over the turns of each
one's median query. The ids that faiss and implicit find must be NextLoop's: a difference ends the program, unless the
float64 scores of the two items are within 1e-5 of each other, which only shows two orders of summation; those are
counted. ALS-like factors: see `als_like` in harness.py. --user-factors and --item-factors (.npy) measure factors of your own as well.

--hnsw adds hnswlib at the largest size: recall of the exact ids, build time and query time.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import harness  # noqa: E402

harness.enter_environment(*([harness.HNSWLIB] if "--hnsw" in sys.argv else []))
import faiss  # noqa: E402
import implicit  # noqa: E402
import numpy as np  # noqa: E402
from implicit.cpu.topk import topk as implicit_topk  # noqa: E402

FACTORS = 64
USERS = 64
# M and ef_construction. More of either finds more and builds slower: M 32 with 200 takes three times as long.
HNSW_BUILDS = [(16, 100)]
SIZES = [1_024, 5_120, 65_536, 1_048_576]


def median_query(query_one, users, seconds: float) -> float:
    """Seconds of the median query, over at least every user once."""
    durations = []
    for user in users[:8]:
        query_one(user)
    stop = time.perf_counter() + seconds
    while len(durations) < len(users) or (time.perf_counter() < stop and len(durations) < 4000):
        user = users[len(durations) % len(users)]
        start = time.perf_counter()
        query_one(user)
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def factors_of(kind: str, size: int, options):
    """[64 x factors] users and [size x factors] items."""
    if kind == "random":
        return harness.random_factors(size, FACTORS, USERS)
    if kind == "ALS-like":
        users, items = harness.als_like(size, FACTORS)
        return users[:USERS], items
    users, items = (np.load(path).astype(np.float32) for path in (options.user_factors, options.item_factors))
    if users.shape[1] != FACTORS or items.shape[1] != FACTORS:
        harness.fail(f"factors of {users.shape} and {items.shape}; wanted {FACTORS} columns")
    return np.ascontiguousarray(users[:USERS]), np.ascontiguousarray(items)


def compare(bench: harness.Bench, users, items, k: int) -> dict:
    """All turns at one size: medians, and NextLoop's ids after they were found equal to the others'."""
    options = bench.options
    index = faiss.IndexFlatIP(FACTORS)
    index.add(items)
    paths = {name: bench.folder / name for name in ("items", "users", "ids")}
    items.tofile(paths["items"])
    users.tofile(paths["users"])
    command = [
        bench.binaries.bench, "topk", "--item-file", paths["items"], "--user-file", paths["users"], "--factors", FACTORS,
        "-k", k, "--queries", 4000 if len(items) <= 100_000 else 300, "--output", paths["ids"], "--json",
    ]  # fmt: skip
    turns = []
    for _ in range(options.runs):
        run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if run.returncode:
            harness.fail(f"nextloop-bench topk: {run.stderr.strip()}")
        turn = json.loads(run.stdout)
        turn["faiss"] = median_query(lambda user: index.search(user[None], k), users, options.seconds)
        turn["implicit"] = median_query(
            lambda user: implicit_topk(items, user[None], k, num_threads=1), users, options.seconds)
        turns.append(turn)
    ids = np.fromfile(paths["ids"], np.uint32).reshape(len(users), -1)
    result = {key: value for key, value in turns[-1].items() if isinstance(value, str)}
    for key, value in turns[-1].items():
        if not isinstance(value, str):
            result[key] = statistics.median(turn[key] for turn in turns)
    result["faiss_ratio"] = statistics.median(turn["faiss"] / turn["p50_seconds"] for turn in turns)
    result["implicit_ratio"] = statistics.median(turn["implicit"] / turn["p50_seconds"] for turn in turns)
    result["swapped_faiss"] = harness.check_ids(ids, index.search(users, k)[1], users, items, "faiss")
    theirs = implicit_topk(items, users, k, num_threads=1)[0]
    result["swapped_implicit"] = harness.check_ids(ids, theirs, users, items, "implicit")
    # What an answer would take if every code were read as fast as this core reads the float32 rows.
    result["share_of_read"] = result["code_bytes"] / result["read_bytes_per_second"] / result["p50_seconds"]
    return result | {"ids": ids}


def with_hnsw(users, items, exact: dict, k: int, seconds: float) -> str:
    """The table of hnswlib's index over the same items."""
    import hnswlib

    rows = [["NextLoop, exact", "1.000", f"{exact['build_seconds']:.2f} s", harness.microseconds(exact["p50_seconds"])]]
    for degree, breadth in HNSW_BUILDS:
        index = hnswlib.Index(space="ip", dim=FACTORS)
        start = time.perf_counter()
        index.init_index(max_elements=len(items), ef_construction=breadth, M=degree, random_seed=1)
        index.set_num_threads(len(harness.CPUS))
        index.add_items(items)
        built = time.perf_counter() - start
        index.set_num_threads(1)
        for ef in (16, 64, 256, 1024):
            index.set_ef(max(ef, k))
            found = np.array([index.knn_query(user[None], k=k)[0][0] for user in users])
            hits = [len(set(a.tolist()) & set(b.tolist())) / k for a, b in zip(found, exact["ids"], strict=True)]
            took = median_query(lambda user: index.knn_query(user[None], k=k), users, seconds)
            name = f"hnswlib, M {degree}, ef_construction {breadth}, ef {ef}"
            rows.append([name, f"{np.mean(hits):.3f}", f"{built:.0f} s on {len(harness.CPUS)} threads", harness.microseconds(took)])
    return harness.table(["index", f"recall@{k}", "build", "query"], rows)


def main() -> None:
    parser = harness.argument_parser(__doc__, runs=5, seconds=0.5)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--hnsw", action="store_true")
    parser.add_argument("--user-factors", type=Path)
    parser.add_argument("--item-factors", type=Path)
    options = harness.parse(parser)
    if options.quick and options.sizes == SIZES:
        options.sizes = SIZES[:2]
    faiss.omp_set_num_threads(1)
    cases = [(size, kind) for size in options.sizes for kind in ("random", "ALS-like")]
    if options.user_factors and options.item_factors:
        cases.append((0, "given"))
    rows, notes, hnsw = [], [], []
    with harness.bench("topk", options) as bench:
        for size, kind in cases:
            users, items = factors_of(kind, size, options)
            found = compare(bench, users, items, options.k)
            text = harness.microseconds
            rows.append([
                f"{len(items):,} × {FACTORS} {kind}", text(found["p50_seconds"]), text(found["float32_p50_seconds"]),
                text(found["faiss"]), text(found["implicit"]), harness.times(found["faiss_ratio"]),
                harness.times(found["implicit_ratio"]), f"{found['share_of_read'] * 100:.0f} %",
            ])  # fmt: skip
            notes.append(
                f"- {len(items):,} {kind}: {found['ids'].size} ids equal, of which {found['swapped_faiss']} (faiss) and "
                f"{found['swapped_implicit']} (implicit) exchanged at scores equal to rounding; codes "
                f"{found['code_bytes'] / found['float32_bytes'] * 100:.1f} % of the factors, made in "
                f"{found['build_seconds'] * 1e3:.1f} ms; plain read {found['read_bytes_per_second'] / 1e9:.0f} GB/s.")
            harness.say(" ".join(rows[-1]))
            if options.hnsw and size == max(options.sizes):
                hnsw.append(f"hnswlib, {len(items):,} × {FACTORS} {kind}, one thread a query:")
                hnsw.append(with_hnsw(users, items, found, options.k, options.seconds))
    harness.report(
        options, "topk",
        f"Kernels {found['kernels']}; faiss {faiss.__version__}, implicit {implicit.__version__}, NumPy {np.__version__}; one "
        f"thread each, {USERS} users, medians of {options.runs} turns.",
        harness.table(
            [f"exact top-{options.k} of", "NextLoop", "own float32 scan", "faiss", "implicit", "faiss / NextLoop",
             "implicit / NextLoop", "share of read"], rows),
        "\n".join(notes),
        "Share of read: the time to read all codes at this core's plain read of the float32 rows, against the answer's time; "
        "above 100 % the scan stopped early or the codes fit a nearer cache.",
        *hnsw)  # fmt: skip


if __name__ == "__main__":
    main()
