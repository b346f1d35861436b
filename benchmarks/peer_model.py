"""A model that nextloop and the FastAPI peer both serve: trained by implicit, given to each in its own form."""

import json
from pathlib import Path

from harness import SCORE_TOLERANCE, Bench, Server, fail, say, tasteful_interactions

FACTORS = 64
COMPARED_USERS = 200


def publish(bench: Bench, model: str, users: int, items: int) -> Path:
    """Trains, imports into the registry, and returns the folder that fastapi_app.py reads."""
    import implicit
    import numpy as np
    import scipy.sparse

    say(f"== training {users:,} users x {items:,} items")
    history = tasteful_interactions(users, items)
    als = implicit.als.AlternatingLeastSquares(
        FACTORS, regularization=0.01, alpha=40, iterations=5, random_state=1, num_threads=2)
    als.fit(history, show_progress=False)
    folder = bench.folder / "peer"
    folder.mkdir()
    als.save(folder / "als.npz")
    scipy.sparse.save_npz(folder / "user_items.npz", history)
    names = [f"Dish number {item}" for item in range(items)]
    catalogue = {
        "user_ids": [str(user) for user in range(users)], "item_ids": [str(item) for item in range(items)],
        "names": names, "hotels": {},
    }  # fmt: skip
    (folder / "catalogue.json").write_text(json.dumps(catalogue))

    for kind in ("user", "item"):
        (folder / f"{kind}s.txt").write_text("".join(f"{id}\n" for id in catalogue[f"{kind}_ids"]))
    with (folder / "items.csv").open("w") as file:
        file.write("item_id,name,price,department_id,hotel_ids\n")
        file.writelines(f"{item},{name},{1000 * (item % 90)},{item % 10},1\n" for item, name in enumerate(names))
    with (folder / "interactions.csv").open("w") as file:
        file.write("user_id,item_id,value\n")
        rows = np.repeat(np.arange(users), np.diff(history.indptr))
        for user, item, value in zip(rows.tolist(), history.indices.tolist(), history.data.tolist(), strict=True):
            file.write(f"{user},{item},{value:g}\n")
    bench.publish(model, {
        "implicit": folder / "als.npz", "user-ids": folder / "users.txt", "item-ids": folder / "items.txt",
        "items": folder / "items.csv", "interactions": folder / "interactions.csv",
    })  # fmt: skip
    return folder


def compare_answers(nextloop: Server, peer: Server, paths: list[str]) -> tuple[bytes, int]:
    """Checks that both name the same items in the same order.

    Two neighbours may be exchanged where their scores agree within the tolerance: implicit sums in another order.

    Returns the answer of nextloop with the median length, and how many places were such exchanges.
    """
    answers, exchanged = [], 0
    for path in paths:
        answer = nextloop.get(path)
        answers.append(answer)
        ours, theirs = json.loads(answer)["items"], json.loads(peer.get(path))["items"]
        if len(ours) != len(theirs) or not ours:
            fail(f"{path}: nextloop answers {len(ours)} items, implicit {len(theirs)}")
        for a, b in zip(ours, theirs, strict=True):
            if abs(a["score"] - b["score"]) > SCORE_TOLERANCE * max(abs(a["score"]), 1e-3):
                fail(f"{path}: nextloop answers {ours}, implicit {theirs}")
            exchanged += a["item_id"] != b["item_id"]
    return sorted(answers, key=len)[len(answers) // 2], exchanged


def recommend_paths(users: int, flags: str = "&exclude_seen=true") -> list[str]:
    """One request for every user, in a seeded random order."""
    import random

    paths = [f"/recommend?user_id={user}&k=10{flags}" for user in range(users)]
    random.Random(1).shuffle(paths)
    return paths
