"""What launching a run stores, and what it refuses."""

from __future__ import annotations

import uuid

import pytest
from django.core.exceptions import PermissionDenied

from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions, queries
from lifecycle.modeling.training.models import BaseModel, Run
from lifecycle.runtime.refusals import Conflict, NotReady, Refused
from registry.ground.access.models import Project
from registry.ground.ledger.models import Event
from tests.support.training import finish_run, make_base, make_snapshot
from tests.support.unchanged import refused

# defaults of a strategy
REST = {
    "target_modules": None,
    "dora": False,
    "rank_stabilised": False,
    "width": 48,
    "frozen_layers": 0,
    "cached": False,
    "virtual_tokens": 20,
}


def nothing_happened() -> bool:
    return (
        not Run.objects.exists()
        and not Job.objects.filter(kind="training.train").exists()
        and not Event.objects.filter(verb="training.launched").exists()
    )


def test_a_launch_writes_a_spec_a_job_and_an_event(snapshot, base, mia):
    run = actions.launch(
        snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"epochs": 2, "rank": 4}
    )

    assert run.number == 1
    assert run.spec["labels"] == queries.labels_of(snapshot)
    assert run.spec["strategy"] == {"kind": "lora", "rank": 4, "alpha": 16.0, "dropout": 0.1} | REST
    assert run.spec["epochs"] == 2
    assert run.spec["base"] == {"path": "base", "name": "tiny-base", "digest": base.facts["engine_digest"]}
    assert run.spec["max_tokens"] == 64
    assert run.job.queue == "training"
    assert run.job.args == {"run": str(run.uuid)}
    assert Event.objects.get(verb="training.launched").object_id == str(run.uuid)


def test_the_same_form_is_one_run(snapshot, base, mia):
    key = uuid.uuid4()

    first, second = (
        actions.launch(
            snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"epochs": 2}, key=key
        )
        for _ in range(2)
    )

    assert first == second
    assert Run.objects.count() == Job.objects.filter(kind="training.train").count() == 1


@pytest.fixture
def others(snapshot, base, project, mia):
    """Settings that a form can change."""
    return {
        "strategy": "full",
        "options": {"learning_rate": 0.001},
        "base": make_base(project, mia, name="other-base"),
        "snapshot": make_snapshot(project, mia, name="Other"),
    }


@pytest.mark.parametrize("changed", ["strategy", "options", "base", "snapshot"])
def test_the_same_form_with_other_settings_is_a_conflict_that_names_the_run(
    snapshot, base, others, mia, changed
):
    key, asked = (
        uuid.uuid4(),
        {
            "snapshot": snapshot,
            "base": base,
            "strategy": "lora",
            "options": {"learning_rate": 0.002},
        },
    )
    first = actions.launch(**asked, actor=mia, key=key)
    events = Event.objects.count()

    with refused(by=Conflict, naming=("Run 1",)) as refusal:
        actions.launch(**asked | {changed: others[changed]}, actor=mia, key=key)

    assert refusal.value.next_step == "Reload the form, or send another key."
    assert list(Run.objects.all()) == [first]
    assert (Job.objects.filter(kind="training.train").count(), Event.objects.count()) == (1, events)


def test_runs_are_numbered_in_their_project(snapshot, base, mia):
    numbers = [
        actions.launch(snapshot=snapshot, base=base, strategy="head", actor=mia).number for _ in range(3)
    ]

    assert numbers == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"epochs": 0}, "epochs"),
        ({"rank": 1000}, "rank"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_setting_out_of_range_is_named(snapshot, base, mia, options, field):
    with pytest.raises(Refused) as refusal:
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, options=options)

    assert list(refusal.value.fields) == [field]
    assert nothing_happened()


@pytest.mark.parametrize(
    ("strategy", "options", "expected"),
    [
        (
            "lora",
            {"dora": True, "rank_stabilised": True},
            {"kind": "lora", "dora": True, "rank_stabilised": True},
        ),
        ("fast_lora", {"rank": 4}, {"kind": "lora", "rank": 4, "frozen_layers": 1, "cached": True}),
        ("ia3", {}, {"kind": "ia3", "frozen_layers": 0}),
        ("adapter", {"width": 12}, {"kind": "adapter", "width": 12}),
        ("full", {"frozen_layers": 1}, {"kind": "full", "frozen_layers": 1, "cached": False}),
        ("head", {}, {"kind": "head"}),
    ],
)
def test_each_strategy_is_written_as_the_engine_expects(strategy, options, expected, snapshot, base, mia):
    run = actions.launch(snapshot=snapshot, base=base, strategy=strategy, actor=mia, options=options)

    assert run.strategy == strategy
    assert run.spec["strategy"].items() >= expected.items()


@pytest.mark.parametrize(
    ("strategy", "option", "field"),
    [
        ("full", {"rank": 4}, "rank"),
        ("ia3", {"width": 4}, "width"),
        ("head", {"frozen_layers": 1}, "frozen_layers"),
        ("lora", {"frozen_layers": 2}, "frozen_layers"),
        ("lora", {"schedule": "sawtooth"}, "schedule"),
        (
            "lora",
            {"label_smoothing": 0.1, "focal_gamma": 2.0},
            "label_smoothing",
        ),
        ("fast_lora", {"frozen_layers": 0}, "cached"),
        (
            "lora",
            {"base": {"path": "/srv/other", "name": "other"}},
            "base",
        ),
        ("lora", {"strategy": {"kind": "full"}}, "strategy"),
        ("lora", {"labels": ["a", "b"]}, "labels"),
    ],
)
def test_settings_that_a_strategy_does_not_read_are_refused(strategy, option, field, snapshot, base, mia):
    with refused(field):
        actions.launch(snapshot=snapshot, base=base, strategy=strategy, actor=mia, options=option)

    assert nothing_happened()


@pytest.mark.parametrize(
    ("strategy", "facts", "named"),
    [
        ("fast_lora", {"layers": 0}, "tiny-base"),
        ("fast_lora", {"layers": 1}, "tiny-base"),
        (
            "ia3",
            {"architecture": "mpnet"},
            "bert, roberta, deberta, deberta-v2",
        ),
    ],
)
def test_an_unsupported_strategy_is_refused_at_launch_and_not_offered(
    strategy, facts, named, snapshot, base, mia, client_for
):
    base.facts |= facts
    base.save(update_fields=["facts"])

    with refused("strategy", naming=(named,)):
        actions.launch(snapshot=snapshot, base=base, strategy=strategy, actor=mia)

    assert nothing_happened()
    offered = client_for(mia).get("/runs/launch/").context["strategies"]
    assert len(offered) == 5
    assert strategy not in [line.value for line in offered]


def test_a_key_of_another_run_is_refused(snapshot, base, mia):
    key = uuid.uuid4()
    run = actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, key=key)
    first = finish_run(actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia))
    events = Event.objects.count()

    with pytest.raises(Conflict):
        actions.reproduce(run_id=first.uuid, actor=mia, key=key)

    assert list(Run.objects.order_by("id")) == [run, first]
    assert (Job.objects.filter(kind="training.train").count(), Event.objects.count()) == (2, events)


def test_texts_longer_than_the_base_reads_are_refused(snapshot, base, mia):
    with refused("max_tokens", naming=("tiny-base",)):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"max_tokens": 128})

    assert nothing_happened()


def test_one_class_is_refused(snapshot, base, mia):
    snapshot.counts = {
        "splits": {"train": 9, "validation": 3},
        "labels": {"card": {"train": 9}, "refund": {"validation": 3}},
    }

    with refused("dataset_version", naming=("card",)):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert nothing_happened()


def test_no_validation_rows_is_refused(snapshot, base, mia):
    snapshot.counts = {
        "splits": {"train": 9, "test": 3},
        "labels": {"card": {"train": 5}, "refund": {"train": 4}},
    }

    with refused("dataset_version", naming=("validation",)):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert nothing_happened()


def test_a_base_whose_files_are_not_there_yet_is_not_ready(snapshot, project, mia):
    base = BaseModel.objects.create(project=project, name="coming", kind="hub", source="owner/coming")

    with refused("base", by=NotReady, naming=("coming",)):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert nothing_happened()


def test_a_base_of_another_project_is_refused(snapshot, mia):
    other = Project.objects.create(slug="other", name="Other")
    base = make_base(other)

    with refused("base"):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert nothing_happened()


@pytest.mark.parametrize("person", ["ana", "gita", "omar", "aida", "otto"])
def test_only_engineers_and_leads_launch(request, snapshot, base, person):
    with pytest.raises(PermissionDenied):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=request.getfixturevalue(person))

    assert nothing_happened()
