#!/usr/bin/env python3
"""Prints what Python's `safetensors` finds in a model file, and in the codes beside it, as JSON.

{"tensors": {name: {"dtype": "F32", "shape": [..]}}, "user_ids": [..], "item_ids": [..], "hotel_ids": [..],
 "checks": {name: true|false}, "passed": true|false}

Exits 0 when every check holds, 1 when one does not, 65 when the file cannot be read.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open

from model_file import load, storage_types, text_columns, texts

# The tensors that the contract promises. A one-dimensional shape is given by the count it must have.
PROMISED = {
    "user_factors": "F32",
    "item_factors": "F32",
    "user_ids.bytes": "U8",
    "user_ids.offsets": "U64",
    "item_ids.bytes": "U8",
    "item_ids.offsets": "U64",
    "interactions.indptr": "U64",
    "interactions.indices": "U32",
    "interactions.values": "F32",
    "item_popularity": "F32",
}


def is_offset_table(table: np.ndarray, end: int) -> bool:
    """Starts at 0, never falls, ends at `end`."""
    values = table.astype(object)  # Python integers: no wrap-around in the differences of U64.
    return len(values) > 0 and values[0] == 0 and values[-1] == end and all(np.diff(values) >= 0)


def check_compressed_rows(tensors: dict[str, np.ndarray], name: str, column_count: int) -> dict[str, bool]:
    """Rows of a CSR pair: a proper indptr, columns in range, ascending and without repeats inside a row."""
    indptr, indices = tensors[f"{name}.indptr"], tensors[f"{name}.indices"]
    checks = {f"{name}.indptr is an offset table": is_offset_table(indptr, len(indices))}
    if all(checks.values()):
        rows = [indices[int(start) : int(end)] for start, end in zip(indptr, indptr[1:], strict=False)]
        checks[f"{name}.indices are below {column_count}"] = all(indices < column_count)
        checks[f"{name}.indices ascend in each row"] = all(all(np.diff(row.astype(np.int64)) > 0) for row in rows)
    return checks


def check(tensors: dict[str, np.ndarray], types: dict[str, str]) -> dict[str, bool]:
    checks = {f"{name} is {dtype}": types.get(name) == dtype for name, dtype in PROMISED.items()}
    if not all(checks.values()):
        return checks
    users, items = tensors["user_factors"], tensors["item_factors"]
    checks["factors are matrices of one width"] = (
        users.ndim == 2 and items.ndim == 2 and users.shape[1] == items.shape[1]
    )
    for name, matrix in {"user": users, "item": items}.items():
        checks[f"{name}_factors are finite"] = bool(np.isfinite(matrix).all())
        checks[f"one id for each row of {name}_factors"] = len(tensors[f"{name}_ids.offsets"]) == len(matrix) + 1
    for name in text_columns(tensors):
        data, offsets = tensors[f"{name}.bytes"], tensors[f"{name}.offsets"]
        checks[f"{name}.offsets is an offset table"] = is_offset_table(offsets, len(data))
        if checks[f"{name}.offsets is an offset table"] and name in ("user_ids", "item_ids", "hotel_ids"):
            ids = texts(tensors, name)
            checks[f"{name} are distinct and not empty"] = len(set(ids)) == len(ids) and all(ids)
    checks["a history for each user"] = len(tensors["interactions.indptr"]) == len(users) + 1
    checks |= check_compressed_rows(tensors, "interactions", len(items))
    values = tensors["interactions.values"]
    checks["a strength for each interaction"] = len(values) == len(tensors["interactions.indices"])
    checks["strengths are positive and finite"] = bool((np.isfinite(values) & (values > 0)).all())
    popularity = tensors["item_popularity"]
    checks["a popularity for each item"] = popularity.shape == (len(items),)
    checks["popularity is finite, not negative"] = bool((np.isfinite(popularity) & (popularity >= 0)).all())
    if "hotel_items.indptr" in tensors:
        checks |= check_compressed_rows(tensors, "hotel_items", len(items))
        checks["a menu for each hotel"] = len(tensors["hotel_items.indptr"]) == len(tensors["hotel_ids.offsets"])
    return checks


def check_codes(path: Path, model: Path, items: np.ndarray) -> dict[str, bool]:
    """`codes.safetensors` of the same version: whose it is, that every item has one place, and the lengths."""
    codes = load(path)
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    rows, places, reach = codes["codes.rows"], codes["codes.places"], codes["codes.reach"]
    lengths = np.linalg.norm(items.astype(np.float64), axis=1)
    blocks, groups = (len(items) + 63) // 64 * 4, (items.shape[1] + 7) // 8 + 1
    checks = {
        "codes say their format": metadata["format"] == "nextloop-codes/1",
        "codes name their model file": metadata["model_sha256"] == hashlib.sha256(model.read_bytes()).hexdigest(),
        "a block of codes for each 16 items": len(codes["codes.blocks"]) == blocks * 64 * groups and len(reach) == blocks,
        "every item has a place among the codes": bool((np.sort(rows) == np.arange(len(items))).all()),
        "places are the inverse of rows": bool((places[rows] == np.arange(len(items))).all()),
        "lengths are those of the item factors": bool(np.allclose(codes["item_lengths"], lengths, rtol=1e-5, atol=1e-30)),
    }
    checks["the longest items come first"] = bool((np.diff(lengths[rows]) <= 1e-5 * lengths.max()).all())
    checks["reach is never short of a length"] = bool((np.repeat(reach, 16)[: len(items)] >= lengths[rows]).all())
    checks["reach never rises"] = bool((np.diff(reach) <= 0).all())
    return checks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="model.safetensors")
    path = parser.parse_args().file
    tensors, types = load(path), storage_types(path)
    checks = {name: bool(passed) for name, passed in check(tensors, types).items()}
    codes = path.with_name("codes.safetensors")
    if codes.exists():
        checks |= check_codes(codes, path, tensors["item_factors"])
    offsets_hold = all(passed for name, passed in checks.items() if "offset table" in name)
    ids = {
        name: texts(tensors, name) if name in text_columns(tensors) and offsets_hold else None
        for name in ("user_ids", "item_ids", "hotel_ids")
    }
    shapes = {name: {"dtype": types[name], "shape": list(tensor.shape)} for name, tensor in sorted(tensors.items())}
    print(json.dumps({"tensors": shapes, **ids, "checks": checks, "passed": all(checks.values())}, indent=2))
    sys.exit(0 if all(checks.values()) else 1)


if __name__ == "__main__":
    main()
