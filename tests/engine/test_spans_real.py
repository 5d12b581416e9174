"""Real weights on real rows with spans: WNUT 2017, whose entities were not seen in training, where it
and all-MiniLM-L6-v2 are here.

It trains for minutes: `REAL_RUNS=1 pytest tests/engine/test_spans_real.py -s` prints what is reached.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks.quality import WNUT, sentences
from lifecycle.runtime.engine.base import MINILM, bundled_minilm

pytestmark = pytest.mark.engine
SHARED = Path(os.environ.get("SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def test_real_weights_find_entities_outside_any_dictionary(tmp_path, train_here):
    base = bundled_minilm()
    if not os.environ.get("REAL_RUNS"):
        pytest.skip("It trains for minutes: set REAL_RUNS=1.")
    if base is None or not (SHARED / "wnut17").is_dir():
        pytest.skip(
            "WNUT 2017 or all-MiniLM-L6-v2 is not here: set SHARED_DATA, or put it into"
            " ../shared/data/wnut17."
        )
    run, evaluation = tmp_path / "run", tmp_path / "evaluation"
    run.mkdir()
    evaluation.mkdir()
    rows = {
        split: [{"id": f"{at:064x}"} | row for at, row in enumerate(sentences(SHARED / "wnut17" / name))]
        for split, name in WNUT.items()
    }
    for split, some in rows.items():
        (run / f"{split}.jsonl").write_text("\n".join(map(json.dumps, some)) + "\n")
    labels = sorted({span["label"] for row in rows["train"] for span in row["spans"]})
    model = {"path": str(base), "name": MINILM}
    strategy = {"kind": "lora", "rank": 16, "alpha": 32.0}
    spec = {
        "base": model,
        "labels": labels,
        "task": "spans",
        "strategy": strategy,
        "learning_rate": 2e-3,
        "epochs": 4,
        "seed": 1,
    }
    (run / "spec.json").write_text(json.dumps(spec))
    assert train_here(run)["status"] == "succeeded"
    (evaluation / "data.jsonl").write_text((run / "test.jsonl").read_text())
    (evaluation / "train.jsonl").write_text((run / "train.jsonl").read_text())
    asked = {"artifact": str(run / "artifact"), "base": model, "baselines": True, "bootstrap": 200}
    (evaluation / "spec.json").write_text(json.dumps(asked))

    result = train_here(evaluation, verb="evaluate")

    print(
        {
            name: result[name]
            for name in (
                "micro_f1",
                "micro_precision",
                "micro_recall",
                "macro_f1",
                "kinds",
                "lost",
                "baselines",
            )
        }
    )
    assert (
        result["micro_f1"]
        > result["baselines"]["frozen_base_logreg"]["micro_f1"]
        > result["baselines"]["dictionary"]["micro_f1"]
    )
