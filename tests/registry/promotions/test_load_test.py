"""A gate on response times, or on cost, has exactly the promoted files tested by a server of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lifecycle.runtime.inference import load_test
from registry.policies import actions as policies
from registry.policies import queries
from registry.promotions import load_tests
from registry.promotions.rules import Status
from tests.support import registry
from tests.support.tiny_artifact import tiny_artifact

pytestmark = pytest.mark.django_db
LIMITS = {"latency": {"at_most_ms": 60_000, "clients": 2}, "cost": {"at_most_per_million": 1_000}}


@pytest.fixture(autouse=True)
def asked_for(settings):
    settings.PRICE_PER_CORE_HOUR, settings.CURRENCY = 0.36, "EUR"
    policy = yaml.safe_load(queries.STANDARD.read_text())
    policy["gates"] |= LIMITS
    policies.publish(text=yaml.safe_dump(policy, sort_keys=False), actor=None)


def results(request):
    return {gate.gate: (gate.status, gate.value) for gate in request.gates.all() if gate.gate in LIMITS}


def left(settings):
    """What lies where servers, and load tests, have their files."""
    folders = [Path(settings.DATA_DIR) / name for name in ("serving/artifacts", "scratch")]
    return [path.name for folder in folders if folder.exists() for path in folder.iterdir() if path.is_dir()]


@pytest.mark.engine
def test_the_files_are_tested_and_then_gone(project, mia, ravi, settings, monkeypatch):
    monkeypatch.setattr(load_test, "ROUNDS", 4)
    version = registry.make_version(project, mia, ravi, artifact=tiny_artifact(0))

    request = registry.asked_request(version, registry.make_endpoint(version.model, mia), mia)

    found = results(request)
    assert request.status == Status.IN_REVIEW, [*request.gates.values_list("gate", "evidence")]
    assert {gate: status for gate, (status, _) in found.items()} == dict.fromkeys(LIMITS, "passed")
    assert float(found["latency"][1].removesuffix(" ms")) > 0
    assert float(found["cost"][1].removesuffix(" EUR")) >= 0
    assert request.gates.get(gate="latency").source == version.root_digest
    assert left(settings) == []


@pytest.mark.engine
def test_files_that_no_server_loads_pass_neither_gate(version, endpoint, mia, settings):
    request = registry.asked_request(version, endpoint, mia)

    assert (request.status, results(request)) == (
        Status.DRAFT,
        {"latency": ("failed", ""), "cost": ("failed", "")},
    )
    assert left(settings) == []


def test_nothing_is_tested_where_no_gate_asks(version, endpoint, mia, monkeypatch):
    monkeypatch.setattr(load_tests, "run", lambda *_: pytest.fail("a load test ran"))
    policies.publish(text=queries.STANDARD.read_text() + "\n", actor=None)

    assert registry.asked_request(version, endpoint, mia).status == Status.IN_REVIEW
