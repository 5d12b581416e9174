"""What was not measured never counts as holding: it is named, and a plan can require that wrong answers are
bounded.
"""

from __future__ import annotations

from uuid import uuid4

import numpy as np
import pytest

from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics.clustered import alone, sums
from monitoring.rollouts.models import Look
from monitoring.rollouts.queries import evidence as evidence_queries
from monitoring.rollouts.rules import (
    Counts,
    Evidence,
    Kind,
    Plan,
    Side,
    Traffic,
    conditions,
    decide,
    forecast,
)
from monitoring.rollouts.rules.interval import disagreement
from monitoring.traffic.actions import record_feedback
from monitoring.traffic.models import Prediction
from registry.promotions import actions as promotions
from registry.promotions import plans
from registry.promotions.api import PlanIn
from registry.promotions.forms import PlanForm
from tests.monitoring.rollouts.conftest import dealt, key
from tests.support.trail import behind_its_back

PLAN = Plan(min_requests=2000, min_minutes=60, margin=0.005, max_hours=24)
REQUIRED = Plan(min_requests=2000, min_minutes=60, margin=0.005, max_hours=24, wrong_margin=0.1)
NONE = {"errors": 0.0, "slow": 0.0, "wrong": 0.0}


def found(wrong=(0, 0), judged=(0, 0), unmeasured=(), **more):
    counts = Counts(Side(5000, 5000, 10, 0, wrong[0]), Side(95_000, 95_000, 190, 0, wrong[1]))
    return Evidence(
        counts, dealt(counts, judged=judged), NONE, 120.0, 120.0, unmeasured=frozenset(unmeasured), **more
    )


def test_without_feedback_the_verdict_names_what_was_not_measured():
    decision = decide(PLAN, found(unmeasured={"wrong"}))

    assert (decision.kind, decision.why) == (
        Kind.PROMOTE,
        "All measured conditions are met. Not measured: wrong predictions (from feedback).",
    )
    assert [
        (line.now, line.word)
        for line in conditions(PLAN, found(unmeasured={"wrong"}))
        if "Evidence of too many wrong" in line.title
    ] == [("not measured", "not measured")]


def test_a_plan_that_requires_a_bound_on_wrong_answers_never_widens_without_feedback():
    evidence = found(unmeasured={"wrong"})

    assert decide(REQUIRED, evidence).kind == Kind.CONTINUE
    assert (
        decide(REQUIRED, evidence).why
        == "Difference in wrong predictions among those with feedback below +10.0 points, upper bound: "
        "not enough data, 100 with feedback from 30 keys per arm needed."
    )
    assert decide(REQUIRED, found(wrong=(20, 380), judged=(99, 5_000))).kind == Kind.CONTINUE


def test_with_feedback_that_bounds_wrong_answers_it_widens_and_with_many_more_of_them_it_holds():
    assert decide(REQUIRED, found(wrong=(100, 1_900), judged=(1_000, 19_000))).kind == Kind.PROMOTE
    assert decide(REQUIRED, found(wrong=(190, 1_900), judged=(1_000, 19_000))).kind == Kind.CONTINUE

    worse = decide(REQUIRED, found(wrong=(500, 1_900), judged=(1_000, 19_000)))
    assert worse.kind == Kind.HOLD
    assert worse.why.startswith("Wrong predictions are higher by at least +")


def test_a_rollout_without_feedback_widens_and_its_look_shows_what_was_not_measured(rollout, street, fresh):
    street.feed(1, canary=(120, 0), stable=(400, 2))

    street.tick(3)

    assert fresh(rollout).share == 2500
    assert (
        Look.objects.get().why
        == "All measured conditions are met. Not measured: wrong predictions (from feedback)."
    )


def test_feedback_on_both_arms_measures_wrong_answers(begun, street, omar):
    rollout = begun(min_requests=2000, max_hours=720)
    street.feed(1, canary=(120, 0), stable=(400, 2))
    for arm in ("canary", "stable"):
        street.tick(2)
        assert "wrong" in evidence_queries.evidence(rollout, street.at(2)).unmeasured
        record_feedback(
            prediction_id=Prediction.objects.filter(arm=arm, code=200).latest("at").uuid,
            right=True,
            label="",
            actor=omar,
        )
    street.tick(3)

    evidence = evidence_queries.evidence(rollout, street.at(3))
    assert evidence.unmeasured == frozenset()
    assert [arm.above for arm in evidence.groups.of("judged")] == [1, 1]


def test_a_plan_is_stored_and_read_without_what_it_does_not_require():
    stored = {
        "kind": "canary",
        "steps": [500, 2500, 5000, 10_000],
        "min_requests": 2000,
        "min_minutes": 480,
        "margin": 0.005,
        "rise": 0.02,
        "max_hours": 48,
        "automatic": True,
        "warm_up": 20,
        "alphas": {"errors": 0.03, "slow": 0.01, "wrong": 0.01},
        "rate_ratios": {"errors": 1.0, "slow": 1.5, "wrong": 1.0},
        "tau": 0.01,
    }

    assert plans.canary_of(stored) == Plan()
    assert plans.canary(Plan()) == plans.checked(stored) == stored
    assert plans.canary(Plan(wrong_margin=None)) == stored


@pytest.mark.parametrize("data", [5, ["steps"], "steps"])
def test_what_is_no_plan_is_refused_as_such(data):
    assert not PlanIn(data=data).is_valid()


def test_a_required_bound_is_part_of_what_is_approved():
    assert plans.canary(Plan(wrong_margin=0.1)) == plans.canary(Plan()) | {"wrong_margin": 0.1}


def test_the_plan_states_whether_wrong_answers_are_bounded():
    assert dict(plans.lines(PLAN))["Wrong-prediction margin"] == "none: widens without feedback too"
    assert (
        dict(plans.lines(REQUIRED))["Wrong-prediction margin"]
        == "10 percentage points among predictions with feedback"
    )
    assert plans.sentence(plans.canary(REQUIRED)).endswith(
        "wrong predictions at most 10 percentage points more"
    )
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

    assert (
        forecast(REQUIRED, busy).problem
        == "The plan requires a bound on wrong predictions, but no request in the last 24 hours has feedback."
    )
    some = forecast(REQUIRED, Traffic(72_000, 100_000, 500, judged=0.02, wrong=0.002)).steps[0]
    assert some.needed > 2 * forecast(PLAN, busy).steps[0].needed


# ── Shadow disagreement ─────────────────────────────────────────────────────
SHADOWED = Plan(min_requests=2000, min_minutes=60, margin=0.005, max_hours=24, shadow_disagreement=0.1)


def compared(differ: int, keys: int = 50, each: int = 20):
    """A thousand predictions of a shadow, of each key as many; so many keys differ in every one."""
    return sums([0] * differ + [each] * (keys - differ), [each] * keys)


def test_a_plan_that_requires_a_bound_on_shadow_disagreement_never_widens_without_a_shadow():
    decision = decide(SHADOWED, found())

    assert (decision.kind, decision.why) == (
        Kind.CONTINUE,
        (
            "Shadow disagreement at most 10.0\u00a0%, upper bound: not measured: this version didn't run as a"
            " shadow before the canary."
        ),
    )
    assert decide(PLAN, found()).kind == Kind.PROMOTE
    assert [line.word for line in conditions(SHADOWED, found()) if line.title.startswith("Shadow")] == [
        "not measured"
    ]


def test_the_upper_bound_of_shadow_disagreement_comes_from_senders_and_is_what_counts():
    """Of 1,000 predictions 2 % differ: all of one customer of 50, or of a thousand customers."""
    one_of_50, of_1000 = found(shadow=compared(1)), found(shadow=alone(980, 1000))

    assert [decide(SHADOWED, each).kind for each in (one_of_50, of_1000)] == [Kind.CONTINUE, Kind.PROMOTE]
    assert (one_of_50.disagreement(SHADOWED).value, of_1000.disagreement(SHADOWED).value) == pytest.approx(
        (0.02, 0.02)
    )
    assert one_of_50.disagreement(SHADOWED).high > 0.15 > 0.05 > of_1000.disagreement(SHADOWED).high


def test_a_version_that_differed_too_often_for_sure_holds():
    decision = decide(SHADOWED, found(shadow=alone(600, 1000)))

    assert decision.kind == Kind.HOLD
    assert decision.why.startswith("As a shadow it differed in at least 3")
    assert decide(SHADOWED, found(shadow=alone(99, 99))).kind == Kind.CONTINUE  # too few
    assert decide(SHADOWED, found(shadow=sums([20] * 29, [20] * 29))).kind == Kind.CONTINUE  # too few senders


def test_a_month_of_looks_hardly_ever_bounds_a_shadow_that_differs_by_just_as_much():
    """100 customers of an intraclass correlation of .3 differ in 10 %; 30 daily looks. By Wilson of rows it
    is 4 in 10.
    """
    chance, wrong, months = np.random.default_rng(19), 0, 40
    for _ in range(months):
        asked = chance.poisson(3, (30, 100)).cumsum(axis=0)
        differ = chance.binomial(asked, chance.beta(0.1 * 7 / 3, 0.9 * 7 / 3, 100))
        looks = [
            disagreement(sums(of - bad, of), alpha=SHADOWED.alpha)
            for of, bad in zip(asked, differ, strict=True)
        ]
        wrong += any(each.high <= 0.1 for each in looks if each)

    assert wrong <= 4  # 5 % of 40, and twice the standard error of simulation


def test_the_plan_states_how_much_shadow_disagreement_it_allows():
    assert dict(plans.lines(PLAN))["Maximum shadow disagreement"] == "none: widens without a shadow too"
    assert (
        dict(plans.lines(SHADOWED))["Maximum shadow disagreement"]
        == "10.0\u00a0% of its shadow predictions, before the canary"
    )
    assert plans.sentence(plans.canary(SHADOWED)).endswith("shadow disagreement at most 10 %")
    assert Plan.from_json(SHADOWED.as_json()) == SHADOWED
    given = [PlanForm(PlanForm.DEFAULTS | {"shadow_disagreement": text}) for text in ("", "2", "60")]
    assert [form.is_valid() for form in given] == [True, True, False]
    assert [form.cleaned_data["plan"].shadow_disagreement for form in given[:2]] == [None, 0.02]
    assert set(given[2].errors) == {"shadow_disagreement"}


def test_a_start_is_refused_until_the_version_ran_as_a_shadow_and_then_the_rollout_knows_what_it_did(
    asked, version, mia, omar
):
    """120 comparisons of as many customers, two of which differ; 1.0.0 has been live for an hour before."""
    behind_its_back("UPDATE endpoints_deployment SET started_at = %s", asked.at(-60))
    strict = asked.approved(version, shadow_disagreement=0.02)
    with pytest.raises(Refused, match="this version didn't run as a shadow before the canary"):
        asked.start(strict, mia)
    shade(asked, version, [at > 1 for at in range(120)])
    with pytest.raises(Refused, match=r"Shadow disagreement at most 2.0"):
        asked.start(strict, mia)
    promotions.withdraw(request_id=strict.uuid, actor=mia, reason="A wider bound will do.")

    rollout = asked.start(asked.approved(version, shadow_disagreement=0.2), mia)
    # from then on it serves requests itself: later lines don't count as shadow evidence
    shade(asked, version, [False] * 50, minute=5)

    shadow = evidence_queries.evidence(rollout, asked.at(6)).shadow
    assert (shadow.above, shadow.below) == (118, 120)
    assert shadow.clusters > 30
    (line,) = (
        each
        for each in conditions(rollout.rule, evidence_queries.evidence(rollout, asked.at(6)))
        if each.title.startswith("Shadow")
    )
    assert (line.mark, line.now.endswith("of 120")) == ("ok", True)


def shade(street, version, agree, minute=-20):
    """The version answered copies of requests, each of another customer."""
    line = {
        "kind": "shadow",
        "at": street.at(minute).isoformat(),
        "endpoint": street.endpoint.full_name,
        "version": str(version.uuid),
        "root_digest": version.root_digest,
        "deployment": None,
        "code": 200,
        "label": "refund",
        "confidence": 0.6,
        "kl": None,
        "latency_ms": 9.0,
        "primary_latency_ms": 5.0,
    }
    names = {"uuid": uuid4, "prediction": uuid4}
    rows = [line | {name: str(make()) for name, make in names.items()} | {"agrees": yes} for yes in agree]
    street.take_in(*(row | {"key": key(f"customer-{at}")} for at, row in enumerate(rows)))
