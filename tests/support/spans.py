"""Span datasets, and synthetic predictions of a span model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from datasets_app.datasets.models import Dataset
from datasets_app.snapshots.manifest import ManifestRow
from datasets_app.snapshots.models import Snapshot
from lifecycle.runtime.task_types.spans import measures as spans
from lifecycle.runtime.task_types.spans import predictions as span_predictions
from lifecycle.runtime.task_types.spans.measures import SpanPredictions
from lifecycle.runtime.task_types.spans.tagging import Found, Span
from registry.ground.access.models import Project, User
from tests.support.datasets import import_texts, make_dataset
from tests.support.snapshots import freeze

ENTITIES = {
    "card": "thing",
    "order": "thing",
    "invoice": "thing",
    "money back": "wish",
    "refund": "wish",
    "password reset": "wish",
}
TEXTS = (
    *(
        "my card is lost",
        "card stolen please help",
        "the card not arrived",
        "where is my card",
        "money back please",
        "refund my order",
    ),
    *(
        "cancel the order money back",
        "where is my refund",
        "password reset please",
        "wrong invoice",
        "thanks help",
        "refund late",
    ),
)


def spans_in(text: str) -> list[dict[str, Any]]:
    """The spans in one of these texts."""
    found = [
        {"start": at, "end": at + len(part), "label": label}
        for part, label in ENTITIES.items()
        if (at := text.find(part)) >= 0
    ]
    return sorted(found, key=lambda each: each["start"])


def spans_dataset(project: Project, user: User, *, copies: int = 4, name: str = "") -> Dataset:
    """A dataset whose rows are all labeled: each text `copies` times, made unique by a number word. user: may
    upload.
    """
    dataset = make_dataset(project, user, name, task="spans")
    texts = [f"{text} {at}" if at else text for text in TEXTS for at in range(copies)]
    import_texts(
        dataset, [(text, json.dumps(spans_in(text))) for text in texts], user, header=("text", "spans")
    )
    return dataset


def spans_snapshot(project: Project, user: User, **options: Any) -> Snapshot:
    """A version of it with rows in all three splits. user: engineer or lead."""
    shares = options.pop("shares", {"train": 60, "validation": 20, "test": 20})
    return freeze(spans_dataset(project, user, **options), user, shares=shares)


def predictions(
    labels: Sequence[str], rows: Sequence[ManifestRow], accuracy: float, seed: int
) -> SpanPredictions:
    """Synthetic predictions: a share of the spans is correct; the others start one character late, have
    another label, or are missing.
    """
    random = np.random.default_rng(seed)
    truth: list[tuple[Span, ...]] = []
    found: list[tuple[Found, ...]] = []
    for row in rows:
        true = tuple(
            (each["start"], each["end"], labels.index(each["label"])) for each in json.loads(row.label)
        )
        some = []
        for number, (start, end, label) in enumerate(true):
            sure = float(random.uniform(0.55, 0.99))
            if random.random() < accuracy:
                some.append(Found(start, end, label, sure))
            elif (kind := (len(truth) + number) % 3) < 2:
                some.append(
                    Found(start + 1, end, label, sure)
                    if kind
                    else Found(start, end, (label + 1) % len(labels), sure)
                )
        truth.append(true)
        found.append(tuple(some))
    zeros = np.zeros(len(rows))
    return SpanPredictions(
        tuple(labels), tuple(row.item for row in rows), tuple(truth), tuple(found), zeros + 0.5, zeros + 5
    )


def report_of(made: SpanPredictions) -> dict[str, Any]:
    """The engine's report of them."""
    return spans.ENTRY.report(made, count=200)


def nothing(made: SpanPredictions) -> SpanPredictions:
    """The predictions of the baseline that finds no span."""
    return SpanPredictions(made.labels, made.ids, made.truth, ((),) * len(made.ids), made.loss, made.tokens)


write = span_predictions.ENTRY.write
