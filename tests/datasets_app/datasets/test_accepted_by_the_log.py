"""A file is imported as the audit log says that it was accepted, whatever its row says by then."""

import pytest

from datasets_app.datasets import actions
from datasets_app.datasets.models import Item, Upload
from lifecycle.ground.jobs.rules import State
from tests.support.datasets import csv_bytes, make_dataset, receive
from tests.support.jobs import run_jobs, run_ok

pytestmark = pytest.mark.django_db
ROWS = [("my card is lost", "card"), ("money back please", "refund")]
CHANGES = [
    {"default_split": "test"}, {"labels_as": "suggestions"}, {"mapping": {"text": "text", "label": "metadata"}},
    {"label_values": {"card": "refund"}}, {"contradicting": "first"}, {"has_header": False},
]  # fmt: skip


@pytest.fixture
def accepted(project, mia) -> Upload:
    """Its import waits."""
    upload = receive(make_dataset(project, mia), mia, csv_bytes(ROWS, ("text", "label")))
    actions.accept_upload(upload_id=upload.uuid, actor=mia)
    return Upload.objects.get(pk=upload.pk)


def refused(upload: Upload) -> None:
    (job,) = (job for job in run_jobs("default") if job.kind == "datasets.import")
    upload.refresh_from_db()
    assert (job.state, job.refusal, upload.state, Item.objects.count()) == (State.FAILED, "refused", "failed", 0)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_file_that_is_to_be_read_otherwise_is_not_imported(accepted, change):
    Upload.objects.filter(pk=accepted.pk).update(**change)

    refused(accepted)


def test_a_file_that_somebody_else_is_said_to_have_accepted_is_not_imported(accepted, omar):
    Upload.objects.filter(pk=accepted.pk).update(accepted_by=omar)

    refused(accepted)


def test_it_is_imported_once_it_is_accepted_anew(accepted, mia, omar):
    Upload.objects.filter(pk=accepted.pk).update(accepted_by=omar)
    refused(accepted)

    actions.accept_upload(upload_id=accepted.uuid, actor=mia)
    run_ok("default")

    assert (Item.objects.count(), Upload.objects.get().accepted_by) == (2, mia)
