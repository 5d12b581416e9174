"""Sharding a model across the processes of a run: requested on the form, by the API, and in a shell; shown on
the run's page.
"""

from __future__ import annotations

import pytest

from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.refusals import Refused
from registry.ground.ledger.models import Event
from tests.lifecycle.modeling.training.test_pages import form_data
from tests.support.generation import generation_snapshot, make_decoder

JSON = {"content_type": "application/json"}
HTMX = {"HTTP_HX_REQUEST": "true"}
ASKED = {"processes": 2, "sharded": True}
ALONE = "needs at least 2 processes to shard the model."


def nothing_was_queued():
    return not Run.objects.exists() and not Job.objects.filter(kind="training.train").exists()


def device_of(client, run) -> str:
    """The device that the page of a run shows."""
    answer = client.get(f"/runs/{run.uuid}/")
    text = next(each["text"] for each in answer.context["provenance"] if each["label"] == "Device")
    assert f"<bdi>{text}</bdi>" in answer.content.decode()
    return text


@pytest.mark.parametrize(
    ("strategy", "asks"),
    [("lora", True), ("full", True), ("ia3", True), ("adapter", True), ("head", False), ("fast_lora", False)],
)
def test_the_form_offers_sharding_after_processes_if_the_strategy_supports_it(
    strategy, asks, client_for, snapshot, base, mia
):
    asked = {"dataset_version": snapshot.uuid, "base": base.uuid, "strategy": strategy}

    form = client_for(mia).get("/runs/launch/", asked).context["form"]

    names = [field.name for field in form.rest()]
    assert ("sharded" in names) is asks
    assert names[names.index("processes") + 1 :][:1] == [
        "sharded" if asks else "gradient_checkpointing" if strategy != "head" else "max_gradient_norm"
    ]


def test_the_generation_form_offers_it(client_for, project, mia):
    snapshot, base = generation_snapshot(project, mia), make_decoder(project, mia)
    asked = {"dataset_version": snapshot.uuid, "base": base.uuid, "strategy": "full"}

    page = client_for(mia).get("/runs/launch/", asked)

    assert {"processes", "sharded"} <= page.context["form"].fields.keys()
    assert b'id="id_sharded"' in page.content


def test_the_form_starts_such_a_run_and_its_page_shows_it(client_for, snapshot, base, mia):
    client = client_for(mia)

    client.post("/runs/launch/", form_data(snapshot, base, processes=2, sharded="on"))

    run = Run.objects.get()
    assert (run.spec["processes"], run.spec["sharded"]) == (2, True)
    assert device_of(client, run).split(", ")[1:] == ["2 processes", "sharded"]


def test_a_run_of_several_whole_models_shows_their_number(client_for, snapshot, base, mia):
    run = actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"processes": 2})

    assert device_of(client_for(mia), run).split(", ")[1:] == ["2 processes"]


def test_a_single_process_cannot_be_sharded(client_for, snapshot, base, mia):
    answer = client_for(mia).post("/runs/launch/", form_data(snapshot, base, sharded="on"), **HTMX)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["sharded"]
    assert b'id="id_sharded_error"' in answer.content
    assert nothing_was_queued()


def test_the_api_accepts_it_and_refuses_it_at_its_field(client_for, snapshot, base, mia):
    body = {"dataset_version": str(snapshot.uuid), "base": str(base.uuid), "strategy": "lora"}
    client = client_for(mia)

    refused = client.post("/api/v1/runs/", body | {"options": {"sharded": True}}, **JSON)
    assert (refused.status_code, refused.json()["fields"]) == (422, {"sharded": [ALONE.capitalize()]})
    assert nothing_was_queued()

    made = client.post("/api/v1/runs/", body | {"options": ASKED}, **JSON)
    assert made.status_code == 201
    assert Run.objects.get().spec["sharded"] is True


@pytest.mark.parametrize(
    ("strategy", "why"),
    [
        ("head", "must be false for head only: each process runs the full encoder first."),
        ("fast_lora", "must be false for Fast LoRA: each process runs all lower layers first."),
    ],
)
def test_a_strategy_that_cannot_be_sharded_is_refused_with_the_reason(strategy, why, snapshot, base, mia):
    with pytest.raises(Refused) as refused:
        actions.launch(snapshot=snapshot, base=base, strategy=strategy, actor=mia, options=ASKED)

    assert refused.value.fields == {"sharded": [why[0].upper() + why[1:]]}
    assert nothing_was_queued()
    assert not Event.objects.filter(verb="training.launched").exists()
