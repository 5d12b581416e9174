"""`lifecycle promotions request` names the rollout plan; `deploy` follows it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from monitoring.rollouts.models import Rollout
from monitoring.traffic.models import MinuteRollup
from registry.endpoints.models import Deployment
from registry.promotions import plans
from registry.promotions.models import PromotionRequest
from registry.promotions.plans import Plan
from tests.support import endpoints, registry

RULE = plans.canary(Plan(steps=(1_000, 10_000), min_requests=100, min_minutes=0, margin=0.2))


@pytest.fixture
def version(live_endpoint, project, mia, ravi):
    snapshot = live_endpoint.alias.version.run.snapshot
    return registry.make_version(
        project, mia, ravi, model=live_endpoint.model, snapshot=snapshot, semver="1.1.0"
    )


@pytest.mark.parametrize(
    ("options", "plan"),
    [
        ([], plans.AT_ONCE),
        (["--canary"], plans.canary(Plan())),
        (["--steps", "10,100", "--min-requests", "100", "--min-minutes", "0", "--margin", "20"], RULE),
        (["--canary", "--wrong-margin", "2"], plans.canary(Plan(wrong_margin=0.02))),
        (["--canary", "--shadow-disagreement", "5"], plans.canary(Plan(shadow_disagreement=0.05))),
        (["--share", "5"], plans.by_hand(500)),
    ],
)
def test_promote_names_the_plan(as_person, mia, live_endpoint, version, options, plan):
    as_person(mia)("promotions", "request", "1.1.0", "--endpoint", live_endpoint.slug, *options, "--json")

    assert PromotionRequest.objects.latest("pk").plan == plan


def test_two_plans_are_a_usage_error(as_person, mia, live_endpoint, version):
    result = as_person(mia)(
        "promotions", "request", "1.1.0", "--endpoint", live_endpoint.slug, "--canary", "--share", "5"
    )

    assert (result.code, PromotionRequest.objects.count()) == (2, 1)


def test_deploy_goes_by_the_approved_plan(as_person, omar, project, live_endpoint, version):
    start = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=30)
    MinuteRollup.objects.create(
        endpoint=live_endpoint, version=live_endpoint.alias.version, arm="stable", start=start, requests=6_000
    )
    request = endpoints.approved(project, live_endpoint, version, RULE)
    command = as_person(omar)

    other = command("canary", "start", str(request.number), "--steps", "20,100")
    share = command("endpoints", "deploy", str(request.number), "--share", "20")
    result = command("endpoints", "deploy", str(request.number), "--json")

    assert (other.code, share.code, result.code) == (2, 2, 0)
    assert result.json["plan"]["steps"] == [1_000, 10_000]
    assert Rollout.objects.get().share == 1_000


def test_deploy_gives_the_approved_share(as_person, omar, project, live_endpoint, version):
    request = endpoints.approved(project, live_endpoint, version, plans.by_hand(500))

    result = as_person(omar)("endpoints", "deploy", str(request.number))

    assert result.code == 0, result.err
    assert Deployment.objects.get(approval=request).share == 500
