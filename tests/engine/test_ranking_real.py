"""Real weights on real preferences: arguments of which people chose the more convincing one (Habernal and
Gurevych 2016), on a topic that the model has not seen, where they and all-MiniLM-L6-v2 are here.

It trains for minutes: `REAL_RUNS=1 pytest tests/engine/test_ranking_real.py -s` prints what is reached.
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from lifecycle.runtime.engine.base import MINILM, bundled_minilm

pytestmark = pytest.mark.engine
SHARED = Path(os.environ.get("SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
# topics, by what their names hold
HELD_OUT = {"personal-pursuit": "test", "physical-education": "validation"}
MOST = {"train": 1_000, "validation": 200}


def split_of(topic: str) -> str:
    return next((split for name, split in HELD_OUT.items() if name in topic), "train")


def preferences(path: Path) -> dict[str, list[dict]]:
    """The pairs by split, those of one topic in one."""
    found: dict[str, list[dict]] = {"train": [], "validation": [], "test": []}
    with path.open(encoding="utf-8", newline="") as file:
        for at, row in enumerate(csv.DictReader(file)):
            responses = [row[name].replace("<br/>", " ") for name in ("argument_1", "argument_2")]
            ranks = [0, 1] if row["more_convincing"] == "a1" else [1, 0]
            text = row["topic"].replace("_", ": ").replace("-", " ")
            found[split_of(row["topic"])].append(
                {"id": f"{at:064x}", "text": text, "responses": responses, "ranks": ranks}
            )
    return found


def test_real_weights_prefer_what_people_prefer_on_a_topic_that_they_have_not_seen(tmp_path, train_here):
    base, path = bundled_minilm(), SHARED / "preference_convarg" / "pairs_strict.csv"
    if not os.environ.get("REAL_RUNS"):
        pytest.skip("It trains for minutes: set REAL_RUNS=1.")
    if base is None or not path.is_file():
        pytest.skip(
            "The arguments or all-MiniLM-L6-v2 are not here: set SHARED_DATA, or put them into"
            " ../shared/data/preference_convarg."
        )
    rows = preferences(path)
    for split, most in MOST.items():
        drawn = np.random.default_rng(1).permutation(len(rows[split]))[:most]
        rows[split] = [rows[split][at] for at in sorted(drawn)]
    run, evaluation = tmp_path / "run", tmp_path / "evaluation"
    for folder in (run, evaluation):
        folder.mkdir()
    for split, some in rows.items():
        (run / f"{split}.jsonl").write_text("\n".join(map(json.dumps, some)) + "\n")
    model = {"path": str(base), "name": MINILM}
    spec = {
        "base": model,
        "labels": [],
        "task": "preference",
        "strategy": {"kind": "lora"},
        "epochs": 3,
        "batch_size": 16,
        "max_tokens": 160,
    }
    (run / "spec.json").write_text(json.dumps(spec | {"learning_rate": 2e-3}))
    assert train_here(run)["status"] == "succeeded"
    (evaluation / "data.jsonl").write_text((run / "test.jsonl").read_text())
    (evaluation / "train.jsonl").write_text((run / "train.jsonl").read_text())
    asked = {"artifact": str(run / "artifact"), "base": model, "baselines": True, "bootstrap": 200}
    (evaluation / "spec.json").write_text(json.dumps(asked))

    result = train_here(evaluation, verb="evaluate")

    reached = {name: each["pair_accuracy"] for name, each in result["baselines"].items()}
    print(
        {
            name: result[name]
            for name in (
                "rows",
                "pair_accuracy",
                "intervals",
                "ece",
                "longer_preferred",
                "longer_preferred_by_people",
            )
        },
        reached,
    )
    assert result["intervals"]["pair_accuracy"]["low"] > 0.5
    assert result["pair_accuracy"] > reached["tfidf_logreg"]
