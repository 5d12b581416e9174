"""Real weights on real rows with marked parts: WNUT 2017, whose entities were not seen in training, where it and all-MiniLM-L6-v2 are here.

It trains for minutes: `REAL_RUNS=1 pytest tests/engine/test_spans_real.py -s` prints what is reached.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lifecycle.engine.base import MINILM, bundled_minilm

pytestmark = pytest.mark.engine
SHARED = Path(os.environ.get("SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
FILES = {"train": "wnut17train.conll", "validation": "emerging.dev.conll", "test": "emerging.test.annotated"}


def sentences(name: str) -> list[dict[str, Any]]:
    """The rows of a file: words joined by blanks, with the spans of their IOB2 tags."""
    rows: list[dict[str, Any]] = []
    text, spans = "", []
    for line in [*(SHARED / "wnut17" / name).read_text(encoding="utf-8").splitlines(), ""]:
        word, _, tag = (each.strip() for each in line.partition("\t"))
        if not word or not tag:
            if text:
                rows.append({"id": f"{len(rows):064x}", "text": text, "spans": spans})
            text, spans = "", []
            continue
        start = len(text) + 1 if text else 0
        text = f"{text} {word}" if text else word
        if tag.startswith("B-"):
            spans.append({"start": start, "end": len(text), "label": tag[2:]})
        elif tag.startswith("I-"):
            spans[-1]["end"] = len(text)
    return rows


def test_real_weights_mark_entities_that_no_dictionary_knows(tmp_path, train_here):
    base = bundled_minilm()
    if not os.environ.get("REAL_RUNS"):
        pytest.skip("It trains for minutes: set REAL_RUNS=1.")
    if base is None or not (SHARED / "wnut17").is_dir():
        pytest.skip("WNUT 2017 or all-MiniLM-L6-v2 is not here: set SHARED_DATA, or put it into ../shared/data/wnut17.")
    run, evaluation = tmp_path / "run", tmp_path / "evaluation"
    run.mkdir()
    evaluation.mkdir()
    rows = {split: sentences(name) for split, name in FILES.items()}
    for split, some in rows.items():
        (run / f"{split}.jsonl").write_text("\n".join(map(json.dumps, some)) + "\n")
    labels = sorted({span["label"] for row in rows["train"] for span in row["spans"]})
    told = {"path": str(base), "name": MINILM}
    strategy = {"kind": "lora", "rank": 16, "alpha": 32.0}
    spec = {"base": told, "labels": labels, "task": "spans", "strategy": strategy, "learning_rate": 2e-3, "epochs": 4, "seed": 1}
    (run / "spec.json").write_text(json.dumps(spec))
    assert train_here(run)["status"] == "succeeded"
    (evaluation / "data.jsonl").write_text((run / "test.jsonl").read_text())
    (evaluation / "train.jsonl").write_text((run / "train.jsonl").read_text())
    asked = {"artifact": str(run / "artifact"), "base": told, "baselines": True, "bootstrap": 200}
    (evaluation / "spec.json").write_text(json.dumps(asked))

    result = train_here(evaluation, verb="evaluate")

    print({name: result[name] for name in ("micro_f1", "micro_precision", "micro_recall", "macro_f1", "kinds", "lost", "baselines")})
    assert result["micro_f1"] > result["baselines"]["frozen_base_logreg"]["micro_f1"] > result["baselines"]["dictionary"]["micro_f1"]
