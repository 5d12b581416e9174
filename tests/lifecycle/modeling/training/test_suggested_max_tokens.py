"""The suggested maximum length is within the base's limit, so that the initial form is valid."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lifecycle.modeling.training import actions, suggesting
from lifecycle.modeling.training.models import Run
from tests.support.training import make_run

pytestmark = pytest.mark.django_db


def test_the_suggested_max_tokens_are_within_the_bases_limit(snapshot, base, mia):
    choice = suggesting.suggestion(snapshot, base, "lora").choices["max_tokens"]

    assert (
        (choice.value, choice.reason)
        == (base.facts["max_tokens"], f"{base.name} accepts no more than this.")
        == (64, choice.reason)
    )
    assert suggesting.suggestion(snapshot, None, "lora").choices["max_tokens"].value == 128
    assert actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia).spec["max_tokens"] == 64


def test_the_query_count_does_not_grow_with_strategies(snapshot, base, finished, mia):
    make_run(snapshot, mia, base=base, strategy="full", splits=())
    suggesting.suggestion(snapshot, base, "lora")  # text lengths are cached for an hour
    found = []
    for strategies in (["lora"], Run.Strategy.values[:6]):
        with CaptureQueriesContext(connection) as captured:
            found.append(suggesting.suggestions(snapshot, base, strategies))
        assert len(captured) == 3  # classes, newest runs, their curves

    assert found[1]["lora"] == found[0]["lora"] == suggesting.suggestion(snapshot, base, "lora")
    assert [
        name for name, each in found[1].items() if "measured in an earlier run" in each.seconds_reason
    ] == ["lora", "full"]
    assert (
        found[1]["adapter"].seconds_reason == "Scaled from an earlier Full fine-tuning run on this machine."
    )
