"""A rollout starts by the plan that reviewers approved and by no other."""

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
def ruled(live_endpoint, project, version):
    """Approved as a canary by QUICK."""
    return endpoints.approved(project, live_endpoint, version, plans.canary(QUICK))


def test_it_starts_by_the_approved_plan(asked, ruled, mia):
    rollout = actions.start(request_id=ruled.uuid, actor=mia, now=asked.at(0))

    assert (rollout.rule, rollout.share) == (QUICK, 1_000)


@pytest.mark.parametrize("plan", [plans.AT_ONCE, plans.by_hand(500)])
def test_an_approval_for_another_kind_of_plan_starts_no_rollout(
    foretold, live_endpoint, project, version, mia, client_for, plan
):
    request, client = endpoints.approved(project, live_endpoint, version, plan), client_for(mia)

    with pytest.raises(Refused) as refused:
        actions.start(request_id=request.uuid, actor=mia)

    assert (refused.value.message, refused.value.next_step) == (
        plans.different_plan(plan).message,
        plans.different_plan(plan).next_step,
    )
    page = client.get(reverse("rollouts:start", args=[request.uuid]))
    assert (page.context["approved"], 'id="plan"' in page.content.decode()) == ([], False)
    assert client.post(reverse("rollouts:start", args=[request.uuid])).status_code == 422
    answer = client.post("/api/v1/rollouts/", {"request": request.uuid}, content_type="application/json")
    request.refresh_from_db()
    assert (answer.status_code, request.status, Rollout.objects.count()) == (422, "approved", 0)


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


def test_over_the_api_it_starts_by_the_approved_plan_whatever_else_is_sent(foretold, ruled, omar, client_for):
    body = {"request": str(ruled.uuid), "min_minutes": 3, "steps": [5_000, 10_000]}

    made = client_for(omar).post("/api/v1/rollouts/", body, content_type="application/json")

    assert (made.status_code, made.json()["plan"]["steps"]) == (201, [1_000, 10_000])
    assert Rollout.objects.get().rule == QUICK
