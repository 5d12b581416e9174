"""Scanning for near duplicates through the real import, comparison, and job."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext

from datasets_app.queues.actions.opening import open_queue
from datasets_app.review.actions.reviews import adjudicate
from datasets_app.scanning import actions
from datasets_app.scanning.actions import near_duplicates
from datasets_app.scanning.models import DuplicateGroup, Finding, GroupMember, Scan, Tally
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.ledger.models import Event
from tests.support.datasets import csv_bytes, import_texts, make_dataset, receive
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import label_value
from tests.support.scanning import scan
from tests.support.unchanged import append_only, refused

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


@pytest.fixture
def scanned(dataset, ravi) -> Scan:
    return scan(dataset, ravi)


def test_near_duplicates_form_a_group_and_different_labels_are_their_own_finding(scanned):
    made = scanned
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
    assert list(Tally.objects.order_by("kind").values_list("kind", "open")) == [
        ("label_conflict", 1),
        ("near_duplicate", 1),
    ]
    assert list(Event.objects.order_by("id").values_list("verb", flat=True))[-2:] == [
        "scanning.requested",
        "scanning.ended",
    ]


def test_a_second_scan_of_the_same_data_adds_nothing(scanned, dataset, ravi):
    again = scan(dataset, ravi)

    assert (again.report["new"], again.report["again"], again.report["gone"]) == (0, 2, 0)
    assert (DuplicateGroup.objects.count(), GroupMember.objects.count(), Finding.objects.count()) == (1, 3, 2)
    assert Scan.objects.count() == 2
    assert list(Tally.objects.order_by("kind").values_list("kind", "open")) == [
        ("label_conflict", 1),
        ("near_duplicate", 1),
    ]


def test_a_dismissed_finding_stays_dismissed_and_a_group_that_grows_is_a_new_one(scanned, dataset, ana, ravi):
    old = Finding.objects.get(kind="near_duplicate")
    actions.dismiss(finding_id=old.uuid, actor=ravi, reason="Wanted: a template.")
    import_texts(dataset, [(f"{LONG} now", "card")], ana)
    grown = scan(dataset, ravi)

    assert (grown.report["new"], grown.report["again"], grown.report["gone"]) == (2, 0, 1)
    found = {(row.kind, row.status, row.group.size) for row in Finding.objects.all()}
    assert found == {
        ("near_duplicate", "dismissed", 3),
        ("near_duplicate", "open", 4),
        ("label_conflict", "gone", 3),
        ("label_conflict", "open", 4),
    }
    tally = Tally.objects.get(kind="label_conflict")
    assert (tally.open, tally.confirmed, tally.dismissed, tally.gone) == (1, 0, 0, 1)


def test_a_resolved_conflict_is_no_longer_found_and_returns_as_confirmed(scanned, dataset, ravi):
    conflict = Finding.objects.get(kind="label_conflict")
    actions.confirm(finding_id=conflict.uuid, actor=ravi)
    item = dataset.items.get(text=f"{LONG} me")
    original = item.decisions.get()
    queue = open_queue(dataset_id=dataset.uuid, actor=ravi, name="Settle", source="all")
    adjudicate(
        queue_id=queue.uuid,
        item_id=item.uuid,
        actor=ravi,
        value=label_value(queue.schema.labels.get(name="card")),
        reason="So.",
    )
    scan(dataset, ravi)
    conflict.refresh_from_db()

    assert conflict.status == "gone"
    assert item.decisions.exclude(pk=original.pk).get().label.name == "card"
    adjudicate(
        queue_id=queue.uuid,
        item_id=item.uuid,
        actor=ravi,
        value=label_value(queue.schema.labels.get(name="cash")),
        reason="No.",
    )
    scan(dataset, ravi)
    conflict.refresh_from_db()
    assert (conflict.status, Tally.objects.get(kind="label_conflict").confirmed) == ("confirmed", 1)


@pytest.mark.postgres
def test_another_scan_may_start_after_a_cancelled_one(dataset, ravi, monkeypatch):
    job = actions.scan(dataset=dataset, kind="near_duplicates", actor=ravi)
    real = near_duplicates.write

    def cancel_while_writing(*given):
        real(*given)
        jobs.cancel(job.uuid, ravi)

    monkeypatch.setattr(near_duplicates, "write", cancel_while_writing)
    run_jobs("scans")
    monkeypatch.undo()

    assert (Job.objects.get(pk=job.pk).state, Scan.objects.get().state) == ("cancelled", "cancelled")
    assert Finding.objects.filter(status="open").count() == 2
    assert scan(dataset, ravi).report["again"] == 2


def test_a_scan_that_is_run_again_after_a_crash_finds_the_same(dataset, ravi, monkeypatch):
    actions.scan(dataset=dataset, kind="near_duplicates", actor=ravi)
    real, calls = near_duplicates.write_groups, []

    def crash_once(*given):
        rows = real(*given)
        if not calls:
            calls.append(1)  # the groups are there, their findings are not
            raise ConnectionError("the database went away")
        return rows

    monkeypatch.setattr(near_duplicates, "write_groups", crash_once)
    run_ok("scans")

    assert (DuplicateGroup.objects.count(), GroupMember.objects.count(), Finding.objects.count()) == (1, 3, 2)
    assert Scan.objects.get().report["new"] == 2


def test_only_one_scan_of_a_kind_runs_at_once(dataset, ravi, lee):
    actions.scan(dataset=dataset, kind="near_duplicates", actor=ravi)
    with refused(by=Conflict):
        actions.scan(dataset=dataset, kind="near_duplicates", actor=lee)

    assert (Scan.objects.count(), Job.objects.filter(kind="scanning.near_duplicates").count()) == (1, 1)


def test_invalid_scans_are_refused(dataset, project, ana, ravi, mia):
    empty = make_dataset(project, ana)
    wrong = [(dataset, "spelling", ravi, Refused), (empty, "near_duplicates", ravi, Refused)]
    for into, kind, actor, error in [*wrong, (dataset, "near_duplicates", mia, PermissionDenied)]:
        with pytest.raises(error):
            actions.scan(dataset=into, kind=kind, actor=actor)

    assert not Scan.objects.exists()
    assert not Job.objects.filter(kind__startswith="scanning.").exists()


def test_items_of_an_upload_that_is_not_imported_are_not_read(dataset, ana, ravi):
    receive(dataset, ana, csv_bytes([(f"{LONG} again", "card")], ("text", "label")))

    assert scan(dataset, ravi).report["rows"] == 5


@pytest.mark.postgres
def test_groups_never_change(scanned):
    for model, change in ((DuplicateGroup, {"size": 9}), (GroupMember, {"first": 0.1})):
        with append_only(model):
            model.objects.update(**change)


def test_writing_takes_the_same_number_of_statements_however_many_groups_there_are(project, ana, ravi):
    taken = []
    for letters in ("abc", "abcdefghijklmnopqrst"):
        dataset = make_dataset(project, ana)
        texts = [" ".join(f"{letter}{n}" for n in range(12)) for letter in letters]
        import_texts(dataset, [text + end for text in texts for end in ("", " x")], ana)
        actions.scan(dataset=dataset, kind="near_duplicates", actor=ravi)
        with CaptureQueriesContext(connection) as statements:
            run_ok("scans")
        taken.append(len([one for one in statements if "jobs_job" not in one["sql"]]))

    assert DuplicateGroup.objects.count() == 3 + 20
    assert taken[0] == taken[1]
