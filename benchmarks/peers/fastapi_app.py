"""The peer: `/recommend` as a team with FastAPI and implicit writes it.

Started as `uvicorn fastapi_app:app` with one worker, uvloop and httptools. The model is loaded once, at start, from the
directory in MODEL_DIR: als.npz and user_items.npz as implicit and SciPy write them, and catalogue.json with `user_ids`,
`item_ids`, `names` and `hotels` (item rows by hotel).
"""

import json
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
from fastapi import FastAPI, HTTPException, Query
from implicit.cpu.als import AlternatingLeastSquares
from pydantic import BaseModel
from scipy.sparse import load_npz


class RecommendedItem(BaseModel):
    item_id: str
    score: float
    name: str | None


class Recommendations(BaseModel):
    user_id: str
    items: list[RecommendedItem]


@asynccontextmanager
async def lifespan(app: FastAPI):
    directory = Path(os.environ["MODEL_DIR"])
    catalogue = json.loads((directory / "catalogue.json").read_text(encoding="utf-8"))
    app.state.model = AlternatingLeastSquares.load(directory / "als.npz")
    app.state.user_items = load_npz(directory / "user_items.npz").tocsr()
    app.state.users = {user: row for row, user in enumerate(catalogue["user_ids"])}
    app.state.item_ids = catalogue["item_ids"]
    app.state.names = catalogue["names"]
    app.state.hotels = {hotel: np.array(rows) for hotel, rows in catalogue["hotels"].items()}
    yield


app = FastAPI(lifespan=lifespan)


# `async`, although the search blocks: with one worker on one core that is the faster way, as it saves the hop
# through the thread pool.
@app.get("/recommend")
async def recommend(
    user_id: str,
    k: Annotated[int, Query(ge=1, le=1000)] = 10,
    hotel_id: str | None = None,
    exclude_seen: bool = False,
) -> Recommendations:
    state = app.state
    if (user := state.users.get(user_id)) is None:
        raise HTTPException(404, "unknown user")
    items = None
    if hotel_id is not None and (items := state.hotels.get(hotel_id)) is None:
        raise HTTPException(404, "unknown hotel")
    rows, scores = state.model.recommend(
        user, state.user_items[user], N=k, items=items, filter_already_liked_items=exclude_seen
    )
    return Recommendations(
        user_id=user_id,
        items=[
            RecommendedItem(item_id=state.item_ids[row], score=score, name=state.names[row] or None)
            for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
        ],
    )


@app.get("/livez")
@app.get("/readyz")
async def readyz() -> dict[str, str]:
    return {"status": "ready"}
