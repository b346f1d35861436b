#!/usr/bin/env python3
"""Writes the files that `nextloop import` takes, as a data scientist's notebook would leave them.

X.npy [users x factors], Y.npy [items x factors], users.txt, items.txt (one id a line, in row order), items.csv
(item_id,name,price,department_id,hotel_ids) and interactions.csv (user_id,item_id,value). The same seed gives the
same values whatever the type and the memory order; each run with the same
arguments gives the same bytes. Values are multiples of 1/1024 below 1: float16, float32 and float64 hold the same
numbers, and with up to 16 factors an inner product is exact in float32, in any order of summation.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

# Names that a CSV reader must get right: a comma, quotes, a line break, more than ASCII, nothing.
NAMES = ["Fried chicken", "Soup, hot", 'The "house" burger', "Two\nlines", "김치찌개", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--factors", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dtype", default="float32", help="a NumPy type: float32, float64, float16, >f4, ...")
    parser.add_argument("--order", choices=["C", "F"], default="C", help="memory order of the arrays")
    parser.add_argument("--npy-version", choices=["1.0", "2.0", "3.0"], default="1.0", help="of the .npy header")
    parser.add_argument("--hotels", type=int, default=3)
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(options.seed)
    version = tuple(map(int, options.npy_version.split(".")))

    for name, rows in {"X": options.users, "Y": options.items}.items():
        values = random.integers(-1023, 1024, size=(rows, options.factors)) / 1024
        with (options.directory / f"{name}.npy").open("wb") as file:
            array = np.array(values, dtype=options.dtype, order=options.order)
            np.lib.format.write_array(file, array, version=version, allow_pickle=False)

    user_ids = [str(1000 + 7 * row) for row in range(options.users)]
    item_ids = [str(300 + 3 * row) for row in range(options.items)]
    (options.directory / "users.txt").write_text("".join(f"{user}\n" for user in user_ids))
    (options.directory / "items.txt").write_text("".join(f"{item}\n" for item in item_ids))

    with (options.directory / "items.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["item_id", "name", "price", "department_id", "hotel_ids"])
        for row, item in enumerate(item_ids):
            sold_at = [str(h + 1) for h in range(options.hotels) if row % options.hotels == h or row % 5 == 0]
            price = "" if row % 11 == 10 else str(int(random.integers(1, 50)) * 1000)
            writer.writerow([item, NAMES[row % len(NAMES)], price, str(row % 4 + 1), "|".join(sold_at)])

    with (options.directory / "interactions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["user_id", "item_id", "value"])
        for user in user_ids:
            count = int(random.integers(0, min(6, options.items) + 1))
            for row in sorted(random.choice(options.items, size=count, replace=False).tolist()):
                writer.writerow([user, item_ids[row], int(random.integers(1, 5))])


if __name__ == "__main__":
    main()
