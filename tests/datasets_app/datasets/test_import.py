"""Accepting an upload: a job creates the items, which become visible together."""

from __future__ import annotations

import pytest

from datasets_app.datasets import actions, queries
from datasets_app.datasets.actions import imports as importing
from datasets_app.datasets.models import Item, Upload
from datasets_app.datasets.rules import UploadState
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.ledger.models import Event
from tests.support.datasets import csv_bytes, import_texts, make_dataset, receive
from tests.support.jobs import run_jobs, run_ok
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset(project, ana):
    return make_dataset(project, ana)


def test_texts_become_items_with_their_lines_and_digests(dataset, ana):
    upload = import_texts(dataset, ["first text", "second\ntext", "third"], ana)

    assert [(item.text, item.line) for item in queries.items(dataset)] == [
        ("first text", 2),
        ("second\ntext", 3),
        ("third", 5),
    ]
    assert (upload.state, upload.rows_read, upload.rows_new, upload.rows_duplicate, upload.rows_failed) == (
        "imported",
        3,
        3,
        0,
        0,
    )
    dataset.refresh_from_db()
    assert dataset.items_total == 3
    assert list(Event.objects.order_by("id").values_list("verb", flat=True))[-3:] == [
        "datasets.created",
        "datasets.upload_accepted",
        "datasets.upload_imported",
    ]


def test_nothing_appears_before_the_job_is_done(dataset, ana):
    upload = receive(dataset, ana, csv_bytes([["a"], ["b"]], ["text"]))
    actions.accept_upload(upload_id=upload.uuid, actor=ana)

    assert not queries.items(dataset).exists()
    assert Item.objects.count() == 0


def test_importing_a_file_twice_adds_nothing_and_reports_duplicates(dataset, ana):
    import_texts(dataset, ["a", "b", "b"], ana)
    second = import_texts(dataset, ["a", "b", "b"], ana)

    assert (second.rows_new, second.rows_duplicate) == (0, 3)
    assert queries.imported_before(second) is not None
    assert queries.items(dataset).count() == 2


def test_duplicates_are_counted_with_the_line_of_the_first(dataset, ana):
    upload = import_texts(dataset, ["a", "b", "a"], ana)

    assert upload.report["import"]["cases"] == [
        {"line": 4, "member": "", "first_line": 2, "first_member": "", "same_file": True, "conflict": False}
    ]


@pytest.mark.postgres
def test_after_a_crash_nothing_is_visible_and_the_job_resumes(dataset, ana, monkeypatch):
    monkeypatch.setattr(importing, "BATCH", 2)
    written = importing.write_batch
    calls = []

    def crash_at_third(*args, **kwargs):
        calls.append(args)
        if len(calls) == 3:
            raise ConnectionError("gone")
        written(*args, **kwargs)

    monkeypatch.setattr(importing, "write_batch", crash_at_third)
    seen_midway = []
    monkeypatch.setattr(
        importing, "remove_leftovers", lambda *_: seen_midway.append(queries.items(dataset).count())
    )
    upload = import_texts(dataset, [f"text {n}" for n in range(9)], ana)

    assert Job.objects.get(kind="datasets.import").attempt == 2
    assert seen_midway == [0]  # the second attempt resumed from the checkpoint
    assert len(calls) == 6
    assert [item.text for item in queries.items(dataset)] == [f"text {n}" for n in range(9)]
    assert upload.rows_new == 9


def test_a_failed_import_leaves_no_item_and_can_be_retried(dataset, ana, monkeypatch):
    monkeypatch.setattr(importing, "BATCH", 2)
    with monkeypatch.context() as patch:
        patch.setattr(
            importing,
            "finish",
            lambda *_: (_ for _ in ()).throw(Refused("The shelf broke.", next_step="Mend it.")),
        )
        upload = receive(dataset, ana, csv_bytes([[f"t{n}"] for n in range(5)], ["text"]))
        actions.accept_upload(upload_id=upload.uuid, actor=ana)
        run_jobs()
    upload.refresh_from_db()

    assert upload.state == UploadState.FAILED
    assert upload.report["error"] == {"message": "The shelf broke.", "next_step": "Mend it."}
    assert Item.objects.count() == 0

    actions.accept_upload(upload_id=upload.uuid, actor=ana)
    run_ok()
    assert queries.items(dataset).count() == 5


def test_cancelling_removes_written_items_and_the_upload_needs_review_again(dataset, ana, monkeypatch):
    monkeypatch.setattr(importing, "BATCH", 2)
    written = importing.write_batch

    def cancel_after_first(*args, **kwargs):
        written(*args, **kwargs)
        job = Job.objects.get(kind="datasets.import")
        if job.cancel_requested_at is None:
            jobs.cancel(job.uuid, ana)

    monkeypatch.setattr(importing, "write_batch", cancel_after_first)
    upload = receive(dataset, ana, csv_bytes([[f"t{n}"] for n in range(9)], ["text"]))
    actions.accept_upload(upload_id=upload.uuid, actor=ana)
    run_jobs()
    upload.refresh_from_db()

    assert upload.state == UploadState.INSPECTED
    assert Item.objects.count() == 0
    assert Job.objects.get(kind="datasets.import").state == "cancelled"


def test_a_dataset_has_one_import_at_a_time(dataset, ana):
    first = receive(dataset, ana, csv_bytes([["a"]], ["text"]), "first.csv")
    second = receive(dataset, ana, csv_bytes([["b"]], ["text"]), "second.csv")
    actions.accept_upload(upload_id=first.uuid, actor=ana)

    with refused(by=Conflict, naming=("first.csv",)):
        actions.accept_upload(upload_id=second.uuid, actor=ana)

    second.refresh_from_db()
    assert second.state == UploadState.INSPECTED


def test_a_double_click_imports_once(dataset, ana):
    upload = receive(dataset, ana, csv_bytes([["a"]], ["text"]))
    actions.accept_upload(upload_id=upload.uuid, actor=ana)

    with pytest.raises(Conflict):
        actions.accept_upload(upload_id=upload.uuid, actor=ana)

    assert Job.objects.filter(kind="datasets.import").count() == 1


def test_accepting_an_upload_that_changed_meanwhile_is_refused(dataset, ana):
    upload = receive(dataset, ana, csv_bytes([["a", "b"]], ["text", "note"]))
    seen = queries.seen_digest(upload)
    actions.set_mapping(upload_id=upload.uuid, actor=ana, mapping={"note": "text"})

    with refused(by=Conflict):
        actions.accept_upload(upload_id=upload.uuid, actor=ana, seen=seen)

    assert Upload.objects.get(pk=upload.pk).state == UploadState.INSPECTED
    assert Job.objects.count() == 0


def test_cells_stay_texts(dataset, ana):
    import_texts(dataset, [("007", "NA", "1.50")], ana, header=("text", "note", "price"))
    item = queries.items(dataset).get()

    assert item.text == "007"
    assert item.metadata == {"note": "NA", "price": "1.50"}


def test_invalid_rows_are_rejected_and_counted(dataset, ana):
    upload = import_texts(dataset, [("fine", "x"), ("", "y"), ("good", "z")], ana, header=("text", "note"))

    assert (upload.rows_new, upload.rows_failed) == (2, 1)
    assert [item.line for item in queries.items(dataset)] == [2, 4]
