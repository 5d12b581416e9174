"""Votes of a crowd in a table: each row is one person's annotation, and the order of the rows decides
nothing.
"""

from __future__ import annotations

import pytest

from datasets_app.datasets import actions, queries
from datasets_app.datasets.actions import imports as importing
from datasets_app.datasets.importing.mapping import check, propose
from datasets_app.datasets.models import Dataset, Item
from datasets_app.queues.models import Annotation, Decision, Dispute
from lifecycle.runtime.refusals import Refused
from registry.ground.access.models import User
from registry.ground.ledger.models import Event
from tests.support.datasets import csv_bytes, import_file, make_dataset, receive
from tests.support.jobs import run_ok

VOTES = [
    ("all agree", "w1", "yes"),
    ("all agree", "ana@x.org", "yes"),
    ("two differ", "w1", "yes"),
    ("two differ", "w2", "no"),
    ("one alone", "w2", "no"),
    ("nobody", "w1", ""),
    ("all agree", "w2", "yes"),
    ("changed", "w1", "no"),
    ("changed", "w1", "yes"),
]
TABLE = csv_bytes(VOTES, ["text", "worker", "label"])
PLAIN = csv_bytes([(text, label) for text, _, label in VOTES], ["text", "label"])


@pytest.fixture
def dataset(project, mia) -> Dataset:
    return make_dataset(project, mia)


def decided() -> dict[str, tuple[str, str]]:
    return {
        row.item.text: (row.label.name, row.how) for row in Decision.objects.select_related("item", "label")
    }


# ── Mapping ─────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("column", ["annotator", "Worker", "worker_id", "!amt_worker_ids", "rater"])
def test_a_column_of_annotators_is_proposed_by_its_name(column):
    assert propose(["text", column, "label"], []) == {"text": "text", column: "annotator", "label": "label"}


def test_a_mapping_with_annotators_but_no_labels_is_rejected():
    assert [problem.blocks for problem in check({"text": "text", "who": "annotator"}, ["text", "who"])] == [
        True
    ]


# ── Votes ───────────────────────────────────────────────────────────────────
@pytest.mark.django_db
def test_each_row_becomes_an_annotation_and_the_usual_rule_decides(dataset, mia, ana):
    User.objects.filter(pk=ana.pk).update(email="ana@x.org")
    upload = import_file(dataset, mia, TABLE, "votes.csv")

    found = upload.report["dry_run"]
    assert (found["blocked"], found["contradicting"], found["people"]) == (
        False,
        0,
        {"w1": 4, "w2": 3, "ana@x.org": 1},
    )
    assert Item.objects.count() == 5
    rows = Annotation.objects.order_by("id").select_related("item", "user", "label")
    assert sorted(
        (row.item.text, str(row.user), row.label.name, hasattr(row, "replaced_by")) for row in rows
    ) == [
        ("all agree", str(ana), "yes", False),
        ("all agree", "w1, from votes.csv", "yes", False),
        ("all agree", "w2, from votes.csv", "yes", False),
        ("changed", "w1, from votes.csv", "no", True),
        ("changed", "w1, from votes.csv", "yes", False),
        ("one alone", "w2, from votes.csv", "no", False),
        ("two differ", "w1, from votes.csv", "yes", False),
        ("two differ", "w2, from votes.csv", "no", False),
    ]
    assert decided() == {
        "all agree": ("yes", "unanimous"),
        "one alone": ("no", "single"),
        "changed": ("yes", "single"),
    }
    assert [dispute.item.text for dispute in Dispute.objects.all()] == ["two differ"]
    assert upload.report["import"]["conflicts"] == 0


# ── No annotator is named ───────────────────────────────────────────────────
@pytest.mark.django_db
def test_equal_texts_with_different_labels_block_the_dry_run(dataset, mia, client_for):
    upload = receive(dataset, mia, PLAIN)
    found = upload.report["dry_run"]

    assert (found["blocked"], found["counts"], found["contradicting"]) == (True, {"contradicting": 1}, 2)
    assert found["contradictions"] == [
        {"rows": [{"line": 4, "member": "", "label": "yes"}, {"line": 5, "member": "", "label": "no"}]},
        {"rows": [{"line": 9, "member": "", "label": "no"}, {"line": 10, "member": "", "label": "yes"}]},
    ]
    events = Event.objects.count()
    with pytest.raises(Refused):
        actions.accept_upload(upload_id=upload.uuid, actor=mia)
    upload.refresh_from_db()
    assert (upload.state, Item.objects.count(), Event.objects.count()) == ("inspected", 0, events)
    page = client_for(mia).get(f"/datasets/uploads/{upload.uuid}/").content.decode()
    assert 'name="contradicting"' in page
    assert 'id="contradictions"' in page


@pytest.mark.django_db
@pytest.mark.parametrize("batch", [1_000, 2])
@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("first", {"all agree": "yes", "two differ": "yes", "one alone": "no", "changed": "no"}),
        ("unlabeled", {"all agree": "yes", "one alone": "no"}),
    ],
)
def test_the_choice_for_conflicting_labels_is_applied(dataset, mia, monkeypatch, batch, choice, expected):
    monkeypatch.setattr(importing, "BATCH", batch)
    import_file(dataset, mia, PLAIN, contradicting=choice)

    assert {text: label for text, (label, _) in decided().items()} == expected
    assert (Item.objects.count(), Annotation.objects.count()) == (5, 0)


@pytest.mark.django_db
def test_conflicts_beyond_the_dry_run_are_left_unresolved(dataset, mia, monkeypatch):
    monkeypatch.setattr("datasets_app.datasets.importing.dry_run.REPEATS_LIMIT", 1)
    upload = import_file(dataset, mia, PLAIN)

    assert upload.report["dry_run"]["contradicting"] == 0
    assert sorted(decided()) == ["all agree", "one alone"]
    assert upload.report["import"]["conflicts"] == 2


@pytest.mark.django_db
def test_the_choice_is_part_of_the_seen_digest_and_is_made_over_the_page_and_the_api(
    dataset, mia, client_for
):
    upload, client = receive(dataset, mia, PLAIN), client_for(mia)
    before = queries.seen_digest(upload)

    reading = {
        "encoding": "utf-8",
        "parser": "csv",
        "delimiter": ",",
        "has_header": "on",
        "column_0": "text",
        "column_1": "label",
    }
    client.post(f"/datasets/uploads/{upload.uuid}/inspect/", reading | {"contradicting": "first"})
    upload.refresh_from_db()
    assert (upload.contradicting, upload.report["dry_run"]["blocked"]) == ("first", False)
    assert queries.seen_digest(upload) != before

    body = client.post(
        f"/api/v1/uploads/{upload.uuid}/inspect/",
        {"contradicting": "unlabeled"},
        content_type="application/json",
    ).json()
    assert (body["contradicting"], body["looking"], body["report"]["dry_run"]["contradicting"]) == (
        "unlabeled",
        False,
        2,
    )
    wrong = client.post(
        f"/api/v1/uploads/{upload.uuid}/inspect/", {"contradicting": "last"}, content_type="application/json"
    )
    assert wrong.status_code == 400


@pytest.mark.django_db
def test_a_cancelled_choice_asks_again(dataset, mia):
    upload = receive(dataset, mia, PLAIN, contradicting="first")

    assert (
        actions.inspect(upload_id=upload.uuid, actor=mia, contradicting="").report["dry_run"]["blocked"]
        is True
    )
    assert run_ok() == []
