"""Rows with several labels are split by the rarest one."""

from __future__ import annotations

import json
from collections import Counter

from datasets_app.snapshots.dividing import divide
from datasets_app.snapshots.rules import Row

SHARES = {"train": 80, "validation": 10, "test": 10}


def row(item: str, *classes: str) -> Row:
    return Row(
        item, f"u-{item}", f"d-{item}", f"du-{item}", json.dumps(classes), f"n-{item}", "", "", "", classes
    )


def test_rare_labels_reach_every_split():
    rows = [row(f"{n:03}", "often", *(["rare"] if n % 20 == 0 else [])) for n in range(100)]
    rows += [row(f"none{n:02}") for n in range(10)]

    found = Counter(
        (placed.split, name)
        for placed in divide(rows, seed=1, shares=SHARES).placed
        for name in placed.row.named or ("",)
    )

    assert {split: found[split, "rare"] for split in SHARES} == {"train": 3, "validation": 1, "test": 1}
    assert {split: found[split, "often"] for split in SHARES} == {"train": 79, "validation": 10, "test": 11}
    assert {split: found[split, ""] for split in SHARES} == {"train": 8, "validation": 1, "test": 1}
