"""A version's page shows the last verification of its files, whatever made it: a job, the gates of a request, the hourly check."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from registry.catalog import actions, verifications
from registry.catalog.models import VerifiedCopy
from registry.promotions.models import GateResult
from tests.support.jobs import run_ok

pytestmark = pytest.mark.django_db


def shown(client, version):
    return client.get(reverse("catalog:version", args=[version.uuid])).context["checked"]


def test_the_gates_of_a_request_count(request_, version, mia, client_for):
    gate = request_.gates.get(gate="signature")

    found = shown(client_for(mia), version)

    assert (found.at, found.problem) == (gate.created_at, "")
    assert found.by == f"by the gates of promotion request {request_.number}"


def test_gates_that_refused_the_signature_say_why(request_, version):
    GateResult.objects.create(
        request=request_, check_number=2, gate="signature", title="Files", status="failed", evidence="model.onnx was changed."
    )

    assert verifications.newest(version).problem == "model.onnx was changed."


@pytest.mark.parametrize(("after", "by"), [(timedelta(hours=1), "as served"), (-timedelta(hours=1), "by a job")])
def test_the_newest_of_all_is_shown(version, mia, client_for, after, by):
    assert verifications.newest(version) is None
    actions.ask_verification(version=version, actor=mia)
    run_ok("default")
    at = timezone.now() + after
    VerifiedCopy.objects.create(version=version, stamps=[], key_fingerprint=version.key_fingerprint, verified_at=at)

    found = shown(client_for(mia), version)

    assert (found.by, found.at == at, found.problem) == (by, by == "as served", "")
