"""Receiving a file: stored completely or not at all."""

from __future__ import annotations

import errno
import io

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.storage import FileSystemStorage, storages

from datasets_app.datasets import actions
from datasets_app.datasets.actions import examining, inspection
from datasets_app.datasets.models import Upload
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.models import Decision
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict
from registry.ground.artifacts.models import Blob
from tests.support.datasets import csv_bytes, import_texts, make_dataset, receive
from tests.support.jobs import run_ok
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
CONTENT = csv_bytes([["a", "x"]], ["text", "label"])


@pytest.fixture
def dataset(project, ana):
    return make_dataset(project, ana)


def test_a_disk_that_fills_up_leaves_nothing_and_the_next_upload_works(dataset, ana, monkeypatch):
    with monkeypatch.context() as patch:
        saved = FileSystemStorage._save

        def half(self, name, content):
            saved(self, name, type(content)(io.BytesIO(b"half")))
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(FileSystemStorage, "_save", half)
        with refused():
            receive(dataset, ana, CONTENT)
    assert Upload.objects.count() == Blob.objects.count() == 0

    upload = receive(dataset, ana, CONTENT)
    with storages["blobs"].open(
        f"{upload.blob.digest[:2]}/{upload.blob.digest[2:4]}/{upload.blob.digest}"
    ) as file:
        assert file.read() == CONTENT


def test_a_stream_stops_at_the_limit(dataset, ana, settings):
    settings.UPLOAD_MAX_BYTES = 10_000
    chunks = []

    def endless():
        while True:
            chunks.append(1)
            yield b"x" * 1000

    with refused():
        actions.receive_stream(dataset=dataset, actor=ana, chunks=endless(), file_name="endless.csv")
    assert len(chunks) == 11
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\a.csv", "a.csv"),
        ("a\x00\u202eb.csv", "ab.csv"),
        ("", "file"),
    ],
)
def test_file_names_have_no_path_or_control_characters(dataset, ana, name, kept):
    assert receive(dataset, ana, CONTENT, name).file_name == kept


@pytest.mark.parametrize("who", ["ravi", "gita", "omar"])
def test_other_roles_cant_upload(request, dataset, who):
    with pytest.raises(PermissionDenied):
        receive(dataset, request.getfixturevalue(who), CONTENT)
    assert not Upload.objects.exists()


@pytest.mark.postgres
def test_a_discarded_upload_cannot_be_accepted_and_an_imported_one_not_discarded(dataset, ana):
    upload = receive(dataset, ana, CONTENT)
    actions.discard_upload(upload_id=upload.uuid, actor=ana)
    with refused(by=Conflict, naming=("discarded",)):
        actions.accept_upload(upload_id=upload.uuid, actor=ana)

    imported = import_texts(dataset, ["a"], ana)
    with refused(by=Conflict, naming=("imported",)):
        actions.discard_upload(upload_id=imported.uuid, actor=ana)
    assert list(Upload.objects.order_by("id").values_list("state", flat=True)) == ["discarded", "imported"]
    assert not Job.objects.filter(state="queued").exists()


def test_invalid_bytes_block_until_an_encoding_is_chosen(dataset, ana):
    upload = receive(dataset, ana, "text,label\nok,a\nÜber,b\n".encode("cp1252"))
    found = upload.report["dry_run"]
    assert (upload.encoding, found["blocked"], found["problems"][0]["line"]) == ("", True, 3)
    with refused(naming=("Line 3",)):
        actions.accept_upload(upload_id=upload.uuid, actor=ana)

    upload = actions.inspect(upload_id=upload.uuid, actor=ana, encoding="cp1252")
    assert (upload.report["dry_run"]["blocked"], upload.report["dry_run"]["ok"]) == (False, 2)


@pytest.fixture
def meanwhile(monkeypatch):
    """Changes the settings once while a file is checked."""

    def choose(upload, actor, **choice):
        examine = examining.examine

        def examine_and_choose(*given):
            found = examine(*given)
            monkeypatch.setattr(inspection, "examine", examine)
            actions.inspect(upload_id=upload.uuid, actor=actor, wait=True, **choice)
            return found

        monkeypatch.setattr(inspection, "examine", examine_and_choose)

    return choose


TWICE = b"text,label\nSame,a\nSame,b\nOther,a\n"
CHOICES = [({"default_split": "train"}, {"train": 3}, True), ({"contradicting": "first"}, {}, False)]


@pytest.mark.parametrize(("choice", "splits", "blocked"), CHOICES)
def test_a_dry_run_isnt_saved_if_settings_changed_meanwhile(dataset, ana, meanwhile, choice, splits, blocked):
    upload = receive(dataset, ana, TWICE)
    meanwhile(upload, ana, **choice)

    with pytest.raises(Conflict):
        actions.set_mapping(upload_id=upload.uuid, actor=ana, mapping={"text": "text"})

    upload.refresh_from_db()
    assert (upload.mapping, upload.report["dry_run"]["splits"], upload.report["dry_run"]["blocked"]) == (
        {"text": "text", "label": "label"},
        splits,
        blocked,
    )
    assert all(getattr(upload, name) == value for name, value in choice.items())


@pytest.mark.parametrize(("choice", "splits", "blocked"), CHOICES)
def test_a_dry_run_of_a_job_isnt_saved_if_settings_changed_meanwhile(
    dataset, ana, monkeypatch, meanwhile, choice, splits, blocked
):
    with monkeypatch.context() as patch:
        patch.setattr(inspection, "AT_ONCE_BYTES", 5)
        upload = receive(dataset, ana, TWICE)
    meanwhile(upload, ana, **choice)

    run_ok("default")

    upload.refresh_from_db()
    assert (upload.report["dry_run"]["splits"], upload.report["dry_run"]["blocked"]) == (splits, blocked)


@pytest.mark.postgres
def test_a_large_file_is_checked_by_a_job(dataset, ana, monkeypatch):
    monkeypatch.setattr(inspection, "AT_ONCE_BYTES", 5)
    upload = receive(dataset, ana, CONTENT)
    assert upload.state == "received"
    run_ok("default")
    upload.refresh_from_db()
    assert (upload.state, upload.report["dry_run"]["ok"]) == ("inspected", 1)


def test_conflicting_labels_of_repeated_rows_are_counted(dataset, ana):
    import_texts(dataset, [("a", "x"), ("b", "x")], ana)
    upload = import_texts(
        dataset, [("a", "y"), ("b", "x"), ("c", "x"), ("c", "y")], ana, contradicting="first"
    )

    assert (upload.rows_new, upload.rows_duplicate, upload.report["import"]["conflicts"]) == (1, 3, 2)


@pytest.mark.postgres
def test_labels_become_suggestions_if_requested(dataset, ana):
    import_texts(dataset, [("a", "x"), ("b", "y")], ana, labels_as="suggestions")

    assert (Decision.objects.count(), Suggestion.objects.count()) == (0, 2)
