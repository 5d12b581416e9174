"""What a look decides, case by case."""

import pytest

from lifecycle.runtime.refusals import Refused
from monitoring.rollouts.rules import (
    METRICS,
    MOVES,
    Counts,
    Evidence,
    Kind,
    Plan,
    Side,
    State,
    conditions,
    decide,
    log_e,
    log_limit,
)
from tests.monitoring.rollouts.conftest import dealt

PLAN = Plan(min_requests=2000, min_minutes=60, margin=0.005, max_hours=24)
NONE = {"errors": 0.0, "slow": 0.0, "wrong": 0.0}
GOOD = Counts(Side(2500, 2400, 7, 120, 2), Side(50_000, 45_600, 130, 2300, 40))


def found(counts=GOOD, minutes=120.0, **more):
    log_e = NONE | {name: more.pop(name) for name in NONE if name in more}
    groups = more.pop("groups", None) or dealt(counts)
    return Evidence(counts, groups, log_e, minutes, more.pop("waited", minutes), **more)


def test_a_healthy_canary_with_enough_evidence_widens():
    decision = decide(PLAN, found())

    assert (decision.kind, decision.why) == (Kind.PROMOTE, "All conditions are met.")


@pytest.mark.parametrize(
    ("evidence", "why"),
    [
        (found(Counts(Side(1999, 1999, 6, 0, 0), GOOD.stable)), "2,000 canary requests: 1,999."),
        (found(minutes=59.0), "At least 1\u00a0h at this step: 59\u00a0min."),
        (
            found(Counts(Side(2000, 2000, 15, 0, 0), Side(38_000, 38_000, 95, 0, 0))),
            "Error difference below +0.5 points, upper bound: +1.14.",
        ),
        (found(behind=True), "Some requests aren't counted yet."),
        (found(blocked="Frozen."), "Frozen."),
    ],
)
def test_one_missing_condition_is_enough_to_go_on_as_it_is(evidence, why):
    decision = decide(PLAN, evidence)

    assert (decision.kind, decision.why) == (Kind.CONTINUE, why)


@pytest.mark.parametrize("metric", ["errors", "slow", "wrong"])
def test_each_kind_of_evidence_takes_it_back_at_its_own_limit(metric):
    limit = {"errors": 3.5066, "slow": 4.6052, "wrong": 4.6052}[metric]

    assert decide(PLAN, found(**{metric: limit - 0.001})).kind == Kind.PROMOTE
    assert decide(PLAN, found(**{metric: limit + 0.001})).kind == Kind.ROLLBACK


def test_a_rollback_comes_before_all_else_and_shows_what_happened():
    counts = Counts(Side(60, 60, 9, 0, 0), Side(1140, 1140, 6, 0, 0))

    decision = decide(PLAN, found(counts, minutes=3000.0, errors=9.0, blocked="Frozen."))

    assert decision.kind == Kind.ROLLBACK
    assert (
        decision.why
        == "Too many failed requests: 9 of 60 on the canary, 6 of 1,140 on the stable arm. Evidence 8,103,"
        " limit 33."
    )


def test_time_that_runs_out_holds_and_never_widens():
    few = Counts(Side(300, 300, 1, 0, 0), Side(5700, 5700, 20, 0, 0))

    decision = decide(PLAN, found(few, minutes=24 * 60.0))

    assert decision.kind == Kind.HOLD
    assert decision.why.startswith("Not enough evidence after 1\u00a0d. 2,000 canary requests: 300;")


def test_time_does_not_run_out_while_there_are_requests_that_were_not_counted():
    few = Counts(Side(300, 300, 1, 0, 0), Side(5700, 5700, 20, 0, 0))

    assert decide(PLAN, found(few, minutes=24 * 60.0, behind=True)).kind == Kind.CONTINUE
    assert decide(PLAN, found(few, minutes=24 * 60.0, behind=True, errors=9.0)).kind == Kind.ROLLBACK


def test_no_traffic_at_all_is_insufficient_not_good():
    assert decide(PLAN, found(Counts(), minutes=60.0)).kind == Kind.CONTINUE
    assert decide(PLAN, found(Counts(), minutes=24 * 60.0)).kind == Kind.HOLD


def test_a_canary_shown_to_be_worse_than_the_margin_holds_at_once():
    worse = Counts(Side(40_000, 40_000, 800, 0, 0), Side(40_000, 40_000, 200, 0, 0))

    decision = decide(PLAN, found(worse, minutes=1.0))

    assert decision.kind == Kind.HOLD
    assert decision.why.startswith("Errors are higher by at least +1.2")


def test_the_rule_reads_line_by_line():
    lines = conditions(PLAN, found(Counts(Side(60, 60, 1, 3, 0), Side(1140, 1140, 6, 50, 0)), slow=3.0))

    assert [(line.title, line.now, line.word) for line in lines] == [
        ("2,000 canary requests", "60", "open"),
        ("At least 1\u00a0h at this step", "2\u00a0h", "holds"),
        ("30 different sticky keys on each arm", "at least 60", "holds"),
        ("Error difference below +0.5 points, upper bound", "not enough data, 100 per arm needed", "open"),
        ("Evidence of too many failed requests below 33", "1.0", "holds"),
        ("Evidence of too many slow responses below 100", "20", "close"),
        ("Evidence of too many wrong predictions (from feedback) below 100", "none yet", "holds"),
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"steps": (500, 500, 10_000)}, "steps"),
        ({"steps": (500, 2500)}, "steps"),
        ({"steps": (10_000,)}, "steps"),
        ({"steps": (0, 10_000)}, "steps"),
        ({"min_requests": 99}, "min_requests"),
        ({"min_minutes": 60 * 49}, "min_minutes"),
        ({"margin": 0.0}, "margin"),
        ({"margin": float("nan")}, "margin"),
        ({"max_hours": 0}, "max_hours"),
        ({"warm_up": -1}, "warm_up"),
        ({"alphas": {"errors": 0.5, "slow": 0.01, "wrong": 0.01}}, "alphas"),
        ({"alphas": {"errors": 0.05}}, "alphas"),
        ({"rate_ratios": {"errors": 0.5, "slow": 1, "wrong": 1}}, "rate_ratios"),
    ]
    + [
        ({"alphas": {"errors": 0.05, "slow": bad, "wrong": 0.01}}, "alphas")
        for bad in (0.0009, 0.0, float("nan"))
    ]
    + [
        ({"rate_ratios": {"errors": 1, "slow": bad, "wrong": 1}}, "rate_ratios")
        for bad in (3.01, float("nan"))
    ]
    + [
        ({"margin": 0.201}, "margin"),
        ({"warm_up": 1_001}, "warm_up"),
        ({"steps": (500, 9_001, 10_000)}, "steps"),
    ],
)
def test_plans_that_make_no_sense_are_refused(change, field):
    with pytest.raises(Refused) as refusal:
        Plan(**change)

    assert field in refusal.value.fields


def test_the_loosest_plan_still_takes_back_and_a_refusal_shows_the_range():
    loosest = Plan(
        steps=(9_000, 10_000),
        margin=0.2,
        warm_up=1_000,
        alphas=dict.fromkeys(METRICS, 0.001),
        rate_ratios=dict.fromkeys(METRICS, 3.0),
    )
    with pytest.raises(Refused) as refusal:
        Plan(alphas=dict.fromkeys(METRICS, 1e-9), rate_ratios=dict.fromkeys(METRICS, 20.0))

    assert float(log_e(600, 5, 0.9, 3.0)) > log_limit(loosest.alphas["errors"])
    assert refusal.value.fields == {
        "alphas": [
            "Give a chance for each of errors, slow, and wrong: each at least 0.001, at most 0.2 in total."
        ],
        "rate_ratios": ["Give a rate ratio from 1 to 3 for each of errors, slow, and wrong."],
    }


def test_a_plan_that_was_agreed_before_is_read_as_it_was():
    agreed = Plan().as_json() | {"margin": 0.4}

    assert Plan.from_json(agreed).margin == 0.4


def test_a_plan_survives_its_json():
    assert Plan.from_json(Plan().as_json()) == Plan()
    assert Plan().alpha == pytest.approx(0.05)


def test_steps_follow_each_other():
    plan = Plan()

    assert [plan.next_share(share) for share in (500, 2500, 5000, 10_000, 300)] == [
        2500,
        5000,
        10_000,
        10_000,
        500,
    ]
    assert [plan.step_of(share) for share in (500, 700, 2500, 10_000, 100)] == [0, 0, 1, 3, 0]


def test_what_has_ended_stays_ended():
    assert {State.PROMOTED, State.ROLLED_BACK, State.ABORTED}.isdisjoint(MOVES)


def test_a_paused_rollout_may_be_rolled_back_but_does_not_hold():
    assert State.ROLLED_BACK in MOVES[State.PAUSED]
    assert State.HOLDING not in MOVES[State.PAUSED]
