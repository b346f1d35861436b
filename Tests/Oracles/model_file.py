"""A second reader of model.safetensors, on the public library `safetensors`: what the other oracles share."""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file


def fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(65)


def load(path: Path) -> dict[str, np.ndarray]:
    """Every tensor by name; exits 65 when the library refuses the file."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        fail(f"{path}: {error}")


def storage_types(path: Path) -> dict[str, str]:
    """The safetensors type word of every tensor ("F32", "U8", ...), read from the header itself."""
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_bytes))
    return {name: entry["dtype"] for name, entry in header.items() if name != "__metadata__"}


def text_columns(tensors: dict[str, np.ndarray]) -> list[str]:
    """Names N with both `N.bytes` and `N.offsets`."""
    return sorted(
        name.removesuffix(".bytes")
        for name in tensors
        if name.endswith(".bytes") and name.removesuffix("bytes") + "offsets" in tensors
    )


def texts(tensors: dict[str, np.ndarray], name: str) -> list[str]:
    """The strings of a `name.bytes` / `name.offsets` pair."""
    data, offsets = tensors[f"{name}.bytes"].tobytes(), tensors[f"{name}.offsets"].tolist()
    return [data[start:end].decode("utf-8") for start, end in zip(offsets, offsets[1:], strict=False)]


def row_range(tensors: dict[str, np.ndarray], name: str, row: int) -> slice:
    """The places of one row in `name.indices` (and `name.values`)."""
    indptr = tensors[f"{name}.indptr"]
    return slice(int(indptr[row]), int(indptr[row + 1]))
