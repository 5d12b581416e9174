"""What launching refuses, and what it writes."""

from __future__ import annotations

import uuid

import pytest
from django.core.exceptions import PermissionDenied

from lifecycle.jobs.models import Job
from lifecycle.refusals import NotReady, Refused
from lifecycle.training import actions, queries
from lifecycle.training.models import BaseModel, Run
from registry.access.models import Project
from registry.ledger.models import Event
from tests.support.training import make_base, make_snapshot


@pytest.fixture
def snapshot(project, mia):
    return make_snapshot(project, mia)


@pytest.fixture
def base(project, mia) -> BaseModel:
    return make_base(project, mia)


def nothing_happened() -> bool:
    return (
        not Run.objects.exists()
        and not Job.objects.filter(kind="training.train").exists()
        and not Event.objects.filter(verb="training.launched").exists()
    )


def test_a_launch_writes_a_spec_a_job_and_an_event(snapshot, base, mia):
    run = actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"epochs": 2, "rank": 4})

    assert run.number == 1
    assert run.spec["labels"] == queries.labels_of(snapshot)
    assert run.spec["strategy"] == {"kind": "lora", "rank": 4, "alpha": 16.0, "dropout": 0.1, "target_modules": None}
    assert run.spec["epochs"] == 2
    assert run.spec["base"] == {"path": "base", "name": "tiny-base", "digest": base.facts["engine_digest"]}
    assert run.spec["max_tokens"] == 64
    assert run.job.queue == "training"
    assert run.job.args == {"run": str(run.uuid)}
    assert Event.objects.get(verb="training.launched").object_id == str(run.uuid)


def test_the_same_form_is_one_run(snapshot, base, mia):
    key = uuid.uuid4()

    first = actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, key=key)
    second = actions.launch(snapshot=snapshot, base=base, strategy="head", actor=mia, key=key)

    assert first == second
    assert Run.objects.count() == Job.objects.filter(kind="training.train").count() == 1


def test_runs_are_numbered_in_their_project(snapshot, base, mia):
    numbers = [actions.launch(snapshot=snapshot, base=base, strategy="head", actor=mia).number for _ in range(3)]

    assert numbers == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "field"),
    [({"epochs": 0}, "epochs"), ({"rank": 1000}, "rank"), ({"learning_rate": "fast"}, "learning_rate"), ({"nonsense": 1}, "nonsense")],
)
def test_a_setting_out_of_range_is_named(snapshot, base, mia, options, field):
    with pytest.raises(Refused) as refusal:
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, options=options)

    assert list(refusal.value.fields) == [field]
    assert nothing_happened()


def test_texts_longer_than_the_base_reads_are_refused(snapshot, base, mia):
    with pytest.raises(Refused, match="tiny-base reads up to 64 tokens"):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"max_tokens": 128})

    assert nothing_happened()


def test_one_class_is_refused(snapshot, base, mia):
    snapshot.counts = {"splits": {"train": 9, "validation": 3}, "labels": {"card": {"train": 9}, "refund": {"validation": 3}}}

    with pytest.raises(Refused, match="all its training rows carry the label card"):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert nothing_happened()


def test_no_validation_rows_is_refused(snapshot, base, mia):
    snapshot.counts = {"splits": {"train": 9, "test": 3}, "labels": {"card": {"train": 5}, "refund": {"train": 4}}}

    with pytest.raises(Refused, match="has no validation rows"):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert nothing_happened()


def test_a_base_whose_files_are_not_there_yet_is_not_ready(snapshot, project, mia):
    base = BaseModel.objects.create(project=project, name="coming", kind="hub", source="owner/coming")

    with pytest.raises(NotReady, match="The files of coming are not there yet"):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert nothing_happened()


def test_a_base_of_another_project_is_refused(snapshot, mia):
    other = Project.objects.create(slug="other", name="Other")
    base = make_base(other)

    with pytest.raises(Refused, match="belongs to another project"):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert nothing_happened()


@pytest.mark.parametrize("person", ["ana", "gita", "omar", "aida", "otto"])
def test_only_engineers_and_leads_launch(request, snapshot, base, person):
    with pytest.raises(PermissionDenied):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=request.getfixturevalue(person))

    assert nothing_happened()
