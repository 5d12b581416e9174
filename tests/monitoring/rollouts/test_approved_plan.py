"""A rollout starts by the plan that reviewers approved and by no other; a request from before plans takes the
one chosen at the start.
"""

from __future__ import annotations

import pytest
from django.urls import reverse

from lifecycle.runtime.refusals import Refused
from monitoring.rollouts import actions
from monitoring.rollouts.models import Rollout
from registry.promotions import plans
from registry.promotions.plans import Plan, share_text
from tests.support import endpoints, registry

QUICK = Plan(
    steps=(1_000, 10_000), min_requests=100, min_minutes=2, margin=0.2, rise=0.5, max_hours=24, warm_up=0
)


@pytest.fixture
def version(live_endpoint, project, mia, ravi):
    snapshot = live_endpoint.alias.version.run.snapshot
    return registry.make_version(
        project, mia, ravi, model=live_endpoint.model, snapshot=snapshot, semver="1.2.0"
    )


@pytest.fixture
def ruled(live_endpoint, project, version):
    """Approved as a canary by QUICK."""
    return endpoints.approved(project, live_endpoint, version, plans.canary(QUICK))


def test_it_starts_by_the_approved_plan(asked, ruled, mia):
    rollout = actions.start(request_id=ruled.uuid, actor=mia, now=asked.at(0))

    assert (rollout.rule, rollout.share) == (QUICK, 1_000)


def test_another_plan_is_refused_and_starts_nothing(asked, ruled, mia):
    other = Plan(min_requests=100)
    with pytest.raises(Refused) as expected:
        plans.check_same(ruled.plan, plans.canary(other))
    with pytest.raises(Refused) as refused:
        actions.start(request_id=ruled.uuid, actor=mia, plan=other, now=asked.at(0))

    assert (refused.value.message, refused.value.next_step) == (
        expected.value.message,
        expected.value.next_step,
    )
    ruled.refresh_from_db()
    assert (ruled.status, Rollout.objects.count()) == ("approved", 0)


def test_an_approval_for_all_traffic_at_once_starts_no_rollout(
    asked, live_endpoint, project, version, mia, client_for
):
    request = endpoints.approved(project, live_endpoint, version)

    with pytest.raises(Refused):
        actions.start(request_id=request.uuid, actor=mia, now=asked.at(0))

    page = client_for(mia).get(reverse("rollouts:start", args=[request.uuid]))
    assert (page.context["fits"], Rollout.objects.count()) == (False, 0)


def test_a_request_that_is_not_decided_yet_leads_to_its_decision(live_endpoint, version, mia, client_for):
    request = registry.asked_request(version, live_endpoint, mia, plan=plans.canary(QUICK))

    page = client_for(mia).get(reverse("rollouts:start", args=[request.uuid]))

    assert (
        page.context["undecided"],
        reverse("promotions:detail", args=[request.uuid]) in page.content.decode(),
    ) == (True, True)
    assert 'id="plan"' not in page.content.decode()


def test_the_page_shows_the_approved_plan_and_starts_it_whatever_is_posted(foretold, ruled, mia, client_for):
    client, url = client_for(mia), reverse("rollouts:start", args=[ruled.uuid])

    assert dict(client.get(url).context["approved"])["Steps"] == f"{share_text(1_000)}, {share_text(10_000)}"
    client.post(url, {"steps": "50, 100"})

    assert Rollout.objects.get().rule == QUICK


def test_the_endpoint_offers_the_canary_and_no_deployment_at_once(
    foretold, ruled, live_endpoint, omar, client_for
):
    context = client_for(omar).get(reverse("endpoints:detail", args=[live_endpoint.uuid])).context

    assert context["start_url"] == reverse("rollouts:start", args=[ruled.uuid])
    assert context["why_not"]["deploy"].startswith("The approved plan is a canary")


def test_over_the_api_no_plan_means_the_approved_one(foretold, ruled, omar, client_for):
    client, body = client_for(omar), {"request": str(ruled.uuid)}

    other = client.post("/api/v1/rollouts/", body | {"min_minutes": 3}, content_type="application/json")
    made = client.post("/api/v1/rollouts/", body, content_type="application/json")

    assert (other.status_code, made.status_code, made.json()["plan"]["steps"]) == (422, 201, [1_000, 10_000])
