"""What a new version changes is one figure, wherever it is read."""

from __future__ import annotations

import pytest

from registry.promotions import page
from tests.support import registry


def test_a_request_and_the_comparison_of_its_evaluations_show_the_same_changes(
    project, live_endpoint, mia, ravi, client_for
):
    live = live_endpoint.alias.version
    new = registry.make_version(
        project, mia, ravi, model=live.model, snapshot=live.run.snapshot, semver="1.1.0", wrong=30
    )
    request = registry.asked_request(new, live_endpoint, mia)

    compared = client_for(mia).get(
        "/evaluations/compare/", {"a": str(live.evaluation.uuid), "b": str(new.evaluation.uuid)}
    )

    there = {each["name"]: each for each in compared.context["rows"]}
    here = {each.name: each for each in page.rows(request)}
    assert set(here) == {"Macro-F1", "Accuracy", "Log loss", "Brier score"}
    for name, each in here.items():
        expected = there[name]
        ends = (expected["difference"], expected["low"], expected["high"])
        assert (each.change, each.low, each.high) == pytest.approx(ends, abs=1e-6), name
        assert (each.better, each.change) == (
            expected["better"],
            pytest.approx(each.new - each.live, abs=2e-6),
        ), name
        assert each.change != 0, name
    assert {name for name, each in here.items() if each.better == "down"} == {"Log loss", "Brier score"}
