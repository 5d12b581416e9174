"""A page of Hugging Face's Trainer on the rows of a run folder, as its documentation has it: `python -m
benchmarks.quality_peer DIR`.

One class or any number of a text (AutoModelForSequenceClassification), or spans
(AutoModelForTokenClassification over whole words, the first piece of each has its tag). Leaves peer.json: the
score on test.jsonl (macro-F1 of one class, of any number, micro-F1 of spans) and the CPU seconds of training.
Where a text may have any number, the threshold that all classes share is the best one for the validation
rows; the documentation's 0.5 is reported too, at which a script trained on few rows predicts no class at all.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.utils import logging

PARTS = ("train", "validation", "test")
THRESHOLDS = np.linspace(0.02, 0.98, 49)
Row = dict[str, Any]


def words(row: Row) -> list[tuple[str, int]]:
    """The words of a text, with where each begins."""
    found, at = [], 0
    for word in row["text"].split(" "):
        found.append((word, at))
        at += len(word) + 1
    return found


def tagged(row: Row, tags: dict[str, int]) -> list[int]:
    """The tag of each word."""
    begins = {each["start"]: each for each in row["spans"]}
    found, inside = [], None
    for _, at in words(row):
        if at in begins:
            inside = begins[at]
            found.append(tags[f"B-{inside['label']}"])
        elif inside and at < inside["end"]:
            found.append(tags[f"I-{inside['label']}"])
        else:
            inside = None
            found.append(0)
    return found


def spans(row: Row, tags: list[str]) -> set[tuple[int, int, str]]:
    """The spans of tags, one per word; an I- tag without a predecessor begins a span."""
    found: list[list[Any]] = []
    before = ""
    for (word, at), tag in zip(words(row), tags, strict=True):
        kind = tag[2:]
        if tag.startswith("I-") and kind == before and found:
            found[-1][1] = at + len(word)
        elif tag != "O":
            found.append([at, at + len(word), kind])
        before = kind
    return {tuple(each) for each in found}


def main() -> None:
    """Train, answer, score."""
    logging.set_verbosity_error()
    folder = Path(sys.argv[1])
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    rows = {
        name: list(map(json.loads, (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()))
        for name in PARTS
    }
    set_seed(spec["seed"])
    path, labels, task = spec["base"]["path"], spec["labels"], spec["task"]
    tokenizer = AutoTokenizer.from_pretrained(path)
    tags = {
        tag: at for at, tag in enumerate(["O", *(f"{place}-{label}" for label in labels for place in "BI")])
    }

    def encoded(row: Row) -> Row:
        if task != "spans":
            found = dict(tokenizer(row["text"], truncation=True, max_length=spec["max_tokens"]))
            truth = (
                labels.index(row["label"])
                if task == "single_label"
                else [float(label in row["labels"]) for label in labels]
            )
            return found | {"labels": truth}
        found = tokenizer(
            [word for word, _ in words(row)],
            is_split_into_words=True,
            truncation=True,
            max_length=spec["max_tokens"],
        )
        truth, ids = tagged(row, tags), found.word_ids()
        first = [each is not None and each != before for each, before in zip(ids, [None, *ids], strict=False)]
        return dict(found) | {
            "labels": [truth[each] if is_first else -100 for each, is_first in zip(ids, first, strict=True)],
            "ids": ids,
        }

    kind, outputs = (
        (AutoModelForTokenClassification, len(tags))
        if task == "spans"
        else (AutoModelForSequenceClassification, len(labels))
    )
    problem = {"problem_type": "multi_label_classification"} if task == "multi_label" else {}
    model = kind.from_pretrained(path, num_labels=outputs, **problem)
    parts = {name: [encoded(row) for row in some] for name, some in rows.items()}
    places = {name: [row.pop("ids", None) for row in some] for name, some in parts.items()}
    trainer = Trainer(
        model=model,
        train_dataset=parts["train"],
        data_collator=(
            DataCollatorForTokenClassification(tokenizer)
            if task == "spans"
            else DataCollatorWithPadding(tokenizer)
        ),
        args=TrainingArguments(
            output_dir=str(folder / "peer"),
            num_train_epochs=spec["epochs"],
            per_device_train_batch_size=spec["batch_size"],
            per_device_eval_batch_size=64,
            learning_rate=spec["learning_rate"],
            weight_decay=spec["weight_decay"],
            warmup_steps=spec["warmup_fraction"],
            use_cpu=True,
            seed=spec["seed"],
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        ),
    )
    busy = time.process_time()
    trainer.train()
    busy = time.process_time() - busy
    logits, extra = trainer.predict(parts["test"]).predictions, {}
    if task == "single_label":
        truth = [labels.index(row["label"]) for row in rows["test"]]
        score = f1_score(truth, logits.argmax(-1), average="macro")
    elif task == "multi_label":
        validating = trainer.predict(parts["validation"]).predictions
        threshold = max(THRESHOLDS, key=lambda each: macro_f1(parts["validation"], validating, each))
        score = macro_f1(parts["test"], logits, threshold)
        extra = {
            "threshold": round(float(threshold), 2),
            "score_at_half": macro_f1(parts["test"], logits, 0.5),
        }
    else:
        score = micro_f1(rows["test"], logits, places["test"], list(tags))
    (folder / "peer.json").write_text(json.dumps({"score": float(score), "cpu_s": round(busy, 1)} | extra))


def macro_f1(rows: list[Row], logits: Any, threshold: float) -> float:
    """Of texts that have every class whose probability reaches the threshold."""
    truth = np.array([row["labels"] for row in rows])
    return float(f1_score(truth, 1 / (1 + np.exp(-logits)) >= threshold, average="macro", zero_division=0))


def micro_f1(rows: list[Row], logits: Any, places: list[list[int | None]], tags: list[str]) -> float:
    """Of spans that are right in place and class."""
    right = called = true = 0
    for row, scores, ids in zip(rows, logits, places, strict=True):
        predicted, best = ["O"] * len(words(row)), scores.argmax(-1)
        for at, (word, before) in enumerate(zip(ids, [None, *ids], strict=False)):
            if word is not None and word != before:
                predicted[word] = tags[int(best[at])]
        found, wanted = (
            spans(row, predicted),
            {(each["start"], each["end"], each["label"]) for each in row["spans"]},
        )
        right, called, true = right + len(found & wanted), called + len(found), true + len(wanted)
    return 2 * right / max(called + true, 1)


if __name__ == "__main__":
    main()
