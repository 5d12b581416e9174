"""Real weights on real rows of several labels: GoEmotions, where it and all-MiniLM-L6-v2 are on this machine.

It trains for minutes: `REAL_RUNS=1 pytest tests/engine/test_multi_label_real.py -s` prints what is reached.
"""

import csv
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from lifecycle.runtime.engine.base import MINILM, bundled_minilm
from tests.engine.inbox import write_rows

pytestmark = pytest.mark.engine
SHARED = Path(os.environ.get("SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
LABELS = 8  # the most frequent ones; rows keep those of theirs that are among them


def emotions(name, rows):
    """(text, names) of the first rows of a file, without what is neutral."""
    names = (SHARED / "goemotions" / "labels.txt").read_text().split()
    with (SHARED / "goemotions" / name).open(encoding="utf-8", newline="") as file:
        found = [
            (text, [names[int(at)] for at in labels.split(",")])
            for text, labels, _ in csv.reader(file, "excel-tab", quoting=csv.QUOTE_NONE)
        ]
    return [(text, [name for name in labels if name != "neutral"]) for text, labels in found[:rows]]


def test_real_weights_learn_real_rows_better_than_words_do(tmp_path, train_here):
    base = bundled_minilm()
    if not os.environ.get("REAL_RUNS"):
        pytest.skip("It trains for minutes: set REAL_RUNS=1.")
    if base is None or not (SHARED / "goemotions").is_dir():
        pytest.skip(
            "GoEmotions or all-MiniLM-L6-v2 is not here: set SHARED_DATA, or put it into"
            " ../shared/data/goemotions."
        )
    train, asked = emotions("dev.tsv", 1800), emotions("test.tsv", 800)
    kept = [name for name, _ in Counter(name for _, some in train for name in some).most_common(LABELS)]
    train, asked = (
        [(text, [name for name in some if name in kept]) for text, some in rows] for rows in (train, asked)
    )
    run, evaluation = tmp_path / "run", tmp_path / "evaluation"
    run.mkdir()
    evaluation.mkdir()
    write_rows(run / "train.jsonl", train[:1300])
    write_rows(run / "validation.jsonl", train[1300:])
    model = {"path": str(base), "name": MINILM}
    spec = {
        "base": model,
        "labels": kept,
        "task": "multi_label",
        "strategy": {"kind": "lora"},
        "learning_rate": 2e-3,
        "epochs": 4,
        "seed": 1,
    }
    (run / "spec.json").write_text(json.dumps(spec))
    assert train_here(run)["status"] == "succeeded"
    write_rows(evaluation / "data.jsonl", asked)
    write_rows(evaluation / "train.jsonl", train[:1300])
    (evaluation / "spec.json").write_text(
        json.dumps({"artifact": str(run / "artifact"), "baselines": True, "bootstrap": 0})
    )

    result = train_here(evaluation, verb="evaluate")

    print(
        {
            name: round(result[name], 4)
            for name in ("macro_f1", "micro_f1", "subset_accuracy", "lrap", "macro_ap", "ece")
        },
        result["baselines"],
    )
    assert (
        result["macro_f1"]
        > result["baselines"]["tfidf_logreg"]["macro_f1"]
        > result["baselines"]["majority"]["macro_f1"]
    )
    assert result["micro_f1"] > result["baselines"]["tfidf_logreg"]["micro_f1"]
    assert any(each["threshold"] != 0.5 for each in result["per_class"])
