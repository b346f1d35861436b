#!/usr/bin/env python3
"""Exact top-k on one thread: NextLoop beside faiss IndexFlatIP and implicit, on the same factors.

    pip install numpy faiss-cpu implicit scipy
    benchmarks/topk/compare.py [--bench .build/release/nextloop-bench] [--runs 5] [--hnsw]

Every run of every size lets the three answer the same 64 users in turn; the table shows the median over the runs of each
one's median query. The ids that faiss finds must be NextLoop's: a difference ends the program, unless the float64
scores of the two items are within 1e-5 of each other, which only shows two orders of summation; those are counted.

ALS-like factors are trained by implicit, on interactions of users with tastes and items with long-tailed popularity:
up to 65,536 items trained as such; more are drawn from those, each with its direction perturbed by a tenth and its
length by up to a fifth. --user-factors and --item-factors (.npy) measure factors of your own as well.

--hnsw adds hnswlib at the largest size: recall of the same ids and time, to say what an approximation would buy.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import faiss  # noqa: E402
import implicit  # noqa: E402
import numpy as np  # noqa: E402
import scipy.sparse  # noqa: E402
from implicit.cpu.topk import topk as implicit_topk  # noqa: E402

FACTORS = 64
TRAINED_ITEMS_MAX = 65_536


def als_like(items, cache):
    """User and item factors as training makes them: [users x 64], [items x 64]."""
    path = pathlib.Path(cache) / f"als-{items}.npz"
    if path.exists():
        stored = np.load(path)
        return stored["users"], stored["items"]
    random = np.random.default_rng(7)
    trained = min(items, TRAINED_ITEMS_MAX)
    users, tastes = 20_000, 100
    popularity = (np.arange(trained) + 20.0) ** -0.8
    taste_of_item = random.integers(0, tastes, trained)
    by_taste = [np.flatnonzero(taste_of_item == taste) for taste in range(tastes)]
    rows, columns = [], []
    for user in range(users):
        count = max(3, int(40 * random.lognormal(-0.5, 1.0)))
        for taste in random.choice(tastes, 3, replace=False):
            chosen = by_taste[taste]
            weights = popularity[chosen] / popularity[chosen].sum()
            columns.append(random.choice(chosen, max(1, count // 3), p=weights))
            rows.append(np.full(len(columns[-1]), user))
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    matrix = scipy.sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (users, trained))
    model = implicit.als.AlternatingLeastSquares(FACTORS, regularization=0.01, alpha=40, iterations=5, random_state=1)
    model.fit(matrix, show_progress=False)
    found_users = np.asarray(model.user_factors, np.float32)
    found_items = np.asarray(model.item_factors, np.float32)
    if items > trained:
        drawn = found_items[random.integers(0, trained, items)]
        noise = random.standard_normal((items, FACTORS)).astype(np.float32) / np.sqrt(FACTORS).astype(np.float32)
        drawn += 0.1 * noise * np.linalg.norm(drawn, axis=1, keepdims=True)
        found_items = (drawn * random.uniform(0.8, 1.2, (items, 1))).astype(np.float32)
    found_items = np.ascontiguousarray(found_items)
    np.savez(path, users=found_users[:64], items=found_items)
    return found_users[:64], found_items


def median_query(query_one, users, seconds=0.5):
    times = []
    for user in users[:8]:
        query_one(user)
    stop = time.perf_counter() + seconds
    while len(times) < 64 or (time.perf_counter() < stop and len(times) < 4000):
        user = users[len(times) % len(users)]
        start = time.perf_counter()
        query_one(user)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def check_ids(ours, theirs, users, items, name):
    """Ends the program unless the ids are the same up to the rounding of float32 sums. Returns how many places differ."""
    swapped = 0
    for user, mine, other in zip(users.astype(np.float64), ours, theirs):
        for place in np.flatnonzero(mine != other):
            a, b = (items[row].astype(np.float64) @ user for row in (mine[place], other[place]))
            scale = np.linalg.norm(user) * np.linalg.norm(items[mine[place]].astype(np.float64))
            if abs(a - b) > 1e-5 * scale:
                sys.exit(f"{name}: place {place} is item {other[place]} ({b}), NextLoop's is {mine[place]} ({a})")
            swapped += 1
    return swapped


def machine():
    for line in open("/proc/cpuinfo", encoding="utf-8") if os.path.exists("/proc/cpuinfo") else []:
        if line.startswith("model name"):
            return f"{line.split(':')[1].strip()}, {os.cpu_count()} cores"
    return platform.processor()


def with_hnsw(users, items, ours, our_time, k):
    import hnswlib

    index = hnswlib.Index(space="ip", dim=FACTORS)
    start = time.perf_counter()
    index.init_index(max_elements=len(items), ef_construction=100, M=16)
    index.set_num_threads(os.cpu_count())
    index.add_items(items)
    print(f"\nhnswlib (M 16, ef_construction 100), built in {time.perf_counter() - start:.0f} s on all cores:")
    index.set_num_threads(1)
    for ef in (16, 64, 256):
        index.set_ef(max(ef, k))
        found = np.array([index.knn_query(user[None], k=k)[0][0] for user in users])
        recall = np.mean([len(set(a) & set(b)) / k for a, b in zip(found, ours)])
        took = median_query(lambda user: index.knn_query(user[None], k=k), users)
        print(f"  ef {ef:>4}: recall {recall:.3f}, {took * 1e6:8.1f} us; NextLoop, exact: {our_time * 1e6:8.1f} us")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=".build/release/nextloop-bench")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_024, 5_120, 65_536, 1_048_576])
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--hnsw", action="store_true")
    parser.add_argument("--user-factors")
    parser.add_argument("--item-factors")
    arguments = parser.parse_args()
    k = arguments.k
    faiss.omp_set_num_threads(1)
    print(f"{machine()}; {datetime.date.today()}; {' '.join(sys.argv)}")
    print(f"faiss {faiss.__version__}, implicit {implicit.__version__}, numpy {np.__version__}; one thread each\n")
    print("| exact top-%d of | factors | NextLoop | float32 scan | faiss | implicit | faiss / NextLoop | share of read |" % k)
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    cache = pathlib.Path(".cache/topk")
    cache.mkdir(parents=True, exist_ok=True)
    cases = []
    for size in arguments.sizes:
        cases += [(size, "random"), (size, "ALS-like")]
    if arguments.user_factors and arguments.item_factors:
        cases.append((0, "given"))
    notes = []
    for size, kind in cases:
        if kind == "random":
            random = np.random.default_rng(42)
            users = random.standard_normal((64, FACTORS), dtype=np.float32)
            items = random.standard_normal((size, FACTORS), dtype=np.float32)
        elif kind == "ALS-like":
            users, items = als_like(size, cache)
        else:
            users = np.ascontiguousarray(np.load(arguments.user_factors)[:64], dtype=np.float32)
            items = np.ascontiguousarray(np.load(arguments.item_factors), dtype=np.float32)
        if users.shape[1] != FACTORS or items.shape[1] != FACTORS:
            sys.exit(f"factors of {users.shape} and {items.shape}; wanted {FACTORS} columns")
        index = faiss.IndexFlatIP(FACTORS)
        index.add(items)
        ours, floats, faisses, implicits, reads = [], [], [], [], []
        with tempfile.TemporaryDirectory() as folder:
            paths = {name: f"{folder}/{name}" for name in ("items", "users", "ids")}
            items.tofile(paths["items"])
            users.tofile(paths["users"])
            queries = 4000 if len(items) <= 100_000 else 300
            command = [
                arguments.bench, "topk", "--item-file", paths["items"], "--user-file", paths["users"], "--factors",
                str(FACTORS), "-k", str(k), "--queries", str(queries), "--output", paths["ids"], "--json"]
            for _ in range(arguments.runs):
                result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                ours.append(result["p50_seconds"])
                floats.append(result["float32_p50_seconds"])
                reads.append(result["read_bytes_per_second"])
                faisses.append(median_query(lambda user: index.search(user[None], k), users))
                implicits.append(median_query(lambda user: implicit_topk(items, user[None], k, num_threads=1), users))
            ids = np.fromfile(paths["ids"], np.uint32).reshape(len(users), -1)
        swapped = check_ids(ids, index.search(users, k)[1], users, items, "faiss")
        swapped_implicit = check_ids(ids, implicit_topk(items, users, k, num_threads=1)[0], users, items, "implicit")
        a, f, b, c, r = (statistics.median(x) for x in (ours, floats, faisses, implicits, reads))
        # What an answer would take if every code were read as fast as this core reads the float32 rows.
        share = result["code_bytes"] / r / a
        print(
            f"| {len(items):,} x {FACTORS} | {kind} | {a * 1e6:,.1f} us | {f * 1e6:,.1f} us | {b * 1e6:,.1f} us | "
            f"{c * 1e6:,.1f} us | {b / a:.1f} x | {share * 100:.0f} % |", flush=True)
        notes.append(
            f"{len(items):,} {kind}: {ids.size} ids asserted, {swapped} (faiss) and {swapped_implicit} (implicit) equal to "
            f"rounding; codes {result['code_bytes'] / result['float32_bytes'] * 100:.1f} % of the factors, made in "
            f"{result['build_seconds'] * 1e3:.1f} ms; plain read {r / 1e9:.0f} GB/s; kernels {result['kernels']}")
        if arguments.hnsw and size == max(arguments.sizes):
            with_hnsw(users, items, ids, a, k)
    print("\n" + "\n".join(notes))
    print(
        "Share of read: the time to read all codes at this core's plain read of the float32 rows, against the answer's time; "
        "above 100 % the scan stopped early or the codes fit a nearer cache.")


if __name__ == "__main__":
    main()
