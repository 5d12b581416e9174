"""A version's evidence matches the audit log: dataset versions, runs, base models, and intended use."""

import pytest

from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.training.models import BaseModel, Run
from registry.catalog.models import ModelVersion
from registry.ground.artifacts.actions import put_bytes
from tests.support import registry, training
from tests.support.trail import behind_its_back, found
from tests.support.unchanged import append_only

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(project, mia, ravi) -> ModelVersion:
    return registry.make_version(project, mia, ravi)


@pytest.mark.postgres
def test_what_the_actions_make_is_accounted_for(project, mia):
    snapshot = training.make_snapshot(project, mia)
    training.actions.add_run_base(run=training.make_run(snapshot, mia, splits=()), actor=mia)
    training.make_run(snapshot, mia, succeeded=False)

    assert found() == []
    assert (Snapshot.objects.count(), Run.objects.count(), BaseModel.objects.count()) == (1, 2, 2)


def have_other_rows(version: ModelVersion) -> str:
    behind_its_back("UPDATE snapshots_snapshot SET manifest_id = %s", put_bytes(b"rows of mine").pk)
    return f"snapshots, {version.run.snapshot.uuid}"


def be_anothers(version: ModelVersion) -> str:
    behind_its_back("UPDATE snapshots_snapshot SET created_by_id = %s", version.registered_by.pk)
    return f"snapshots, {version.run.snapshot.uuid}"


def leave_other_files(version: ModelVersion) -> str:
    Run.objects.filter(pk=version.run_id).update(artifact=registry.make_artifact(99))
    return f"runs, {version.run.uuid}"


def have_other_settings(version: ModelVersion) -> str:
    Run.objects.filter(pk=version.run_id).update(spec=version.run.spec | {"epochs": 50})
    return f"runs, {version.run.uuid}"


def have_begun_with_other_files(version: ModelVersion) -> str:
    BaseModel.objects.filter(pk=version.run.base_id).update(folder=registry.make_artifact(99))
    return f"runs, {version.run.uuid}"


def be_for_something_else(version: ModelVersion) -> str:
    behind_its_back("UPDATE catalog_registeredmodel SET purpose = %s", "Anything.")
    return f"models, {version.model.uuid}"


def belong_to_another(version: ModelVersion) -> str:
    behind_its_back("UPDATE catalog_registeredmodel SET owner_id = NULL")
    return f"models, {version.model.uuid}"


def come_from_a_run(version: ModelVersion) -> str:
    behind_its_back("UPDATE training_basemodel SET run_id = %s", version.run_id)
    return f"base models, {version.run.base.uuid}"


def come_from_elsewhere(version: ModelVersion) -> str:
    behind_its_back("UPDATE training_basemodel SET source = %s", "another")
    return f"base models, {version.run.base.uuid}"


@pytest.mark.parametrize(
    ("forge", "rules"),
    [
        (have_other_rows, ["not-in-trail", "not-in-database"]),
        (be_anothers, ["not-in-trail", "not-in-database"]),
        (leave_other_files, ["not-in-trail", "not-in-database"]),
        (have_other_settings, ["not-in-trail"]),
        (have_begun_with_other_files, ["not-in-trail"]),
        (be_for_something_else, ["not-in-trail", "not-in-database"]),
        (belong_to_another, ["not-in-trail", "not-in-database"]),
        (come_from_a_run, ["not-in-trail"]),
        (come_from_elsewhere, ["not-in-trail", "not-in-database"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_was_written_behind_the_products_back_is_named(version, forge, rules):
    assert found() == []

    where = forge(version)

    assert found() == [(rule, where) for rule in rules]


def test_a_base_model_that_claims_to_come_from_no_run_is_named(project, mia, lee):
    base = training.actions.add_run_base(
        run=training.make_run(training.make_snapshot(project, mia), lee, splits=()), actor=mia
    )

    behind_its_back("UPDATE training_basemodel SET run_id = NULL WHERE id = %s", base.pk)

    assert ("not-in-trail", f"base models, {base.uuid}") in found()


@pytest.mark.postgres
def test_of_which_run_weights_are_never_changes(project, mia, lee):
    run = training.make_run(training.make_snapshot(project, mia), lee, splits=())
    base = training.actions.add_run_base(run=run, actor=mia)

    with append_only(BaseModel):
        BaseModel.objects.filter(pk=base.pk).update(run=None)

    assert BaseModel.objects.get(pk=base.pk).run == run
