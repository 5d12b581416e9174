"""Launching a run on prompts and completions."""

from __future__ import annotations

import pytest

from tests.support.generation import generation_snapshot, make_decoder
from tests.support.training import make_base


@pytest.fixture
def snapshot(project, mia):
    return generation_snapshot(project, mia)


@pytest.fixture
def base(snapshot, project, mia):
    return make_decoder(project, mia)


def test_the_form_of_prompt_tuning_asks_for_virtual_tokens(snapshot, base, mia, client_for):
    client = client_for(mia)
    fields = {
        strategy: client.get(f"/runs/launch/?dataset_version={snapshot.uuid}&strategy={strategy}")
        .context["form"]
        .fields
        for strategy in ("prompt", "lora")
    }

    assert {name: ("virtual_tokens" in each, "rank" in each) for name, each in fields.items()} == {
        "prompt": (True, False),
        "lora": (False, True),
    }


def test_without_a_decoder_the_form_explains_how_to_add_one(snapshot, project, mia, client_for):
    make_base(project, mia)

    answer = client_for(mia).get(f"/runs/launch/?dataset_version={snapshot.uuid}")

    page = answer.content.decode()
    assert (answer.context["snapshot"], answer.context["bases"], "form" in answer.context) == (
        snapshot,
        [],
        False,
    )
    assert page.count('class="empty"') == 1
    assert '<a class="btn" href="/runs/bases/">' in page


def test_the_api_launches_it(snapshot, base, mia, client_for):
    sent = {
        "dataset_version": str(snapshot.uuid),
        "base": str(base.uuid),
        "strategy": "prefix",
        "options": {"virtual_tokens": 4},
    }

    answer = client_for(mia).post("/api/v1/runs/", sent, content_type="application/json")

    assert answer.status_code == 201, answer.content
    assert answer.json()["spec"]["strategy"]["virtual_tokens"] == 4
