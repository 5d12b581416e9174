"""Corrected labels are only written for the person who accepted them in the audit log."""

from __future__ import annotations

import csv
import io

import pytest

from datasets_app.exchange.actions.corrections.reviewing import accept_corrections, upload_corrections
from datasets_app.exchange.models import Correction
from datasets_app.queues.models import Decision
from datasets_app.snapshots import actions as snapshots
from datasets_app.snapshots.models import Export
from lifecycle.ground.jobs.rules import State
from registry.ground.access.roles import Role
from registry.ground.artifacts import actions as artifacts
from tests.support.datasets import csv_bytes, import_texts, make_dataset
from tests.support.jobs import run_jobs, run_ok
from tests.support.people import make_person
from tests.support.snapshots import freeze

pytestmark = pytest.mark.django_db
ROWS = [(f"text {n}", ("card", "cash", "fees")[n % 3]) for n in range(12)]


@pytest.fixture
def rosa(project):
    return make_person("rosa", project=project, role=Role.ADJUDICATOR)


@pytest.fixture
def correction(project, ana, mia, rosa) -> Correction:
    """Corrections by Rosa of labels by Ana, not accepted yet."""
    dataset = make_dataset(project, ana)
    import_texts(dataset, ROWS, ana)
    snapshots.export(snapshot_id=freeze(dataset, mia).uuid, actor=mia, format="csv")
    run_ok("default")
    with artifacts.open_blob(Export.objects.latest("id").blob.digest) as file:
        rows = list(csv.DictReader(io.StringIO(file.read().decode(), newline="")))
    content = csv_bytes([{**row, "label": "card"}.values() for row in rows], rows[0])
    made = upload_corrections(dataset=dataset, actor=rosa, content=[content], file_name="fixed.csv")
    run_ok("default")
    return made


@pytest.mark.parametrize(
    "change", [{"accepted_by": "rosa"}, {"take_moved": True}], ids=lambda change: next(iter(change))
)
def test_a_file_whose_row_contradicts_the_audit_log_is_not_written(correction, ravi, request, change):
    accept_corrections(correction_id=correction.uuid, actor=ravi)
    values = {
        name: request.getfixturevalue(value) if isinstance(value, str) else value
        for name, value in change.items()
    }
    Correction.objects.filter(pk=correction.pk).update(**values)

    (job,) = run_jobs("default")

    assert (job.state, job.refusal, Correction.objects.get().state) == (State.FAILED, "refused", "looked")
    assert not Decision.objects.filter(file__isnull=False).exists()


def test_it_is_written_once_it_is_accepted_again(correction, ravi, rosa):
    accept_corrections(correction_id=correction.uuid, actor=ravi)
    Correction.objects.filter(pk=correction.pk).update(accepted_by=rosa)
    run_jobs("default")

    accept_corrections(correction_id=correction.uuid, actor=ravi)
    run_ok("default")

    assert {row.by for row in Decision.objects.filter(file=correction.blob)} == {ravi}
