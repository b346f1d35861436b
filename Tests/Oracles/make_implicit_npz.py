#!/usr/bin/env python3
"""Trains a tiny model with the library implicit and saves it with the library's own `save`.

Beside FILE.npz go FILE.users.txt and FILE.items.txt (one id a line, in row order) and FILE.interactions.csv
(user_id,item_id,value), named after FILE without its suffix.
"""

import argparse
import csv
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # Read when NumPy is loaded.

import numpy as np  # noqa: E402
from implicit.cpu.als import AlternatingLeastSquares  # noqa: E402
from scipy.sparse import csr_matrix, random_array  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="the .npz to write")
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--factors", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    options = parser.parse_args()
    if options.file.suffix != ".npz":
        parser.error(f"got {options.file}, wanted a name that ends in .npz")

    generator = np.random.default_rng(options.seed)
    interactions = random_array(
        (options.users, options.items),
        density=0.15,
        rng=generator,
        data_sampler=lambda size: generator.integers(1, 5, size).astype(np.float32),
        format="csr",
    )
    model = AlternatingLeastSquares(
        factors=options.factors,
        iterations=5,
        num_threads=1,
        random_state=options.seed,
        dtype=np.dtype(options.dtype),
    )
    model.fit(csr_matrix(interactions), show_progress=False)
    model.save(options.file)

    stem = options.file.with_suffix("")
    user_ids = [f"u{row}" for row in range(options.users)]
    item_ids = [f"i{row}" for row in range(options.items)]
    Path(f"{stem}.users.txt").write_text("".join(f"{user}\n" for user in user_ids))
    Path(f"{stem}.items.txt").write_text("".join(f"{item}\n" for item in item_ids))
    with Path(f"{stem}.interactions.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["user_id", "item_id", "value"])
        rows, columns = interactions.nonzero()
        for user, item in sorted(zip(rows.tolist(), columns.tolist(), strict=True)):
            writer.writerow([user_ids[user], item_ids[item], int(interactions[user, item])])


if __name__ == "__main__":
    main()
