#!/usr/bin/env python3
"""The recommendations of a model file by brute force in NumPy: float32 product, full sort. Prints JSON.

{"users": {"1042": {"items": ["310", ..], "scores": [0.8123, ..], "near_ties": [[0, 1], ..]}}}

Order: score descending, then item row. `near_ties` are pairs of neighbouring ranks whose scores differ by at most
1e-6 of the larger: there another order of summation may swap them. The last rank may form a pair with k, the
best item that was left out. A score is printed as the shortest decimal that gives back the same float32.

Exits 65 for a file that cannot be read, 66 for an id that the model does not know.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from model_file import load, row_range, texts

NEAR = 1e-6


def best(tensors: dict[str, np.ndarray], user: int, allowed: np.ndarray, k: int, item_ids: list[str]) -> dict:
    """The first k of the allowed items for one user."""
    # [items x factors] · [factors], float32 throughout.
    scores = tensors["item_factors"] @ tensors["user_factors"][user]
    rows = np.flatnonzero(allowed)
    ranked = rows[np.argsort(-scores[rows], kind="stable")]
    ranked_scores = scores[ranked[: k + 1]].astype(np.float64)
    larger = np.maximum(np.abs(ranked_scores[:-1]), np.abs(ranked_scores[1:]))
    near = np.flatnonzero(ranked_scores[:-1] - ranked_scores[1:] <= NEAR * larger)
    return {
        "items": [item_ids[row] for row in ranked[:k]],
        # str of a float32 is its shortest form that reads back to the same float32.
        "scores": [float(str(score)) for score in scores[ranked[:k]]],
        "near_ties": [[int(rank), int(rank) + 1] for rank in near],
    }


def position(ids: list[str], wanted: str, kind: str) -> int:
    if wanted not in ids:
        print(f"error: the model has no {kind} {wanted}", file=sys.stderr)
        sys.exit(66)
    return ids.index(wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="model.safetensors")
    parser.add_argument("--users", default="all", help="ids joined by commas, or all (default)")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--hotel", action="append", help="only what this hotel sells; repeatable: any of them")
    parser.add_argument("--exclude-seen", action="store_true", help="leave out each user's history")
    options = parser.parse_args()
    if options.k < 1:
        parser.error("--k wants at least 1")

    tensors = load(options.file)
    user_ids, item_ids = texts(tensors, "user_ids"), texts(tensors, "item_ids")
    users = user_ids if options.users == "all" else options.users.split(",")
    allowed = np.ones(len(item_ids), bool)
    if options.hotel:
        hotel_ids = texts(tensors, "hotel_ids")
        allowed[:] = False
        for hotel in options.hotel:
            rows = row_range(tensors, "hotel_items", position(hotel_ids, hotel, "hotel"))
            allowed[tensors["hotel_items.indices"][rows]] = True
    answers = {}
    for user in users:
        row = position(user_ids, user, "user")
        allowed_here = allowed.copy()
        if options.exclude_seen:
            allowed_here[tensors["interactions.indices"][row_range(tensors, "interactions", row)]] = False
        answers[user] = best(tensors, row, allowed_here, options.k, item_ids)
    print(json.dumps({"users": answers}))


if __name__ == "__main__":
    main()
