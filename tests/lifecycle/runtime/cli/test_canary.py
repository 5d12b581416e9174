"""A canary: started with a share, watched, paused, widened, stopped."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from monitoring.rollouts import actions
from monitoring.rollouts.models import Rollout
from monitoring.rollouts.rules import Plan
from monitoring.traffic.models import MinuteRollup, Prediction
from registry.endpoints.models import Deployment
from registry.promotions import actions as promotions
from registry.promotions import plans
from tests.support import endpoints

EASY = Plan(min_requests=100, min_minutes=0, margin=0.2)


@pytest.fixture
def endpoint(live_endpoint):
    """1.0.0 is live, with 6,000 requests in the last hour."""
    start = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=30)
    MinuteRollup.objects.create(
        endpoint=live_endpoint,
        version=live_endpoint.alias.version,
        arm="stable",
        start=start,
        requests=6_000,
        errors=0,
    )
    return live_endpoint


@pytest.fixture
def approved(endpoint):
    """The approved request for 1.1.0, as a canary by EASY."""
    return endpoints.with_approval(endpoint, plans.canary(EASY))


@pytest.fixture
def running(approved, omar):
    """The canary, as `lifecycle canary start` starts it."""
    return actions.start(request_id=approved.uuid, actor=omar)


def canary(endpoint):
    """The canary's share of 10,000, or None where none runs."""
    found = Deployment.objects.filter(endpoint=endpoint, arm="canary", ended_at=None).first()
    return found and found.share


def test_starting_prints_the_time_to_a_decision_first(as_person, omar, endpoint, approved):
    result = as_person(omar)("canary", "start", str(approved.number))

    forecast = result.err.splitlines()
    assert result.code == 0, result.err
    assert forecast[0].split() == ["SHARE", "REQUESTS/H", "NEEDED", "TIME"]
    assert forecast[1].split()[:3] == ["5", "%", "300.0"]
    assert forecast[-1].startswith("All traffic within ")
    assert result.out.splitlines() == [
        "1.1.0 answers 5 % of the requests on inbox/support-inbox-prod, beside 1.0.0.",
        "Follow it: lifecycle canary watch inbox/support-inbox-prod",
        "Stop it: lifecycle canary abort inbox/support-inbox-prod --to 1.0.0 --reason …",
    ]
    assert canary(endpoint) == 500
    assert Rollout.objects.get().plan["min_requests"] == 100


def test_deploy_is_the_same(as_person, omar, endpoint, approved):
    result = as_person(omar)("endpoints", "deploy", str(approved.number), "--json")

    assert result.code == 0, result.err
    assert (result.json["share"], result.json["plan"]["steps"]) == (500, [500, 2500, 5000, 10_000])
    assert canary(endpoint) == 500


@pytest.mark.parametrize("plan", [plans.AT_ONCE, plans.by_hand(500)])
def test_another_kind_of_plan_is_refused_and_nothing_starts(as_person, omar, endpoint, plan):
    number = endpoints.with_approval(endpoint, plan).number

    for more in ([], ["--forecast"]):
        result = as_person(omar)("canary", "start", str(number), *more)
        assert (result.code, result.out) == (1, "")
        assert f"lifecycle endpoints deploy {number}" in result.err
    assert (canary(endpoint), Rollout.objects.count()) == (None, 0)


def test_a_forecast_starts_nothing_and_is_1_where_it_could_not_start(as_person, omar, endpoint, approved):
    command = as_person(omar)

    good = command("canary", "start", str(approved.number), "--forecast")
    promotions.withdraw(request_id=approved.uuid, actor=approved.requester, reason="Another plan.")
    hasty = endpoints.approved(
        endpoint.model.project,
        endpoint,
        approved.version,
        plans.canary(Plan(min_requests=5000, max_hours=8)),
    )
    bad = command("canary", "start", str(hasty.number), "--forecast")

    assert (good.code, good.err, bad.code) == (0, "", 1)
    assert bad.out.splitlines()[-1].startswith("At 5 % the canary gets 300 requests an hour: ")
    assert canary(endpoint) is None


def test_a_forecast_warns_of_few_returning_customers(as_person, omar, endpoint, approved):
    for at in range(8):
        Prediction.objects.create(
            endpoint=endpoint, key=f"{at % 4:016x}", at=timezone.now(), code=200, latency_ms=5.0
        )

    result = as_person(omar)("canary", "start", str(approved.number), "--forecast")

    assert result.code == 1
    warnings = result.out.splitlines()[-2:]
    assert all(line.startswith("About 4 returning customers send 100") for line in warnings)
    assert ("it would never widen" in warnings[0], "too few for the rule to roll it back" in warnings[1]) == (
        True,
        True,
    )


def test_a_plan_that_cannot_decide_is_refused_and_nothing_starts(as_person, omar, endpoint, approved):
    MinuteRollup.objects.all().delete()

    result = as_person(omar)("canary", "start", str(approved.number))

    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[-1].startswith(
        "No requests in the last 24 hours, so a canary can't be evaluated."
    )
    assert (canary(endpoint), Rollout.objects.count()) == (None, 0)


def test_status_shows_the_rule_and_both_arms(as_person, omar, endpoint, running, site):
    result = as_person(omar)("canary", "status", endpoint.slug)

    lines = result.out.splitlines()
    assert (result.code, result.err) == (0, "")
    assert lines[0] == "Canary         1.1.0 beside 1.0.0 on inbox/support-inbox-prod"
    assert lines[1] == "State          running, 5 % of the requests"
    assert lines[2].startswith("The rule says  continue: ")
    assert lines[3] == "Next step      25 %"
    assert lines[4] == f"Page           {site}/rollouts/{running.uuid}/"
    assert [line.split() for line in lines if line.startswith(("canary ", "stable "))] == [
        ["canary", "0", "0", "0", "0"],
        ["stable", "0", "0", "0", "0"],
    ]
    assert next(line.split() for line in lines if line.startswith("RULE")) == ["RULE", "NOW"]
    assert as_person(omar)("canary", "status", endpoint.slug, "--json").json["decision"] == "continue"


def test_the_endpoints_status_names_the_canary(as_person, omar, endpoint, running):
    result = as_person(omar)("endpoints", "status", endpoint.slug)

    assert "Canary    1.1.0, 5 % of the requests" in result.out.splitlines()


def test_pause_resume_and_widen(as_person, omar, endpoint, running):
    command = as_person(omar)

    paused = command("canary", "pause", endpoint.slug)
    assert (paused.code, paused.out) == (
        0,
        "1.1.0 stays at 5 % on inbox/support-inbox-prod. It's still rolled back if it fails.\n",
    )
    assert Rollout.objects.get().state == "paused"

    resumed = command("canary", "resume", endpoint.slug)
    assert (resumed.code, resumed.out) == (
        0,
        "The rule widens 1.1.0 on inbox/support-inbox-prod again; it's at 5 %.\n",
    )

    widened = command("canary", "widen", endpoint.slug, "--reason", "Checked by hand.")
    assert (widened.code, widened.out) == (0, "1.1.0 answers 25 % on inbox/support-inbox-prod.\n")
    assert canary(endpoint) == 2500


def test_widening_before_the_rule_would_needs_a_reason(as_person, omar, endpoint, running):
    result = as_person(omar)("canary", "widen", endpoint.slug)

    assert (result.code, result.out) == (1, "")
    assert "reason" in result.err
    assert canary(endpoint) == 500


def test_aborting_gives_all_traffic_to_the_other(as_person, omar, endpoint, running):
    result = as_person(omar)(
        "canary", "abort", endpoint.slug, "--to", "1.0.0", "--reason", "Customers complain."
    )

    assert (result.code, result.out) == (
        0,
        "1.0.0 answers all requests on inbox/support-inbox-prod again; 1.1.0 is stopped.\n",
    )
    assert (canary(endpoint), Rollout.objects.get().state) == (None, "aborted")


def test_the_wrong_version_typed_aborts_nothing(as_person, omar, endpoint, running):
    result = as_person(omar)(
        "canary", "abort", endpoint.slug, "--to", "1.1.0", "--reason", "Customers complain."
    )

    assert (result.code, result.out) == (1, "")
    assert canary(endpoint) == 500


def test_watching_ends_with_the_canary_and_is_1_where_it_was_stopped(
    as_person, token, omar, endpoint, running
):
    def stopped():
        actions.abort(
            rollout_id=running.uuid,
            actor=omar,
            seen=Rollout.objects.get().moves,
            reason="Customers complain.",
            typed="1.0.0",
        )

    result = as_person(omar)("canary", "watch", endpoint.slug, during=stopped)

    assert (result.code, result.waits) == (1, [2.0])
    assert result.err.startswith("1.1.0 running at 5 %: 0 requests, 0 errors. ")
    assert result.out.splitlines()[:3] == [
        "Canary   1.1.0 beside 1.0.0 on inbox/support-inbox-prod",
        "State    aborted, 5 % of the requests",
        "Because  Customers complain.",
    ]


def test_ctrl_c_leaves_it_running(as_person, omar, endpoint, running):
    def interrupt():
        raise KeyboardInterrupt

    result = as_person(omar)("canary", "watch", endpoint.slug, during=interrupt)

    assert (result.code, result.out) == (130, "")
    assert (
        result.err.splitlines()[-1]
        == "The canary continues. Watch it: lifecycle canary watch inbox/support-inbox-prod"
    )
    assert canary(endpoint) == 500


def test_an_engineer_aborts_one_too(as_person, mia, endpoint, running):
    result = as_person(mia)(
        "canary", "abort", endpoint.slug, "--to", "1.0.0", "--reason", "Customers complain."
    )

    assert result.code == 0, result.err
    assert (canary(endpoint), Rollout.objects.get().state) == (None, "aborted")


def test_without_a_canary_the_commands_are_refused(as_person, omar, endpoint):
    for word in ("status", "watch", "pause", "resume", "widen"):
        result = as_person(omar)("canary", word, endpoint.slug)
        assert (result.code, result.err) == (
            1,
            "No canary runs on inbox/support-inbox-prod. Start one: lifecycle canary start REQUEST\n",
        )


@pytest.mark.parametrize("share", ["0", "101", "five", "0.001", "-5", ""])
def test_an_invalid_share_is_a_usage_error(as_person, omar, share, project):
    result = as_person(omar)(
        "promotions", "request", "1.1.0", "--endpoint", "support-inbox-prod", "--share", share
    )

    assert (result.code, result.out) == (2, "")
    assert (
        "Write a percentage from 0.01 to 100, such as 5 or 0.5%." in result.err
        or "expected one argument" in result.err
    )
