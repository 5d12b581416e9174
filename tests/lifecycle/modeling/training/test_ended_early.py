"""A run whose training diverged keeps the weights of its best step, and its state shows that everywhere."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from lifecycle.modeling.training.models import Run
from registry.ground.ledger.models import Event
from tests.support.training import finish_run

BROKE = {
    "code": "nan_loss",
    "message": "The loss became NaN at step 43. The weights of step 40, the best earlier step, are used.",
    "next_step": "Lower both learning rates.",
}


@pytest.fixture
def broken(waiting):
    return finish_run(waiting, error=BROKE)


def test_its_page_and_the_list_show_that_it_ended_early_and_it_can_be_registered(client_for, broken, mia):
    run = broken

    page = client_for(mia).get(f"/runs/{run.uuid}/").content.decode()
    listing = client_for(mia).get("/runs/")

    assert BROKE["message"] in page
    assert BROKE["next_step"] in page
    assert f'href="{reverse("catalog:register_run", args=[run.uuid])}"' in page
    assert (run.state, run.standing) == ("succeeded", "Ended early")
    assert [line.run for line in listing.context["lines"]] == [run]
    whole = Run.State.SUCCEEDED.label
    assert [(run.standing in text, whole in text) for text in (page, listing.content.decode())] == [
        (True, False),
        (True, False),
    ]
    assert client_for(mia).get(f"/api/v1/runs/{run.uuid}/").json()["error"] == BROKE


def test_its_end_is_recorded_with_the_reason(broken):
    run = broken

    payload = json.loads(Event.objects.get(verb="training.ended", object_id=str(run.uuid)).canonical)[
        "payload"
    ]

    assert (run.state, payload["state"], payload["code"], payload["best_step"]) == (
        "succeeded",
        "succeeded",
        "nan_loss",
        40,
    )


def test_a_run_that_made_all_its_steps_has_no_reason(finished):
    run = finished

    assert (run.standing, run.error) == ("Succeeded", None)
    assert (
        "code"
        not in json.loads(Event.objects.get(verb="training.ended", object_id=str(run.uuid)).canonical)[
            "payload"
        ]
    )
