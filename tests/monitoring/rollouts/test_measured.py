"""What was not measured never counts as holding: it is named, and a plan can require that wrong answers are bounded."""

from __future__ import annotations

import pytest

from lifecycle.refusals import Refused
from monitoring.rollouts import queries
from monitoring.rollouts.models import Look
from monitoring.rollouts.rules import Counts, Evidence, Kind, Plan, Side, Traffic, conditions, decide, forecast
from monitoring.traffic.actions import record_feedback
from monitoring.traffic.models import Prediction
from registry.promotions import plans
from registry.promotions.api import PlanIn, PromotionPlanIn
from registry.promotions.forms import PlanForm
from tests.monitoring.rollouts.conftest import dealt

PLAN = Plan(min_requests=2000, min_minutes=60, margin=0.005, max_hours=24)
REQUIRED = Plan(min_requests=2000, min_minutes=60, margin=0.005, max_hours=24, wrong_margin=0.1)
NONE = {"errors": 0.0, "slow": 0.0, "wrong": 0.0}


def found(wrong=(0, 0), judged=(0, 0), unmeasured=(), **more):
    counts = Counts(Side(5000, 5000, 10, 0, wrong[0]), Side(95_000, 95_000, 190, 0, wrong[1]))
    return Evidence(counts, dealt(counts, judged=judged), NONE, 120.0, 120.0, unmeasured=frozenset(unmeasured), **more)


def test_without_feedback_the_verdict_names_what_was_not_measured():
    decision = decide(PLAN, found(unmeasured={"wrong"}))

    assert (decision.kind, decision.why) == (
        Kind.PROMOTE, "Every condition holds that could be measured. Not measured: answers called wrong.",
    )  # fmt: skip
    assert [(line.now, line.word) for line in conditions(PLAN, found(unmeasured={"wrong"})) if "called wrong" in line.title] == [
        ("not measured", "not measured")
    ]


def test_a_plan_that_requires_a_bound_on_wrong_answers_never_widens_without_feedback():
    evidence = found(unmeasured={"wrong"})

    assert decide(REQUIRED, evidence).kind == Kind.CONTINUE
    assert decide(REQUIRED, evidence).why == (
        "Difference of wrong answers, of those with feedback, below +10.0 points, upper bound: "
        "not enough data, 100 with feedback of each arm needed, of 30 keys."
    )
    assert decide(REQUIRED, found(wrong=(20, 380), judged=(99, 5_000))).kind == Kind.CONTINUE


def test_with_feedback_that_bounds_wrong_answers_it_widens_and_with_many_more_of_them_it_holds():
    assert decide(REQUIRED, found(wrong=(100, 1_900), judged=(1_000, 19_000))).kind == Kind.PROMOTE
    assert decide(REQUIRED, found(wrong=(190, 1_900), judged=(1_000, 19_000))).kind == Kind.CONTINUE

    worse = decide(REQUIRED, found(wrong=(500, 1_900), judged=(1_000, 19_000)))
    assert worse.kind == Kind.HOLD
    assert worse.why.startswith("Wrong answers are higher by at least +")


def test_a_rollout_without_feedback_widens_and_its_look_says_what_was_not_measured(rollout, street, fresh):
    street.feed(1, canary=(120, 0), stable=(400, 2))

    street.tick(3)

    assert fresh(rollout).share == 2500
    assert Look.objects.get().why == "Every condition holds that could be measured. Not measured: answers called wrong."


def test_feedback_on_both_arms_measures_wrong_answers(begun, street, omar):
    rollout = begun(min_requests=2000, max_hours=720)
    street.feed(1, canary=(120, 0), stable=(400, 2))
    for arm in ("canary", "stable"):
        street.tick(2)
        assert "wrong" in queries.evidence(rollout, street.at(2)).unmeasured
        record_feedback(prediction_id=Prediction.objects.filter(arm=arm, code=200).latest("at").uuid, right=True, label="", actor=omar)
    street.tick(3)

    evidence = queries.evidence(rollout, street.at(3))
    assert evidence.unmeasured == frozenset()
    assert [arm.above for arm in evidence.groups.of("judged")] == [1, 1]


def test_a_plan_from_before_is_stored_and_read_as_it_was():
    """What a plan does not require is not in it, so that its digest, which reviewers approved, is the same."""
    before = {
        "kind": "canary", "steps": [500, 2500, 5000, 10_000], "min_requests": 2000, "min_minutes": 480, "margin": 0.005, "rise": 0.02,
        "max_hours": 48, "automatic": True, "warm_up": 20, "alphas": {"errors": 0.03, "slow": 0.01, "wrong": 0.01},
        "rate_ratios": {"errors": 1.0, "slow": 1.5, "wrong": 1.0}, "tau": 0.01,
    }  # fmt: skip

    assert plans.canary_of(before) == Plan()
    assert plans.canary(Plan()) == plans.checked(before) == before
    plans.check_same(before, plans.canary(Plan(wrong_margin=None)))


def test_a_plan_that_was_approved_when_ratios_of_rates_were_called_tolerances_is_read_and_used():
    before = plans.canary(Plan(rate_ratios={"errors": 1.0, "slow": 2.0, "wrong": 1.0}))
    before["tolerances"] = before.pop("rate_ratios")

    read = plans.canary_of(before)
    assert (read.rate_ratios["slow"], plans.checked(before)) == (2.0, plans.canary(read))
    assert dict(plans.lines(read))["Harmless up to"] == "errors 1 ×, slow 2 ×, wrong 1 × the stable version's rate"
    plans.check_same(before, plans.canary(read))
    with pytest.raises(Refused, match="Another rollout plan was approved"):
        plans.check_same(before, plans.canary(Plan()))


@pytest.mark.parametrize(("serializer", "more"), [(PlanIn, {}), (PromotionPlanIn, {"kind": "canary"})])
def test_a_field_under_its_name_of_before_is_refused_and_not_left_out(serializer, more):
    given = serializer(data={"tolerances": {"errors": 1.0, "slow": 2.0, "wrong": 1.0}, **more})

    assert (given.is_valid(), given.errors) == (False, {"tolerances": ["This field is called rate_ratios now."]})


@pytest.mark.parametrize("data", [5, ["tolerances"], "tolerances"])
def test_what_is_no_plan_is_refused_as_such(data):
    assert not PlanIn(data=data).is_valid()


def test_a_required_bound_is_part_of_what_is_approved():
    with pytest.raises(Refused, match="Another rollout plan was approved"):
        plans.check_same(plans.canary(Plan()), plans.canary(Plan(wrong_margin=0.1)))


def test_the_plan_says_whether_wrong_answers_are_bounded():
    assert dict(plans.lines(PLAN))["Margin of wrong answers"] == "none: widens without feedback too"
    assert dict(plans.lines(REQUIRED))["Margin of wrong answers"] == "10 percentage points of the answers with feedback"
    assert plans.sentence(plans.canary(REQUIRED)).endswith("wrong answers at most 10 percentage points more")
    assert Plan.from_json(REQUIRED.as_json()) == REQUIRED
    with pytest.raises(Refused) as refusal:
        Plan(wrong_margin=0.3)
    assert set(refusal.value.fields) == {"wrong_margin"}


def test_the_form_takes_a_bound_on_wrong_answers_or_none():
    given = [PlanForm(PlanForm.DEFAULTS | {"wrong_margin": text}) for text in ("", "2", "30")]

    assert [form.is_valid() for form in given] == [True, True, False]
    assert [form.cleaned_data["plan"].wrong_margin for form in given[:2]] == [None, 0.02]
    assert set(given[2].errors) == {"wrong_margin"}


def test_the_forecast_counts_the_feedback_that_a_bound_needs():
    busy = Traffic(per_hour=72_000, requests=100_000, errors=500)

    assert forecast(REQUIRED, busy).problem == (
        "The plan requires a bound on wrong answers, and no request of the last 24 hours has feedback."
    )
    some = forecast(REQUIRED, Traffic(72_000, 100_000, 500, judged=0.02, wrong=0.002)).steps[0]
    assert some.needed > 2 * forecast(PLAN, busy).steps[0].needed
