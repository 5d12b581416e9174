"""A policy may require that training rows can't be identified; the result for the version's evaluation is
read.
"""

from __future__ import annotations

import pytest

from registry.ground.ledger.rules import digest_of
from registry.policies import queries as policies
from registry.policies.gates.evidence import Measure
from registry.policies.gates.finding import Gate
from registry.policies.gates.scores import membership as judge
from registry.policies.rules import GATES
from registry.promotions.evidence import gather
from tests.support import registry

pytestmark = pytest.mark.django_db


@pytest.mark.postgres
def test_the_gate_reads_the_attack_on_the_evaluation_of_the_version(project, mia, ravi):
    version = registry.make_version(project, mia, ravi)
    gate = Gate("membership", {"at_most": 0.55})
    before = judge(gate, gather(policies.read(policies.default()), version, None, None, ""))

    report = {"auc": 0.62, "low": 0.58, "high": 0.66}
    registry.make_membership(version, report)
    evidence = gather(policies.read(policies.default()), version, None, None, "")

    assert (before.outcome, before.evidence.startswith("Not run:")) == ("failed", True)
    assert evidence.membership == Measure(0.62, 0.58, 0.66)
    found = judge(gate, evidence)
    assert (found.outcome, found.value, found.source) == ("failed", "0.660", digest_of(report))
    assert GATES["membership"] == ("at_most",)
