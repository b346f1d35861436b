"""The evaluation protocol, written a second time in pandas and NumPy.

It shares no code with nextloop, so that equal popularity figures on both sides prove an equal reading of the
export, an equal split, equal candidates and equal metrics.

Kept lines: status COMPLETE, order_price > 0, itemSeq and count present.
Split: of each customer with at least two kept orders, the last one by (reg_date, order_seq) is held back.
Candidates: every item that the hotel of the held-back order ever sold (in all kept lines, the held-back ones too).
Ties: by item row; rows are ordered by (lowest hotel id that sold the item, item id), both as numbers.
Items that the customer had before are not excluded: guests re-order.
Strength: r = the number of order lines of the customer and the item, not of pieces.
Popularity: order lines of the item in the hotel whose catalogue is ranked, held-back orders left out; ties by its
order lines in all hotels, then by item row.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class HeldOutOrder:
    user: int
    hotel: int
    relevant: np.ndarray  # item rows, ascending, distinct


@dataclass(frozen=True)
class Split:
    train: csr_matrix  # [users, items] float32 strengths
    held_out: list[HeldOutOrder]
    candidates: dict[int, np.ndarray]  # hotel id -> item rows, ascending
    popularity: dict[int, np.ndarray]  # hotel id -> a score for each candidate, higher is more popular, no two equal
    user_ids: np.ndarray
    item_ids: np.ndarray
    summary: dict[str, int]


def read_lines(path: Path) -> pd.DataFrame:
    """The kept order lines of an export: order, hotel, user, time, item, count (of pieces)."""
    columns = ["order_seq", "hotel_seq", "customer_seq", "order_price", "status", "contents", "reg_date"]
    orders = pd.read_csv(path, usecols=columns, na_values=[r"\N"], keep_default_na=False)
    orders = orders[(orders["status"] == "COMPLETE") & (orders["order_price"] > 0)].reset_index(drop=True)
    order_row, items, counts = [], [], []
    for row, contents in enumerate(orders["contents"]):
        elements = json.loads(contents)
        for element in elements if isinstance(elements, list) else [elements]:
            item, count = element.get("itemSeq"), element.get("count")
            if item is None or count is None:
                continue
            order_row.append(row)
            items.append(item)
            counts.append(count)
    heads = orders[["order_seq", "hotel_seq", "customer_seq", "reg_date"]].iloc[order_row].reset_index(drop=True)
    heads.columns = ["order", "hotel", "user", "time"]
    return heads.assign(item=np.array(items, np.int64), count=np.array(counts, np.int64))


def hotel_popularity(rows: pd.DataFrame, candidates: dict[int, np.ndarray], item_count: int) -> dict[int, np.ndarray]:
    """The order of popularity above as scores; `rows` are the training lines: hotel, item (row)."""
    overall = np.bincount(rows["item"], minlength=item_count)
    sold = {hotel: group.to_numpy() for hotel, group in rows.groupby("hotel")["item"]}
    scores = {}
    for hotel, items in candidates.items():
        here = np.bincount(sold.get(hotel, np.array([], np.int64)), minlength=item_count)[items]
        # The last key counts most.
        best_first = np.lexsort((items, -overall[items], -here))
        scores[hotel] = np.empty(len(items))
        scores[hotel][best_first] = -np.arange(len(items))
    return scores


def split_orders(lines: pd.DataFrame) -> Split:
    """Splits kept lines as described above."""
    user_ids, user = np.unique(lines["user"].to_numpy(), return_inverse=True)

    first_hotel = lines.groupby("item")["hotel"].min().reset_index().sort_values(["hotel", "item"])
    item_ids = first_hotel["item"].to_numpy()
    item = pd.Series(np.arange(len(item_ids)), index=item_ids).loc[lines["item"]].to_numpy()

    # Times are `YYYY-MM-DD hh:mm:ss`: their order as text is their order in time.
    orders = lines[["user", "time", "order"]].drop_duplicates().sort_values(["user", "time", "order"])
    of_user = orders.groupby("user")["order"]
    has_two = of_user.transform("size") >= 2
    last = orders[has_two & (of_user.cumcount(ascending=False) == 0)]
    is_held_out = lines["order"].isin(last["order"]).to_numpy()

    shape = (len(user_ids), len(item_ids))
    one_a_line = np.ones(np.count_nonzero(~is_held_out))
    train = csr_matrix((one_a_line, (user[~is_held_out], item[~is_held_out])), shape=shape)
    train.sum_duplicates()
    train.sort_indices()

    rows = pd.DataFrame({"hotel": lines["hotel"], "user": user, "item": item})
    candidates = {hotel: np.unique(group.to_numpy()) for hotel, group in rows.groupby("hotel")["item"]}
    held_out = [
        HeldOutOrder(int(u), int(group["hotel"].iloc[0]), np.unique(group["item"].to_numpy()))
        for u, group in rows[is_held_out].groupby("user")
    ]
    return Split(
        train=train.astype(np.float32),
        held_out=held_out,
        candidates=candidates,
        popularity=hotel_popularity(rows[~is_held_out], candidates, len(item_ids)),
        user_ids=user_ids,
        item_ids=item_ids,
        summary={
            "order_lines": len(lines),
            "orders": len(orders),
            "users": len(user_ids),
            "items": len(item_ids),
            "hotels": len(candidates),
            "interactions": len(rows[["user", "item"]].drop_duplicates()),
            "train_interactions": int(train.nnz),
            "users_evaluated": len(held_out),
        },
    )


def best_rows(scores: np.ndarray, k: int) -> np.ndarray:
    """Places of the k highest scores, best first, ties by place; fewer when there are fewer."""
    if len(scores) > k:
        # Everything that could be among the first k, ties with the k-th included; then a stable sort decides.
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        contenders = np.flatnonzero(scores >= threshold)
    else:
        contenders = np.arange(len(scores))
    return contenders[np.argsort(-scores[contenders], kind="stable")][:k]


def evaluate(split: Split, scores_of_hotel, k: int = 10) -> dict[str, float]:
    """Ranking metrics at k, averaged over the held-back orders.

    `scores_of_hotel(hotel, users)` returns [users, candidates] or [candidates] scores of its candidates.
    recall = hits / |relevant|; nDCG has binary gains and min(k, |relevant|) ideal hits; AP is divided by
    min(k, |relevant|); coverage = distinct items shown / items that any hotel sells.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    recalls, ndcgs, average_precisions = [], [], []
    shown: set[int] = set()
    offered = set().union(*(candidates.tolist() for candidates in split.candidates.values()))
    by_hotel: dict[int, list[HeldOutOrder]] = {}
    for order in split.held_out:
        by_hotel.setdefault(order.hotel, []).append(order)
    for hotel, orders in by_hotel.items():
        candidates = split.candidates[hotel]
        scores = scores_of_hotel(hotel, np.array([order.user for order in orders]))
        for place, order in enumerate(orders):
            best = candidates[best_rows(scores if scores.ndim == 1 else scores[place], k)]
            shown.update(best.tolist())
            is_hit = np.isin(best, order.relevant)
            ideal = min(k, len(order.relevant))
            recalls.append(is_hit.sum() / len(order.relevant))
            ndcgs.append(discounts[: len(best)][is_hit].sum() / discounts[:ideal].sum())
            precision = np.cumsum(is_hit) / np.arange(1, len(best) + 1)
            average_precisions.append(precision[is_hit].sum() / ideal)
    return {
        f"recall_at_{k}": float(np.mean(recalls)),
        f"ndcg_at_{k}": float(np.mean(ndcgs)),
        f"map_at_{k}": float(np.mean(average_precisions)),
        "coverage": len(shown) / len(offered),
    }
