"""A file is only imported with the settings and the person that the audit log recorded at acceptance."""

import pytest

from datasets_app.datasets import actions
from datasets_app.datasets.models import Item, Upload
from lifecycle.ground.jobs.rules import State
from tests.support.datasets import csv_bytes, make_dataset, receive
from tests.support.jobs import run_jobs, run_ok

pytestmark = pytest.mark.django_db
ROWS = [("my card is lost", "card"), ("money back please", "refund")]
CHANGES = [
    {"default_split": "test"},
    {"labels_as": "suggestions"},
    {"mapping": {"text": "text", "label": "metadata"}},
    {"label_values": {"card": "refund"}},
    {"contradicting": "first"},
    {"has_header": False},
]


@pytest.fixture
def accepted(project, mia) -> Upload:
    """An upload with a queued import."""
    upload = receive(make_dataset(project, mia), mia, csv_bytes(ROWS, ("text", "label")))
    actions.accept_upload(upload_id=upload.uuid, actor=mia)
    return Upload.objects.get(pk=upload.pk)


def refused(upload: Upload) -> None:
    (job,) = (job for job in run_jobs("default") if job.kind == "datasets.import")
    upload.refresh_from_db()
    assert (job.state, job.refusal, upload.state, Item.objects.count()) == (
        State.FAILED,
        "refused",
        "failed",
        0,
    )


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_file_with_changed_settings_is_not_imported(accepted, change):
    Upload.objects.filter(pk=accepted.pk).update(**change)

    refused(accepted)


def test_a_file_with_a_changed_accepter_is_not_imported(accepted, omar):
    Upload.objects.filter(pk=accepted.pk).update(accepted_by=omar)

    refused(accepted)


def test_it_is_imported_after_another_acceptance(accepted, mia, omar):
    Upload.objects.filter(pk=accepted.pk).update(accepted_by=omar)
    refused(accepted)

    actions.accept_upload(upload_id=accepted.uuid, actor=mia)
    run_ok("default")

    assert (Item.objects.count(), Upload.objects.get().accepted_by) == (2, mia)
