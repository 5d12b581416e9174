"""Near duplicates are in one split, like duplicates."""

import pytest

from datasets_app.scanning import actions as scanning
from datasets_app.scanning.models import Finding
from datasets_app.snapshots import queries
from datasets_app.snapshots.dividing import divide
from datasets_app.snapshots.rules import Row, leaked_rows
from tests.support.labeling import decided_dataset
from tests.support.scanning import scan
from tests.support.snapshots import freeze

SHARES = {"train": 60, "validation": 20, "test": 20}
NEAR = "please send me the new card that i ordered from you last week on a rainy {} evening"


def row(item: str, *, kept: str = "", normal: str = "") -> Row:
    return Row(item * 64, item, "d" * 64, "d", "card", normal or item * 64, "", kept, "")


def where(division) -> dict[str, str]:
    return {placed.row.item[0]: placed.split for placed in division.placed}


def test_texts_of_one_group_get_one_split():
    rows = [row(item) for item in "abcdef"]
    near = [("g1", "a" * 64), ("g1", "f" * 64), ("g2", "b" * 64), ("g2", "e" * 64)]
    for seed in range(20):
        division = divide(rows, seed=seed, shares=SHARES, near=near)
        found = where(division)
        assert (found["a"], found["b"]) == (found["f"], found["e"])
        assert division.near_rows == 4


def test_a_new_text_near_a_test_text_goes_to_test():
    rows = [row("a", kept="test"), row("b", kept="train"), row("c", kept="validation"), row("f")]
    assert where(divide(rows, seed=1, shares=SHARES, near=[("g", "a" * 64), ("g", "f" * 64)]))["f"] == "test"


def test_a_train_text_near_a_test_text_is_left_out():
    rows = [row("a", kept="test"), row("b", kept="train"), row("c", kept="train")]
    division = divide(rows, seed=1, shares=SHARES, near=[("g", "a" * 64), ("g", "b" * 64)])
    assert (where(division), dict(division.left_out), leaked_rows(division.placed)) == (
        {"a": "test", "c": "train"},
        {"leak": 1},
        0,
    )


def test_an_unlabeled_text_joins_its_near_duplicates():
    rows = [row("a", kept="test"), row("c")]
    near = [("g1", "a" * 64), ("g1", "b" * 64), ("g2", "b" * 64), ("g2", "c" * 64)]
    assert where(divide(rows, seed=1, shares=SHARES, near=near))["c"] == "test"


def test_the_order_of_rows_and_groups_changes_nothing():
    rows = [row(item) for item in "abcdef"]
    near = [("g1", "a" * 64), ("g1", "f" * 64), ("g2", "f" * 64), ("g2", "e" * 64)]
    one, other = (
        divide(found, seed=3, shares=SHARES, near=links)
        for found, links in ((rows, near), (rows[::-1], near[::-1]))
    )
    assert one.placed == other.placed


@pytest.fixture
def dataset(project, mia, ana):
    rows = [(f"text {n} says something of its own {n * 7919}", ("card", "billing")[n % 2]) for n in range(16)]
    rows += [(NEAR.format(word), "card") for word in ("tuesday", "thursday", "saturday", "monday")]
    return decided_dataset(project, ana, rows, manager=mia)


def sides(snapshot) -> set[str]:
    """The splits of the near duplicates."""
    rows = queries.with_items(snapshot, queries.open_snapshot(snapshot))
    return {found.split for found, item in rows if item.text.startswith("please send")}


@pytest.mark.django_db
def test_near_duplicates_of_a_scan_are_in_one_split(dataset, ravi, mia):
    scan(dataset, ravi)
    assert Finding.objects.get(kind="near_duplicate").group.size == 4
    snapshot = freeze(dataset, mia, shares=SHARES)
    assert len(sides(snapshot)) == 1
    assert (snapshot.leakage["scanned"], snapshot.leakage["near_rows"], snapshot.leakage["leaked"]) == (
        True,
        4,
        0,
    )


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_dismissed_group_is_ignored(dataset, ravi, mia):
    scan(dataset, ravi)
    finding = Finding.objects.get(kind="near_duplicate")
    scanning.dismiss(finding_id=finding.uuid, actor=ravi, reason="Four customers.", seen="open")
    assert freeze(dataset, mia, shares=SHARES).leakage["near_rows"] == 0


@pytest.mark.django_db
def test_a_snapshot_shows_that_near_duplicates_were_not_scanned(dataset, mia, client_for):
    snapshot = freeze(dataset, mia, shares=SHARES)
    assert (snapshot.leakage["scanned"], snapshot.leakage["near_rows"]) == (False, 0)
    page = client_for(mia).get(f"/dataset-versions/{snapshot.uuid}/").content.decode()
    assert 'data-near-duplicates="not-scanned"' in page
    assert f'href="/data-issues/dataset/{dataset.uuid}/"' in page
