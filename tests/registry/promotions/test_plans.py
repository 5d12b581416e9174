"""A request names its rollout plan; reviewers approve it with the version, and no other plan can use their
approval.
"""

from __future__ import annotations

import json

import pytest
from django.urls import reverse
from django.utils.html import escape

from lifecycle.runtime.refusals import Conflict, Refused
from registry.endpoints import actions as endpoints_actions
from registry.endpoints.actions import switch
from registry.endpoints.models import Deployment
from registry.ground.access.models import User
from registry.ground.ledger.models import Event
from registry.ground.ledger.rules import digest_of
from registry.promotions import actions, plans, rules
from registry.promotions.models import PromotionRequest
from registry.promotions.plans import Plan, share_text
from tests.support import endpoints, registry
from tests.support.jobs import run_ok
from tests.support.trail import behind_its_back, faults

pytestmark = pytest.mark.django_db
STEPS = f"{share_text(1_000)}, {share_text(10_000)}"
RULE = plans.canary(Plan(steps=(1_000, 10_000), min_requests=200, min_minutes=0, margin=0.05))


@pytest.fixture
def endpoint(project, mia, ravi, lee, gita, omar):
    """1.0.0 is live."""
    return endpoints.deployed_endpoint(project)


@pytest.fixture
def version(endpoint, project, mia, ravi):
    snapshot = endpoint.alias.version.run.snapshot
    return registry.make_version(project, mia, ravi, model=endpoint.model, snapshot=snapshot, semver="1.1.0")


@pytest.fixture
def asked(endpoint, version, mia):
    """In review, as a canary under a rule."""
    return registry.asked_request(version, endpoint, mia, plan=RULE)


@pytest.fixture
def ruled(asked, lee, gita):
    """Approved as a canary under a rule."""
    return registry.approve(registry.approve(asked, lee), gita)


@pytest.fixture
def at_once(endpoint, version):
    """Approved for all traffic."""
    return endpoints.approved(endpoint.model.project, endpoint, version, plans.AT_ONCE)


@pytest.fixture
def by_hand(endpoint, version):
    """Approved for 5 %."""
    return endpoints.approved(endpoint.model.project, endpoint, version, plans.by_hand(500))


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"kind": "at_once"}, plans.AT_ONCE),
        ({"kind": "share", "share": 500}, {"kind": "share", "share": 500}),
        ({"kind": "canary"}, plans.canary(Plan())),
        (
            {"kind": "canary", "steps": [1_000, 10_000], "min_minutes": 0},
            plans.canary(Plan(steps=(1_000, 10_000), min_minutes=0)),
        ),
    ],
)
def test_a_plan_is_stored_complete_and_in_one_spelling(given, stored):
    assert plans.checked(given) == stored
    assert plans.checked(json.loads(json.dumps(stored))) == stored


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"kind": "later"},
        {"kind": "share"},
        {"kind": "share", "share": 10_000},
        {"kind": "share", "share": 0},
    ],
)
def test_what_is_no_plan_is_refused(given):
    with pytest.raises(Refused) as refused:
        plans.checked(given)

    assert list(refused.value.fields) == ["plan"]


def test_the_plan_is_part_of_what_is_approved(asked):
    assert (asked.status, asked.plan, asked.subject["plan"]) == ("in_review", RULE, digest_of(RULE))
    event = Event.objects.filter(verb="promotions.requested").latest("pk")
    assert json.loads(event.canonical)["payload"]["plan"] == RULE


@pytest.mark.postgres
@pytest.mark.parametrize("plan", [plans.AT_ONCE, plans.by_hand(500), {}])
def test_a_plan_that_is_changed_in_the_database_voids_the_approval_and_is_named_by_the_audit(
    ruled, omar, plan
):
    behind_its_back(
        "UPDATE promotions_promotionrequest SET plan = %s WHERE id = %s", json.dumps(plan), ruled.pk
    )

    named = {(str(fault.rule), fault.where) for fault in faults()}
    actions.review_open()

    ruled.refresh_from_db()
    assert (ruled.status, ruled.reason) == ("voided", "Changed since the last gate check: the rollout plan.")
    assert ("not-in-database", f"promotions, {ruled.uuid}") in named


def test_pages_of_a_request_whose_plan_was_taken_out_of_the_database_open(ruled, omar, client_for):
    behind_its_back("UPDATE promotions_promotionrequest SET plan = %s WHERE id = %s", "{}", ruled.pk)

    for name, row in (
        ("promotions:detail", ruled),
        ("endpoints:detail", ruled.endpoint),
        ("rollouts:start", ruled),
    ):
        assert client_for(omar).get(reverse(name, args=[row.uuid])).status_code == 200, name


@pytest.mark.parametrize("forged", [{"plan": plans.AT_ONCE}, {"by_system": True}])
def test_the_event_of_a_request_counts_and_not_its_row_when_it_is_used(
    endpoint, version, mia, lee, gita, omar, forged
):
    """Written into the row before the gates are checked, so that the approvals are bound to it."""
    asked = actions.request(version=version, endpoint=endpoint, note="", actor=mia, plan=plans.by_hand(500))
    PromotionRequest.objects.filter(pk=asked.pk).update(**forged)
    run_ok("default")
    asked.refresh_from_db()
    for reviewer in (lee, gita):
        asked = registry.approve(asked, reviewer)
    rows = Deployment.objects.count()

    with pytest.raises(Conflict, match="Changed since the last gate check"):
        endpoints_actions.deploy(request_id=asked.uuid, actor=omar)

    assert (Deployment.objects.count(), PromotionRequest.objects.get(pk=asked.pk).status == "fulfilled") == (
        rows,
        False,
    )


def others_are_refused(request: PromotionRequest, bodies: list[dict[str, int]], client, **steered) -> None:
    """Neither a deployment over the API with one of these bodies uses the approval, nor one that is steered
    in this way, and nothing changes.
    """
    rows, url = Deployment.objects.count(), reverse("api-endpoint-deploy", args=[request.endpoint.uuid])
    for body in bodies:
        answer = client.post(url, {"request": str(request.uuid)} | body, content_type="application/json")
        assert answer.status_code == 422, body
    with pytest.raises(Refused) as refused:
        endpoints_actions.deploy(request_id=request.uuid, actor=User.objects.get(username="omar"), **steered)
    assert "request promotion with the new plan" in refused.value.next_step

    request.refresh_from_db()
    assert (request.status, Deployment.objects.count()) == ("approved", rows)


def deployed_from_the_page(request: PromotionRequest, client) -> tuple[object, int]:
    """The version and the share that the approval came to."""
    client.post(reverse("endpoints:deploy", args=[request.endpoint.uuid]), {"request": request.uuid})
    made = Deployment.objects.get(approval=request)
    return made.version, made.share


def test_a_canary_under_a_rule_is_not_deployed_at_once_nor_by_hand(ruled, omar, client_for):
    others_are_refused(ruled, [{}, {"share": 10_000}, {"share": 1_000}], client_for(omar))


def test_what_is_approved_for_all_traffic_goes_live_for_all_traffic_alone(at_once, version, omar, client_for):
    others_are_refused(at_once, [{"share": 500}], client_for(omar), steered=list)

    assert deployed_from_the_page(at_once, client_for(omar)) == (version, 10_000)


def test_what_is_approved_for_a_share_goes_live_at_that_share_alone(by_hand, version, omar, client_for):
    others_are_refused(by_hand, [{"share": 10_000}, {"share": 501}], client_for(omar), steered=list)

    assert deployed_from_the_page(by_hand, client_for(omar)) == (version, 500)


def test_a_plan_that_is_changed_while_the_files_are_laid_out_is_not_used(by_hand, omar, monkeypatch):
    rows = Deployment.objects.count()
    change = PromotionRequest.objects.filter(pk=by_hand.pk).update
    monkeypatch.setattr(switch, "materialise", lambda version: change(plan=plans.AT_ONCE))

    with pytest.raises(Conflict, match="Changed since the last gate check: the rollout plan"):
        endpoints_actions.deploy(request_id=by_hand.uuid, actor=omar)

    by_hand.refresh_from_db()
    assert (by_hand.status, Deployment.objects.count()) == ("approved", rows)


def test_a_canary_is_not_requested_where_nothing_is_live(project, mia, ravi):
    first = registry.make_version(project, mia, ravi)
    empty = registry.make_endpoint(first.model, mia)

    with pytest.raises(Refused) as refused:
        actions.request(version=first, endpoint=empty, note="", actor=mia, plan=RULE)

    assert list(refused.value.fields) == ["plan"]
    assert not PromotionRequest.objects.exists()


def test_reviewers_read_the_plan(asked, lee, client_for):
    context = client_for(lee).get(reverse("promotions:detail", args=[asked.uuid])).context

    assert dict(context["plan_lines"])["Steps"] == STEPS
    assert ("Rollout plan", f"canary at {STEPS}", digest_of(RULE)) in context["chain"]


def test_the_page_asks_for_a_plan_of_each_kind(endpoint, version, mia, client_for):
    client, form = client_for(mia), {"version": version.uuid, "endpoint": endpoint.uuid, "note": ""}
    for fields, stored in (
        ({"kind": "at_once"}, plans.AT_ONCE),
        ({"kind": "share", "share": "12.5"}, plans.by_hand(1_250)),
        (
            {"kind": "canary", "steps": "10, 100", "min_minutes": "0", "margin": "5", "min_requests": "200"},
            RULE,
        ),
    ):
        answer = client.post(reverse("promotions:new"), form | fields)
        made = PromotionRequest.objects.latest("pk")
        assert (answer.status_code, made.plan) == (302, stored)
        actions.withdraw(request_id=made.uuid, actor=mia, reason="Next.")


@pytest.mark.parametrize(
    "fields", [{}, {"kind": "share"}, {"kind": "share", "share": "95"}, {"kind": "canary", "steps": "100"}]
)
def test_an_incomplete_plan_on_the_page_makes_no_request(endpoint, version, mia, client_for, fields):
    form = {"version": version.uuid, "endpoint": endpoint.uuid, "share": "", "note": ""}

    assert client_for(mia).post(reverse("promotions:new"), form | fields).status_code == 422
    assert PromotionRequest.objects.count() == 1


def test_a_wrong_rule_on_the_page_comes_back_with_what_is_wrong(endpoint, version, mia, client_for):
    form = {"version": version.uuid, "endpoint": endpoint.uuid, "note": "", "kind": "canary"}
    for change, field in (
        ({"steps": "50, 20, 100"}, "steps"),
        ({"steps": "a"}, "steps"),
        ({"steps": "nan, 100"}, "steps"),
        ({"margin": "nan"}, "margin"),
        ({"min_requests": "7"}, "min_requests"),
        ({"max_hours": ""}, "max_hours"),
    ):
        page = client_for(mia).post(reverse("promotions:new"), form | change)
        fragment = client_for(mia).post(reverse("promotions:new"), form | change, HTTP_HX_REQUEST="true")

        assert (fragment.status_code, page.status_code) == (422, 422)
        ((wrong, (why,)),) = page.context["rule"].errors.items()
        assert wrong == field
        assert all(escape(why) in answer.content.decode() for answer in (fragment, page)), change
    assert PromotionRequest.objects.count() == 1


def test_over_the_api_the_plan_is_at_once_where_none_is_given_and_fields_of_another_kind_are_refused(
    endpoint, version, mia, client_for
):
    client, body = client_for(mia), {"version": str(version.uuid), "endpoint": str(endpoint.uuid)}

    wrong = {
        400: ({"kind": "at_once", "share": 500}, {"kind": "share", "share": 500, "steps": [500, 10_000]}, {}),
        422: ({"kind": "share"},),
    }
    for status, given in wrong.items():
        for plan in given:
            answer = client.post(
                "/api/v1/promotions/", body | {"plan": plan}, content_type="application/json"
            )
            assert answer.status_code == status, plan
    made = client.post("/api/v1/promotions/", body, content_type="application/json")

    assert (made.status_code, made.json()["plan"]) == (201, plans.AT_ONCE)
    assert PromotionRequest.objects.count() == 2


def test_a_change_of_the_plan_has_a_name():
    assert rules.changes({"plan": "a"}, {"plan": "b"}) == ["the rollout plan"]
