"""I1, I2, I3, I5, I6: who may approve what, in which order, bound to what they saw."""

from __future__ import annotations

import pytest

from registry.ledger.models import Event
from registry.promotions.models import PromotionRequest, Verdict
from registry.promotions.rules import Status
from tests.support import registry

pytestmark = pytest.mark.django_db


def state(request) -> tuple[str, int, int]:
    return PromotionRequest.objects.get(pk=request.pk).status, Verdict.objects.count(), Event.objects.count()


def test_the_gates_passed_and_it_is_in_review(request_):
    gates = {row.gate: row.status for row in request_.gates.all()}

    assert request_.status == Status.IN_REVIEW
    assert gates == dict.fromkeys(["quality", "live", "calibration", "leakage", "labels", "signature", "card"], "passed")


def test_lead_then_governance_approve(request_, lee, gita):
    first = registry.approve(request_, lee)
    assert first.status == Status.IN_REVIEW

    second = registry.approve(request_, gita)

    assert second.status == Status.APPROVED
    assert second.expires_at is not None
    assert list(Verdict.objects.values_list("step", "reviewer__username", "approves")) == [
        ("technical", "lee", True),
        ("governance", "gita", True),
    ]
