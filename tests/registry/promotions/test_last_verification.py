"""A version's page and the API show the last verification of its stored files, whatever made it, and apart
from it that of the copy that is served: the two are different bytes.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.urls import reverse
from django.utils import timezone

from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from registry.catalog import actions, verifications
from registry.catalog.models import ModelVersion, VerifiedCopy
from registry.ground.artifacts.actions import key
from registry.promotions.models import GateResult
from tests.support.jobs import run_jobs, run_ok

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client_for, mia, version):
    """The version's page."""
    return lambda: client_for(mia).get(reverse("catalog:version", args=[version.uuid]))


@pytest.fixture
def api(client_for, mia, version):
    """The API's verification of its stored files and of the served copy."""

    def read():
        found = client_for(mia).get(reverse("api-version", args=[version.uuid])).json()
        return found["verified"], found["verified_copy"]

    return read


def served(version, at):
    VerifiedCopy.objects.create(
        version=version, stamps=[], key_fingerprint=version.key_fingerprint, verified_at=at
    )


def test_nothing_is_shown_of_files_that_were_not_verified_yet(version, page, api):
    assert (page().context["checked"], page().context["served"], api()) == (None, None, (None, None))
    assert 'data-checked="never"' in page().content.decode()


def test_the_gates_of_a_request_count(request_, page):
    gate = request_.gates.get(gate="signature")

    found = page().context["checked"]

    assert (found.at, found.problem) == (gate.created_at, "")
    assert found.by == f"by the gates of promotion request {request_.number}"


@pytest.mark.parametrize(("value", "problem"), [("refused", "model.onnx was changed."), ("", "")])
def test_gates_that_refused_the_signature_show_why_and_those_that_hashed_nothing_verified_nothing(
    request_, version, value, problem
):
    GateResult.objects.create(
        request=request_,
        check_number=2,
        gate="signature",
        title="Files",
        status="failed",
        value=value,
        evidence="model.onnx was changed.",
    )

    assert verifications.of_stored(version).problem == problem


@pytest.mark.parametrize("after", [timedelta(hours=1), -timedelta(hours=1)])
def test_stored_files_and_the_served_copy_have_a_line_each(version, mia, page, api, after):
    actions.ask_verification(version=version, actor=mia)
    run_ok("default")
    served(version, at := timezone.now() + after)

    shown = page()

    assert (shown.context["checked"].by, shown.context["checked"].problem, shown.context["served"].at) == (
        "by a job",
        "",
        at,
    )
    assert re.findall(r'data-(checked|served)="valid"', shown.content.decode()) == ["checked", "served"]
    assert [(each["by"], each["problem"]) for each in api()] == [
        ("by a job", ""),
        ("on the inference servers", ""),
    ]


def test_a_served_copy_that_holds_does_not_make_lost_files_valid(version, mia, page, api):
    Path(storages["blobs"].path(key(version.folder.files[0]["sha256"]))).unlink()
    actions.ask_verification(version=version, actor=mia)
    [job] = run_jobs("default")
    served(version, timezone.now() + timedelta(hours=1))

    html = page().content.decode()

    assert (job.state, ModelVersion.objects.get(pk=version.pk).state) == ("failed", "active")
    assert ('data-checked="failed"' in html, job.error in html) == (True, True)
    assert [each["problem"] for each in api()] == [job.error, ""]


def test_a_worker_that_died_verified_nothing_and_refused_nothing(version, mia, page, api):
    actions.ask_verification(version=version, actor=mia)
    run_ok("default")
    before = page().context["checked"]
    actions.ask_verification(version=version, actor=mia)
    job = jobs.claim("default")
    Job.objects.filter(pk=job.pk).update(
        attempt=job.max_attempts, lease_until=timezone.now() - timedelta(hours=1)
    )

    assert jobs.reap() == 1

    job.refresh_from_db()
    assert (job.state, page().context["checked"], api()[0]["problem"]) == ("failed", before, "")
    assert "refused" not in page().content.decode()
