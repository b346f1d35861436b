#!/usr/bin/env python3
"""Turns a published nextloop model into the files that the FastAPI peer loads.

Both servers then answer from the same factors: als.npz (written by implicit itself), user_items.npz (each
user's history) and catalogue.json (ids, names, item rows of each hotel). Beside them go the two lists of requests
that `load.py` replays, one user a line: users.txt (`user_id`) and users_and_hotels.txt (`user_id hotel_id`, the
hotel where the user ordered most often).
"""

import argparse
import csv
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from safetensors.numpy import load_file
from scipy.sparse import csr_matrix, save_npz


def texts(tensors: dict[str, np.ndarray], name: str) -> list[str]:
    """The strings of a `name.bytes` / `name.offsets` pair."""
    data, offsets = tensors[f"{name}.bytes"].tobytes(), tensors[f"{name}.offsets"].tolist()
    return [data[start:end].decode() for start, end in zip(offsets, offsets[1:], strict=False)]


def usual_hotels(orders: Path) -> dict[str, str]:
    """Of each customer with a paid order, the hotel with most of them; the lowest id among equals."""
    visits: dict[str, Counter[str]] = {}
    with orders.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["status"] == "COMPLETE" and int(row["order_price"]) > 0:
                visits.setdefault(row["customer_seq"], Counter())[row["hotel_seq"]] += 1
    return {user: min(seen, key=lambda hotel: (-seen[hotel], int(hotel))) for user, seen in visits.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="model.safetensors")
    parser.add_argument("orders", type=Path, help="the export it was trained on")
    parser.add_argument("output", type=Path, help="directory to write")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)

    tensors = load_file(options.model)
    user_factors, item_factors = tensors["user_factors"], tensors["item_factors"]
    model = AlternatingLeastSquares(factors=user_factors.shape[1], num_threads=1)
    model.user_factors, model.item_factors = user_factors, item_factors
    model.save(options.output / "als.npz")

    history = (tensors["interactions.values"], tensors["interactions.indices"], tensors["interactions.indptr"])
    shape = (len(user_factors), len(item_factors))
    save_npz(options.output / "user_items.npz", csr_matrix(tuple(map(np.asarray, history)), shape=shape))

    users, hotels = texts(tensors, "user_ids"), texts(tensors, "hotel_ids")
    rows, starts = tensors["hotel_items.indices"], tensors["hotel_items.indptr"].astype(np.int64)
    catalogue = {
        "user_ids": users,
        "item_ids": texts(tensors, "item_ids"),
        "names": texts(tensors, "item_names"),
        "hotels": {hotel: rows[starts[h] : starts[h + 1]].tolist() for h, hotel in enumerate(hotels)},
    }
    (options.output / "catalogue.json").write_text(json.dumps(catalogue), encoding="utf-8")

    usual = usual_hotels(options.orders)
    if missing := [user for user in users if user not in usual]:
        sys.exit(f"error: the model knows {len(missing)} users without a paid order in {options.orders}")
    (options.output / "users.txt").write_text("".join(f"{user}\n" for user in users))
    (options.output / "users_and_hotels.txt").write_text("".join(f"{user} {usual[user]}\n" for user in users))


if __name__ == "__main__":
    main()
