"""Scanning for near duplicates through the real import, the real comparison and the real job."""

from __future__ import annotations

import pytest

from datasets_app.scanning.models import DuplicateGroup, Finding, GroupMember, Scan, Tally
from registry.ledger.models import Event
from tests.support.datasets import import_texts, make_dataset
from tests.support.scanning import scan

pytestmark = pytest.mark.django_db
LONG = "My card was charged twice for the same coffee this morning and nobody answers"
ROWS = [
    (LONG, "card"),
    (f"{LONG}!", "card"),
    (f"{LONG} me", "cash"),
    ("Where can I find the nearest machine that gives out cash?", "cash"),
    ("How long does a transfer to another country take?", "transfer"),
]


@pytest.fixture
def dataset(project, ana):
    dataset = make_dataset(project, ana)
    import_texts(dataset, ROWS, ana)
    return dataset


def test_near_texts_are_a_group_and_contradicting_labels_a_finding_of_their_own(dataset, ravi):
    made = scan(dataset, ravi)
    group = DuplicateGroup.objects.get()
    members = list(group.members.order_by("item_id").values_list("item__text", "nearest", "first"))

    assert (made.state, made.report) == (
        "done",
        {"rows": 5, "groups": 1, "conflicts": 1, "repeats": 2, "new": 2, "again": 0, "gone": 0},
    )
    # 73 of its 76 runs of 5 characters
    assert members == [(LONG, 1.0, 1.0), (f"{LONG}!", 1.0, 1.0), (f"{LONG} me", 0.960526, 0.960526)]
    assert (group.size, group.opening.text) == (3, LONG)
    found = list(Finding.objects.order_by("kind").values_list("kind", "status", "score", "labels", "item"))
    assert found == [
        ("label_conflict", "open", 0.333333, {"card": 2, "cash": 1}, None),
        ("near_duplicate", "open", 0.960526, {"card": 2, "cash": 1}, None),
    ]
    assert list(Tally.objects.order_by("kind").values_list("kind", "open")) == [("label_conflict", 1), ("near_duplicate", 1)]
    assert list(Event.objects.order_by("id").values_list("verb", flat=True))[-2:] == ["scanning.requested", "scanning.ended"]


def test_a_second_scan_of_the_same_data_adds_nothing(dataset, ravi):
    scan(dataset, ravi)
    again = scan(dataset, ravi)

    assert (again.report["new"], again.report["again"], again.report["gone"]) == (0, 2, 0)
    assert (DuplicateGroup.objects.count(), GroupMember.objects.count(), Finding.objects.count()) == (1, 3, 2)
    assert Scan.objects.count() == 2
    assert list(Tally.objects.order_by("kind").values_list("kind", "open")) == [("label_conflict", 1), ("near_duplicate", 1)]
