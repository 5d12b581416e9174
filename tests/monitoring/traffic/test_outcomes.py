"""Business figures: defined by the lead, cases counted once, sums exact, differences that hold at every look
and by subject.
"""

import math
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.statistics import sequences
from lifecycle.runtime.statistics.verdicts import Verdict
from monitoring.traffic import actions, outcomes, queries
from monitoring.traffic.models import Kpi, Outcome, OutcomeDay
from monitoring.traffic.outcomes import Arm
from registry.ground.ledger.models import Event
from tests.support import registry
from tests.support.outcomes import arm_of
from tests.support.unchanged import refused

WHEN = datetime(2026, 5, 4, 12, tzinfo=UTC)
GIVEN = {"name": "Handled at once", "direction": "up", "kind": "share", "holdout_share": 0.1}


@pytest.fixture
def kpi(live_endpoint, lee):
    return actions.define_kpi(endpoint_id=live_endpoint.uuid, actor=lee, **GIVEN)


def case(arm="model", value=1, **more):
    return actions.Case(**({"uuid": uuid.uuid4(), "arm": arm, "value": value, "at": WHEN} | more))


def record(kpi, actor, *cases):
    return actions.record_outcomes(kpi_id=kpi.uuid, cases=cases, actor=actor)


def days(kpi):
    rows = OutcomeDay.objects.filter(kpi=kpi)
    return {(row.day.isoformat(), row.arm): (row.n, row.total, row.subjects, row.unnamed) for row in rows}


def both(kpi, model, holdout, *, figures=1):
    """A comparison of these arms."""
    return queries.Comparison(kpi, WHEN, WHEN, model, holdout, figures)


def test_the_lead_defines_a_figure_once(live_endpoint, lee, omar):
    made = actions.define_kpi(endpoint_id=live_endpoint.uuid, actor=lee, unit=" % ", **GIVEN)

    assert (made.name, made.unit, made.owner, made.holdout_share) == ("Handled at once", "%", lee, 0.1)
    assert Event.objects.filter(verb="traffic.kpi_defined", object_id=str(made.uuid)).count() == 1
    with pytest.raises(Conflict):
        actions.define_kpi(endpoint_id=live_endpoint.uuid, actor=lee, **GIVEN)
    with pytest.raises(PermissionDenied):
        actions.define_kpi(endpoint_id=live_endpoint.uuid, actor=omar, **GIVEN | {"name": "Other"})
    assert Kpi.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"name": " "},
        {"name": "x" * 81},
        {"direction": "left"},
        {"kind": "odd"},
        {"holdout_share": 0.6},
        {"holdout_share": math.nan},
        {"unit": "u" * 21},
    ],
)
def test_senseless_figures_are_refused(live_endpoint, lee, change):
    with pytest.raises(Refused):
        actions.define_kpi(endpoint_id=live_endpoint.uuid, actor=lee, **GIVEN | change)
    assert not Kpi.objects.exists()


@pytest.mark.postgres
def test_cases_count_once_in_the_sums_of_their_day(kpi, mia):
    first, late = case(), case(at=WHEN + timedelta(hours=13))
    assert len(record(kpi, mia, first, case(value=0), case("holdout", 0), late, first)) == 4
    assert len(record(kpi, mia, first, late, case("holdout"))) == 3

    assert days(kpi) == {
        ("2026-05-04", "model"): (2, 1.0, 2, 2),
        ("2026-05-04", "holdout"): (2, 1.0, 2, 2),
        ("2026-05-05", "model"): (1, 1.0, 1, 1),
    }
    assert Outcome.objects.count() == 5
    events = Event.objects.filter(verb="traffic.outcomes_recorded").order_by("id")
    assert ['"count":4' in events[0].canonical, '"count":1' in events[1].canonical, len(events)] == [
        True,
        True,
        2,
    ]


def test_the_same_batch_again_changes_nothing(kpi, mia):
    batch = [case(value=at % 2) for at in range(20)]
    record(kpi, mia, *batch)
    before = days(kpi)

    again = record(kpi, mia, *batch)

    assert [row.uuid for row in again] == [each.uuid for each in batch]
    assert (days(kpi), Outcome.objects.count()) == (before, 20)
    assert Event.objects.filter(verb="traffic.outcomes_recorded").count() == 1


def test_a_uuid_with_another_outcome_is_a_conflict_and_nothing_is_kept(kpi, mia):
    known = case(value=1)
    record(kpi, mia, known)
    with pytest.raises(Conflict):
        record(kpi, mia, case(), case(uuid=known.uuid, value=0))
    with pytest.raises(Conflict):
        record(kpi, mia, case(uuid=(twice := uuid.uuid4())), case("holdout", uuid=twice))
    assert Outcome.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"arm": "canary"},  # noqa: DTZ001
        {"value": 0.5},
        {"value": math.nan},
        {"value": math.inf},
        {"at": datetime(2026, 5, 4)},
        {"subject": "x" * 201},
        {"at": datetime(2019, 1, 1, tzinfo=UTC)},
        {"at": datetime(2999, 1, 1, tzinfo=UTC)},
    ],
)
def test_senseless_cases_are_refused_and_nothing_is_kept(kpi, mia, change):
    with refused(*change, naming=("Outcome 2",)):
        record(kpi, mia, case(), case(**change))


def test_batches_have_a_size(kpi, mia):
    for cases in ([], [case()] * 1001):
        with refused(naming=("1,000",)):
            record(kpi, mia, *cases)


def test_who_may_record(kpi, ana, gita, otto):
    record(kpi, ana, case())
    for actor in (gita, otto):
        with pytest.raises(PermissionDenied):
            record(kpi, actor, case())


def test_predictions_are_linked_and_foreign_ones_refused(
    kpi, answered, live_endpoint, project, mia, ravi, omar
):
    (made,) = answered()
    linked = record(kpi, mia, case(prediction=made.uuid, subject="customer 7"))[0]
    assert linked.prediction == made
    assert len(linked.subject) == 64
    assert "customer" not in linked.subject
    with refused("prediction"):
        record(kpi, mia, case(prediction=uuid.uuid4()))
    with refused("prediction"):
        record(kpi, mia, case("holdout", prediction=made.uuid))
    other = registry.make_endpoint(live_endpoint.model, mia)
    made_elsewhere = type(made).objects.create(endpoint=other, at=timezone.now(), code=200, latency_ms=1.0)
    with refused("prediction", naming=("support-inbox-prod",)):
        record(kpi, mia, case(prediction=made_elsewhere.uuid))


def test_a_subject_counts_once_however_often_and_on_whatever_day_it_returns(kpi, mia):
    record(kpi, mia, case(subject="a"), case(subject="a"), case(subject="b", at=WHEN + timedelta(days=1)))
    record(kpi, mia, case(subject="a", at=WHEN + timedelta(days=1)), case("holdout", subject="c"), case())

    assert days(kpi) == {
        ("2026-05-04", "model"): (3, 3.0, 2, 1),
        ("2026-05-04", "holdout"): (1, 1.0, 1, 0),
        ("2026-05-05", "model"): (2, 2.0, 1, 0),
    }
    found = queries.compare(kpi, WHEN, WHEN + timedelta(days=2))
    assert (found.subjects, found.unnamed, found.model_cases) == (4, 1, 5)
    cases = Outcome.objects.filter(kpi=kpi, arm="model").values_list("uuid", "subject")
    assert found.model.filled == len({outcomes.group_of(*each) for each in cases})


# ── What the sums say ───────────────────────────────────────────────────────
def looks(chance, kind, *, cases, weeks, holdout, subjects=None, icc=0.1):
    """Both arms at the end of each week; the model has no effect. subjects: in both arms, else each case is
    one's own. icc: how much the cases of a subject resemble each other, of a share.
    """
    arms, found, size = [np.zeros((2, outcomes.GROUPS)) for _ in range(2)], [], subjects or cases
    held, group = chance.random(size) < holdout, chance.integers(0, outcomes.GROUPS, size)
    level = chance.beta(0.3 * (1 - icc) / icc, 0.7 * (1 - icc) / icc, size)
    fresh = np.array_split(np.arange(size), weeks)
    for week in range(weeks):
        who = chance.integers(0, size, cases // weeks) if subjects else fresh[week]
        if kind == "share":
            values = (chance.random(len(who)) < level[who]).astype(float)
        else:
            values = chance.lognormal(3, 1, len(who)) * (chance.random(len(who)) < 0.2)
        for at, arm in enumerate(arms):
            mine = held[who] == at
            sums = [np.bincount(group[who][mine], each, outcomes.GROUPS) for each in (None, values[mine])]
            arm += np.stack(sums)
        seen = held if subjects else held[: fresh[week][-1] + 1]
        found.append([Arm(int((seen == at).sum()), 0, arm.copy()) for at, arm in enumerate(arms)])
    return found


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("share", {"cases": 2600, "holdout": 0.5}),
        ("number", {"cases": 2600, "holdout": 0.5}),
        ("number", {"cases": 10_000, "holdout": 0.1}),
        ("share", {"cases": 5200, "holdout": 0.5, "subjects": 400, "icc": 0.3}),
    ],
)
def test_without_an_effect_hardly_a_quarter_of_weekly_looks_has_a_better_or_worse(kpi, kind, given):
    """With intervals for one look, of cases, it was a fifth to a third of quarters, and half where cases come
    from returning subjects.
    """
    kpi.kind, kpi.holdout_share, chance, wrong, quarters = (
        kind,
        given["holdout"],
        np.random.default_rng(10),
        0,
        60,
    )
    for _ in range(quarters):
        seen = [both(kpi, *arms).verdict for arms in looks(chance, kind, weeks=13, **given)]
        wrong += any(each in (Verdict.BETTER, Verdict.WORSE) for each in seen)

    assert wrong <= 5  # 5 % of 60, and the standard error of simulation


def test_a_mean_of_numbers_that_one_customer_makes_is_not_compared():
    """Of customers who do not differ, one with three tenths of the cases alone was called better or worse in
    a quarter of all looks.
    """
    counts = np.full(256, 10.0)
    whale = np.where(np.arange(256) == 7, 1100.0, counts)
    arms = [Arm(groups=np.stack([each, each * 2 + np.arange(256) % 3])) for each in (counts, whale)]

    assert outcomes.compare("number", arms[0], arms[0]) is not None
    assert [outcomes.compare("number", *pair) for pair in ((arms[0], arms[1]), (arms[1], arms[0]))] == [
        None,
        None,
    ]
    assert (
        outcomes.compare("share", *(Arm(groups=np.stack([arm.groups[0], arm.groups[0] / 2])) for arm in arms))
        is not None
    )


def test_several_figures_hold_together(kpi):
    one, two = arm_of(np.arange(400) % 10 < 8, seed=1), arm_of(np.arange(400) % 10 < 7, seed=2)

    widths = [
        each.high - each.low for each in (both(kpi, one, two, figures=number).difference for number in (1, 5))
    ]

    assert widths[1] / widths[0] == pytest.approx(
        sequences.quantile(200, 0.01) / sequences.quantile(200), rel=0.02
    )


def test_where_nothing_varies_there_is_no_interval_and_rounding_is_no_variation(kpi):
    kpi.kind, kpi.holdout_share = "number", 0.5
    for values in ((10.0, 9.0), (0.05, 0.03), (0.1, 0.2)):
        found = both(kpi, *(arm_of([value] * 410, seed=at) for at, value in enumerate(values)))
        assert (found.difference, found.reading) == (None, "not enough data")


@pytest.mark.parametrize("level", [0.0, 1e6, 1e8, 1e9])
def test_large_values_have_the_interval_of_small_ones(level):
    values = np.random.default_rng(7).normal(0, 1, (2, 1000))
    small, large = (
        outcomes.compare("number", *(arm_of(each + by, seed=at) for at, each in enumerate(values)))
        for by in (0.0, level)
    )

    assert (large.high - large.low) == pytest.approx(small.high - small.low, rel=1e-6)


def test_large_values_are_added_up_over_batches_and_days(live_endpoint, lee, mia):
    made = actions.define_kpi(
        endpoint_id=live_endpoint.uuid, actor=lee, **GIVEN | {"kind": "number", "holdout_share": 0.5}
    )
    values = [1e8 + each for each in (0.0, 1.0, 2.0, 5.0)] * 50
    for day, batch in enumerate((values[:75], values[75:125], values[125:])):
        record(
            made,
            mia,
            *[
                case(arm, value, at=WHEN + timedelta(days=day // 2))
                for value in batch
                for arm in ("model", "holdout")
            ],
        )

    found = queries.compare(made, WHEN, WHEN + timedelta(days=2))

    assert (found.model.n, found.model.total, found.holdout_mean) == (200, 200e8 + 400, 1e8 + 2)
    assert (found.difference.value, found.reading) == (0.0, "no clear difference")
    assert [week.model for week in queries.weeks(made, WHEN, WHEN + timedelta(days=2))] == [(1e8 + 2, 200)]


@pytest.mark.parametrize(
    ("model", "holdout", "off"),
    [(900, 100, False), (1780, 220, False), (8600, 1400, True), (300, 100, True), (95, 5, False)],
)
def test_a_split_is_off_where_chance_alone_never_makes_it(model, holdout, off):
    assert (outcomes.ratio_p(model, holdout, 0.1) < outcomes.MISMATCH_P) is off


def test_subjects_that_return_make_no_false_alarm_of_the_split(kpi):
    """A tenth of 400 subjects is held out. Cases counted in their place it was an alarm in 46 % of such
    quarters.
    """
    chance, alarms = np.random.default_rng(12), 0
    for _ in range(60):
        heavy = chance.lognormal(0, 1.5, 400)
        held, cases = chance.random(400) < 0.1, chance.poisson(20 * heavy)
        arms = [
            Arm(int(mine.sum()), 0, np.full((2, outcomes.GROUPS), cases[mine].sum() / outcomes.GROUPS))
            for mine in (~held, held)
        ]
        alarms += both(kpi, *arms).mismatch

    assert alarms == 0


def test_the_sample_ratio_at_its_ends():
    assert outcomes.ratio_p(0, 0, 0.1) is None
    assert outcomes.ratio_p(100, 0, 0.0) == 1.0
    assert outcomes.ratio_p(100, 1, 0.0) == 0.0
    assert outcomes.ratio_p(0, 100, 0.1) < outcomes.MISMATCH_P


def test_too_few_subjects_give_no_difference(kpi, mia):
    record(
        kpi,
        mia,
        *[case(value=at % 2) for at in range(270)],
        *[case("holdout", subject="the same") for _ in range(200)],
    )

    found = queries.compare(kpi, WHEN, WHEN + timedelta(days=1))

    assert (found.n, found.model_mean, found.holdout_mean, found.difference) == (470, 0.5, 1.0, None)
    assert (found.holdout.filled, found.holdout.subjects, found.verdict, found.reading) == (
        1,
        1,
        Verdict.FEW,
        "sample ratio off",
    )


def test_a_comparison_of_a_share(kpi, mia):
    record(kpi, mia, *[case(value=int(at < 756)) for at in range(900)])
    record(kpi, mia, *[case("holdout", int(at < 40)) for at in range(100)])
    record(kpi, mia, case(at=WHEN - timedelta(days=9)))

    found = queries.compare(kpi, WHEN, WHEN + timedelta(hours=1))

    assert (found.model_cases, found.holdout_cases, found.figures, found.unnamed) == (900, 100, 1, 1000)
    assert (found.model_mean, found.holdout_mean, found.difference.value) == (0.84, 0.4, pytest.approx(0.44))
    assert (found.ratio_p, found.mismatch, found.reading) == (1.0, False, "better")
    assert queries.compare(kpi, WHEN - timedelta(days=10), WHEN + timedelta(hours=1)).model_cases == 901


def test_nothing_reported_is_not_measured_and_a_split_that_is_off_overrides_the_difference(kpi):
    high, low = arm_of(np.arange(900) % 10 < 8, seed=1), arm_of(np.arange(100) % 10 < 4, seed=2)

    assert both(kpi, Arm(), Arm()).reading == "not measured"
    assert (both(kpi, high, low).reading, both(kpi, low, high).reading) == ("better", "sample ratio off")
    kpi.direction = "down"
    assert both(kpi, high, low).reading == "worse"


def test_weeks_have_no_gaps(kpi, mia):
    record(kpi, mia, case(), case("holdout", at=WHEN + timedelta(days=15)))

    found = queries.weeks(kpi, WHEN, WHEN + timedelta(days=16))

    assert [(week.start.date().isoformat(), week.model[1], week.holdout[1]) for week in found] == [
        ("2026-05-04", 1, 0),
        ("2026-05-11", 0, 0),
        ("2026-05-18", 0, 1),
    ]
