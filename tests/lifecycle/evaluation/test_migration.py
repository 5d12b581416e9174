"""What an installation has found, and what waits in it, is taken along."""

from datetime import UTC, datetime
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from lifecycle.evaluation.models import Analysis
from lifecycle.jobs.models import Job
from registry.artifacts.models import Blob
from tests.support.training import make_run, make_snapshot

pytestmark = pytest.mark.postgres
BEFORE = ("evaluation", "0004_analysis_of_disturbed_texts")
THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def old_apps(transactional_db):
    """The models of before, with the table that is no more."""
    old = MigrationLoader(connection).project_state([BEFORE]).apps
    with connection.schema_editor() as editor:
        editor.create_model(old.get_model("evaluation", "Robustness"))
    yield old
    with connection.schema_editor() as editor:
        editor.delete_model(old.get_model("evaluation", "Robustness"))


def test_the_first_probes_of_each_evaluation_become_an_analysis_with_its_date(old_apps, project, mia):
    run = make_run(make_snapshot(project, mia), mia)
    evaluation, other = run.evaluations.order_by("id")[:2]
    blob = Blob.objects.earliest("id")
    old = old_apps.get_model("evaluation", "Robustness").objects
    for at, each in enumerate([evaluation, evaluation, other]):
        old.create(evaluation_id=each.pk, report={"at": at}, report_digest=str(at), created_by_id=mia.pk, flips_id=blob.pk)
    old.update(created_at=THEN)

    import_module("lifecycle.evaluation.migrations.0005_robustness_is_an_analysis").carry_over(old_apps, None)

    kept = Analysis.objects.order_by("id").values_list("evaluation", "kind", "item", "report", "rows", "created_by", "created_at")
    assert list(kept) == [
        (evaluation.pk, "robustness", "", {"at": 0}, blob.pk, mia.pk, THEN),
        (other.pk, "robustness", "", {"at": 2}, blob.pk, mia.pk, THEN),
    ]
    assert list(Analysis.objects.order_by("id").values_list("uuid", flat=True)) == [old.get(report_digest=at).uuid for at in "02"]


@pytest.mark.django_db
def test_an_evaluation_that_waits_measures_the_one_split_that_it_was_asked_for():
    now, ended = timezone.now(), {"state": "succeeded", "finished_at": timezone.now()}
    for kind, args, state in [
        ("evaluation.evaluate", {"run": "a", "split": "test"}, {}),
        ("evaluation.evaluate", {"run": "b", "splits": ["validation"]}, {}),
        ("evaluation.evaluate", {"run": "c", "split": "test"}, ended),
        ("datasets.export", {"split": "test"}, {}),
    ]:
        Job.objects.create(kind=kind, args=args, available_at=now, **state)

    import_module("lifecycle.evaluation.migrations.0007_jobs_name_their_splits").name_splits(apps, None)

    assert list(Job.objects.order_by("id").values_list("args", flat=True)) == [
        {"run": "a", "splits": ["test"]},
        {"run": "b", "splits": ["validation"]},
        {"run": "c", "split": "test"},
        {"split": "test"},
    ]
