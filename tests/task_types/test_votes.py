"""Annotations of people in a file are imported alike for every type: each row is one person's annotation, and
the usual rule resolves the item.
"""

from __future__ import annotations

import json

import pytest

from datasets_app.datasets.actions import imports as importing
from datasets_app.datasets.importing.mapping import Mapper
from datasets_app.datasets.importing.readers import Row
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.models import Annotation, Decision, Dispute
from datasets_app.schemas.queries.labels import names_ever, value_of
from lifecycle.runtime.task_types.answers import Value, canonical
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.values import labels_of, rename
from registry.ground.access.models import User
from tests.support.datasets import import_file, make_dataset
from tests.support.tools import lines
from tests.task_types.examples import EXAMPLES

# the number of the item, the person, and the number of the value
VOTES = [
    (1, "w1", 0),
    (1, "ana@x.org", 0),
    (2, "w1", 0),
    (2, "w2", 1),
    (3, "w2", 1),
    (4, "w1", None),
    (1, "w2", 0),
    (5, "w1", 1),
    (5, "w1", 0),
]


def cell_of(value: Value) -> str:
    """A value as people write it in a file."""
    (content,) = value.values()
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def imported(key, values, dataset, mia, **options) -> Upload:
    rows = [
        {
            **EXAMPLES[key].row(at),
            "id": f"r{at}",
            "worker": who,
            "said": "" if which is None else cell_of(values[which]),
        }
        for at, who, which in VOTES
    ]
    roles = {name: {"worker": "annotator", "said": "label"}.get(name, name) for name in rows[0]}
    return import_file(dataset, mia, lines(*rows), "votes.jsonl", mapping=roles, **options)


@pytest.fixture
def dataset(key, project, mia) -> Dataset:
    return make_dataset(project, mia, task=key)


def test_a_label_with_an_annotator_is_an_annotation_and_no_decision(key, values):
    cells = {
        name: cell if isinstance(cell, str) else json.dumps(cell)
        for name, cell in EXAMPLES[key].row(1).items()
    }
    roles = {**{name: name for name in cells}, "who": "annotator", "said": "label"}

    def draft(who: str, said: str):
        return Mapper(roles, task=key).draft(Row(2, {**cells, "who": who, "said": said}))

    for value in values:
        found = draft(" w1 ", cell_of(value))
        assert (found.value, [(each.person, each.value) for each in found.labeling.answers]) == (
            None,
            [("w1", value)],
        )
    assert draft("w1", "").labeling.answers == ()
    assert draft("", cell_of(values[0])).code == draft("w" * 101, cell_of(values[0])).code == "annotator"


@pytest.mark.django_db
def test_each_row_is_an_annotation_and_the_usual_rule_decides(key, values, dataset, mia, ana, monkeypatch):
    monkeypatch.setattr(importing, "BATCH", 2)
    User.objects.filter(pk=ana.pk).update(email="ana@x.org")

    upload = imported(key, values, dataset, mia)

    found, names = upload.report["dry_run"], names_ever(dataset)
    assert (found["blocked"], found["contradicting"], found["people"]) == (
        False,
        0,
        {"w1": 4, "w2": 3, "ana@x.org": 1},
    )
    assert (upload.parser, upload.rows_failed, upload.report["import"]["conflicts"]) == ("jsonl", 0, 0)
    assert Item.objects.count() == 5
    one, other = values[:2]
    first, second = (f"{who}, from votes.jsonl" for who in ("w1", "w2"))
    rows = Annotation.objects.order_by("id").select_related("item", "user", "label")
    assert sorted(
        (
            row.item.external_id,
            str(row.user),
            canonical(rename(value_of(row), names)),
            hasattr(row, "replaced_by"),
        )
        for row in rows
    ) == sorted(
        (item, who, canonical(value), replaced)
        for item, who, value, replaced in (
            ("r1", str(ana), one, False),
            ("r1", first, one, False),
            ("r1", second, one, False),
            ("r2", first, one, False),
            ("r2", second, other, False),
            ("r3", second, other, False),
            ("r5", first, other, True),
            ("r5", first, one, False),
        )
    )
    assert {
        row.item.external_id: (rename(value_of(row), names), row.how)
        for row in Decision.objects.select_related("item", "label")
    } == {"r1": (one, "unanimous"), "r3": (other, "single"), "r5": (one, "single")}
    assert [dispute.item.external_id for dispute in Dispute.objects.all()] == ["r2"]


@pytest.mark.django_db
def test_votes_as_pre_labels_decide_nothing(key, values, dataset, mia):
    imported(key, values, dataset, mia, labels_as="suggestions")

    votes = [
        (f"r{at}", f"{who}, votes.jsonl", values[which]) for at, who, which in VOTES if which is not None
    ]
    names = names_ever(dataset)
    rows = Suggestion.objects.select_related("item", "label")
    found = {(row.item.external_id, row.source_name, canonical(rename(value_of(row), names))) for row in rows}
    if type_of(key).labels_texts:  # each label is a pre-label
        expected = {
            (*vote, canonical({"label": label})) for *vote, value in votes for label in labels_of(value)
        }
    else:  # the first value of a person for an item
        first = {tuple(vote): canonical(value) for *vote, value in reversed(votes)}
        expected = {(*vote, value) for vote, value in first.items()}
    assert (found, rows.count()) == (expected, len(expected))
    assert (Annotation.objects.count(), Decision.objects.count()) == (0, 0)
