"""What gates with limits read: the robustness test, slices by metadata, and a version's files."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.evaluation import slices
from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.task_types.generation import verbatim
from registry.policies import actions as policies
from registry.policies import queries
from registry.promotions import analyses
from registry.promotions.page import source
from registry.promotions.rules import Status
from tests.support import registry
from tests.support.evaluations import made_probes

pytestmark = pytest.mark.django_db
LIMITS = {
    "limits": {"metrics": {"accuracy": 0.9, "log_loss": 1.0, "perplexity": 20}},
    "robustness": {"at_most": 0.5},
    "fairness": {"metadata": "channel", "at_most": 0.2},
    "verbatim": {"at_most": 0.02},
    "size": {"at_most_mb": 100},
}


@pytest.fixture
def divided(project, mia, ravi):
    """A version whose test rows come from two channels, with a third of them from neither."""
    snapshot = registry.make_snapshot(project, ravi, channels=("mail", "phone", ""))
    return registry.make_version(project, mia, ravi, snapshot=snapshot)


def published(**gates):
    policy = yaml.safe_load(queries.STANDARD.read_text())
    policy["gates"] |= gates
    return policies.publish(text=yaml.safe_dump(policy, sort_keys=False), actor=None)


def results(request):
    return {gate.gate: (gate.status, gate.value) for gate in request.gates.all() if gate.gate in LIMITS}


@pytest.mark.postgres
def test_a_version_within_all_limits_goes_to_review(divided, mia):
    published(**LIMITS)
    made_probes(divided.evaluation, mia, [])

    request = registry.asked_request(divided, registry.make_endpoint(divided.model, mia), mia)

    assert request.status == Status.IN_REVIEW, [*request.gates.values_list("gate", "status", "evidence")]
    assert {gate: status for gate, (status, _) in results(request).items()} == dict.fromkeys(LIMITS, "passed")
    assert results(request)["limits"][1] == "2 of 2"
    places = {gate.gate: source(request, gate) for gate in request.gates.all()}
    assert all(places[gate][1].startswith("/") for gate in LIMITS)


def test_what_was_not_tested_keeps_a_version_from_review(endpoint, version, mia):
    published(**LIMITS)

    request = registry.asked_request(version, endpoint, mia)

    found = results(request)
    assert request.status == Status.DRAFT
    assert {gate for gate, (status, _) in found.items() if status == "failed"} == {"robustness", "fairness"}
    assert (found["robustness"][1], found["fairness"][1]) == ("", "")


def test_slices_are_those_of_the_page(divided):
    found = analyses.fairness(divided.evaluation, {"metadata": "channel"})

    assert (found.score, found.left_out, found.problem) == ("accuracy", 0, "")
    assert [*found.gaps] == ["mail", "phone", "No value"]
    assert all(each.low < each.value < each.high for each in found.gaps.values())


def test_slices_are_computed_anew_whatever_a_cache_holds(divided, monkeypatch):
    asked = {"metadata": "channel"}
    found = analyses.fairness(divided.evaluation, asked)
    monkeypatch.setattr(slices.cache, "get", lambda *_: pytest.fail("read from the cache"))

    assert analyses.fairness(divided.evaluation, asked) == found


def test_rates_of_a_label_are_compared_between_two_slices(divided):
    label = evaluations.grouped_of(divided.evaluation).classes.labels[0]
    asked = {"metadata": "channel", "label": label, "measure": "demographic_parity_difference"}

    found = analyses.fairness(divided.evaluation, asked)

    (name,) = found.gaps
    assert {*name.split(" and ")} < {"mail", "phone", "No value"}
    assert found.gaps[name].low <= found.gaps[name].value < found.gaps[name].high


@pytest.mark.parametrize("asked", [{"metadata": "none"}, {"metadata": "channel", "label": "no such label"}])
def test_slices_that_cannot_be_compared_have_a_reason(divided, asked):
    found = analyses.fairness(divided.evaluation, asked)

    assert (found.gaps, bool(found.problem)) == ({}, True)


@pytest.mark.parametrize(
    ("clusters", "effective"),
    [(None, 200), (np.arange(200) // 4, 50), (np.r_[np.zeros(160, int), np.arange(1, 41)], None)],
)
def test_copied_responses_count_by_groups_of_near_duplicates(monkeypatch, clusters, effective):
    runs = [verbatim.Run(12 if at >= 196 else 3, 0, "") for at in range(200)]
    rows = SimpleNamespace(copied=runs, clusters=clusters)
    monkeypatch.setattr(evaluations, "rows_of", lambda _: rows)

    found = analyses.copied(SimpleNamespace(report={"copied": {"share": 0.02}}))

    assert found.value == 0.02
    if effective:
        assert found.high == pytest.approx(wilson(0.02 * effective, effective)[1])
    else:  # few groups of one size
        assert found.high > 0.3
    assert analyses.copied(SimpleNamespace(report={"copied": None})) is None
