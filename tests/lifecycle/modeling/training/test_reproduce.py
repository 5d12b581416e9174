"""Reproducing a run from its spec, and comparing the weights."""

from __future__ import annotations

import json
import uuid

import pytest
from django.core.exceptions import PermissionDenied

from lifecycle.modeling.training import actions, queries
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.rules import CONDITIONS, Attempt, Repeat, compare_repeat
from lifecycle.runtime.refusals import Conflict
from registry.ground.artifacts.models import Folder
from registry.ground.ledger.models import Event
from tests.support.training import finish_run, make_run
from tests.support.unchanged import refused


@pytest.fixture
def first(snapshot, base, mia):
    return make_run(snapshot, mia, base=base, strategy="fast_lora", splits=(), rank=4, seed=7)


def ended(run: Run, artifact: Folder, **result) -> Run:
    """The run, succeeded with this artifact. result: changes to the default result."""
    run = finish_run(run)
    run.artifact, run.result = artifact, run.result | result
    run.save(update_fields=["artifact", "result"])
    return run


def test_the_spec_is_copied_unchanged(first, mia):
    run = actions.reproduce(run_id=first.uuid, actor=mia)

    assert (run.reproduces, run.spec, run.spec_digest, run.snapshot, run.base, run.strategy) == (
        first,
        first.spec,
        first.spec_digest,
        first.snapshot,
        first.base,
        "fast_lora",
    )
    assert (run.number, run.note, run.state, run.job.args) == (
        2,
        "Run 1 again",
        "queued",
        {"run": str(run.uuid)},
    )
    event = Event.objects.get(verb="training.launched", object_id=str(run.uuid))
    assert json.loads(event.canonical)["payload"]["reproduces"] == str(first.uuid)


@pytest.mark.postgres
def test_the_same_button_is_one_run(first, client_for, mia):
    client = client_for(mia)
    key = client.get(f"/runs/{first.uuid}/").context["reproduce_key"]

    answers = [client.post(f"/runs/{first.uuid}/reproduce/", {"key": key}) for _ in range(2)]

    assert answers[0]["Location"] == answers[1]["Location"] == f"/runs/{Run.objects.get(number=2).uuid}/"
    assert Run.objects.count() == 2


def test_a_button_without_its_key_starts_nothing(first, client_for, mia):
    answer = client_for(mia).post(f"/runs/{first.uuid}/reproduce/")

    assert answer.status_code == 422
    assert Run.objects.count() == 1


def repeats_of(client, run) -> list[dict[str, object]]:
    """The reproductions on the page of a run, each with its sentence."""
    answer = client.get(f"/runs/{run.uuid}/")
    page, lines = answer.content.decode(), answer.context["repeats"]
    assert [each for each in lines if f"<p>{each['text']}</p>" not in page] == []
    return lines


def test_only_a_run_that_has_succeeded_is_run_again(waiting, mia):
    run = waiting

    with refused(by=Conflict, naming=("Run 1",)):
        actions.reproduce(run_id=run.uuid, actor=mia)

    assert Run.objects.count() == 1


@pytest.mark.parametrize("person", ["ana", "gita", "omar", "aida", "otto"])
def test_reproducing_needs_permission_to_launch(request, first, person):
    with pytest.raises(PermissionDenied):
        actions.reproduce(run_id=first.uuid, actor=request.getfixturevalue(person))

    assert Run.objects.count() == 1


def test_equal_weights_are_reported_as_equal(first, client_for, mia):
    again = ended(actions.reproduce(run_id=first.uuid, actor=mia), first.artifact)

    assert queries.repeat_of(again) == Repeat((), ())
    for run in (first, again):
        (line,) = repeats_of(client_for(mia), run)
        assert (line["run"], line["first"], line["kind"]) == (again, first, "live")
    assert client_for(mia).get(f"/api/v1/runs/{again.uuid}/").json()["repeat"] == {
        "is_same": True,
        "differing": [],
        "changed": [],
    }


def test_different_weights_are_reported_with_changed_conditions(first, client_for, mia):
    other = actions.reproduce(run_id=first.uuid, actor=mia)
    environment = first.result["environment"] | {"threads": 4, "cpu": "another"}
    other = ended(
        other, finish_run(actions.reproduce(run_id=first.uuid, actor=mia)).artifact, environment=environment
    )

    assert queries.repeat_of(other) == Repeat(("head.safetensors",), ("cpu", "threads"))
    (line,) = repeats_of(client_for(mia), other)
    assert line["kind"] == "warn"
    names = ("head.safetensors", CONDITIONS["cpu"], CONDITIONS["threads"])
    assert [each for each in names if each not in line["text"]] == []
    assert [
        each for name, each in CONDITIONS.items() if name not in ("cpu", "threads") and each in line["text"]
    ] == []


@pytest.mark.postgres
def test_a_reproduction_with_a_reduced_batch_reports_it(first, mia):
    whole = ended(
        actions.reproduce(run_id=first.uuid, actor=mia),
        first.artifact,
        batch={"batch_size": first.spec["batch_size"]},
    )
    parts = ended(actions.reproduce(run_id=first.uuid, actor=mia), first.artifact, batch={"batch_size": 1})

    assert (queries.repeat_of(whole), queries.repeat_of(parts)) == (Repeat((), ()), Repeat((), ("rows",)))


def test_an_unfinished_reproduction_is_not_compared(first, client_for, mia):
    again = actions.reproduce(run_id=first.uuid, actor=mia)

    data = client_for(mia).get(f"/api/v1/runs/{again.uuid}/").json()

    assert (data["reproduces"], data["repeat"]) == (str(first.uuid), None)
    (line,) = repeats_of(client_for(mia), first)
    assert (line["run"], line["first"], line["kind"]) == (again, first, "")


@pytest.mark.postgres
def test_over_the_api_the_same_key_gives_the_same_run(first, client_for, mia):
    client, key = client_for(mia), str(uuid.uuid4())

    answers = [
        client.post(f"/api/v1/runs/{first.uuid}/reproduce/", {"key": key}, content_type="application/json")
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["uuid"] == answers[1].json()["uuid"]


def test_a_file_missing_from_one_run_differs():
    one, two = (
        Attempt({"head": "a", "adapter": "b"}, {"cpu": "x"}),
        Attempt({"head": "a"}, {"cpu": "x", "threads": 2}),
    )

    assert compare_repeat(one, two) == Repeat(("adapter",), ("threads",))
