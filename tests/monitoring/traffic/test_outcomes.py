"""Business figures: defined by the lead, cases counted once, sums exact, intervals as the literature and scipy have them."""

import functools
import math
import uuid
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest
from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from scipy import stats

from lifecycle.refusals import Conflict, Refused
from lifecycle.statistics.intervals import Interval, newcombe
from monitoring.traffic import actions, outcomes, queries
from monitoring.traffic.models import Kpi, Outcome, OutcomeDay
from registry.ledger.models import Event
from tests.support import registry

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
    return {(row.day.isoformat(), row.arm): (row.n, row.total, row.spread) for row in OutcomeDay.objects.filter(kpi=kpi)}


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
        ("2026-05-04", "model"): (2, 1.0, 0.5), ("2026-05-04", "holdout"): (2, 1.0, 0.5), ("2026-05-05", "model"): (1, 1.0, 0.0),
    }  # fmt: skip
    assert Outcome.objects.count() == 5
    events = Event.objects.filter(verb="traffic.outcomes_recorded").order_by("id")
    assert ['"count":4' in events[0].canonical, '"count":1' in events[1].canonical, len(events)] == [True, True, 2]


def test_the_same_batch_again_changes_nothing(kpi, mia):
    batch = [case(value=at % 2) for at in range(20)]
    record(kpi, mia, *batch)
    before = days(kpi)

    again = record(kpi, mia, *batch)

    assert [row.uuid for row in again] == [each.uuid for each in batch]
    assert (days(kpi), Outcome.objects.count()) == (before, 20)
    assert Event.objects.filter(verb="traffic.outcomes_recorded").count() == 1


def test_a_uuid_that_said_something_else_is_a_conflict_and_nothing_is_kept(kpi, mia):
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
        {"arm": "canary"}, {"value": 0.5}, {"value": math.nan}, {"value": math.inf}, {"at": datetime(2026, 5, 4)}, {"subject": "x" * 201},  # noqa: DTZ001
        {"at": datetime(2019, 1, 1, tzinfo=UTC)}, {"at": datetime(2999, 1, 1, tzinfo=UTC)},
    ],
)  # fmt: skip
def test_senseless_cases_are_refused_and_nothing_is_kept(kpi, mia, change):
    with pytest.raises(Refused, match="Outcome 2"):
        record(kpi, mia, case(), case(**change))
    assert not Outcome.objects.exists()
    assert not OutcomeDay.objects.exists()


def test_batches_have_a_size(kpi, mia):
    for cases in ([], [case()] * 1001):
        with pytest.raises(Refused, match="1 to 1,000"):
            record(kpi, mia, *cases)


def test_who_may_record(kpi, ana, gita, otto):
    record(kpi, ana, case())
    for actor in (gita, otto):
        with pytest.raises(PermissionDenied):
            record(kpi, actor, case())


def test_predictions_are_linked_and_foreign_ones_refused(kpi, answered, live_endpoint, project, mia, ravi, omar):
    (made,) = answered()
    linked = record(kpi, mia, case(prediction=made.uuid, subject="customer 7"))[0]
    assert linked.prediction == made
    assert len(linked.subject) == 64
    assert "customer" not in linked.subject
    with pytest.raises(Refused, match="does not exist"):
        record(kpi, mia, case(prediction=uuid.uuid4()))
    with pytest.raises(Refused, match="held out"):
        record(kpi, mia, case("holdout", prediction=made.uuid))
    other = registry.make_endpoint(live_endpoint.model, mia)
    made_elsewhere = type(made).objects.create(endpoint=other, at=timezone.now(), code=200, latency_ms=1.0)
    with pytest.raises(Refused, match="another endpoint"):
        record(kpi, mia, case(prediction=made_elsewhere.uuid))
    assert Outcome.objects.count() == 1


# ── What the sums say ───────────────────────────────────────────────────────
@pytest.mark.parametrize("seed", range(5))
def test_welch_as_scipy(seed):
    chance = np.random.default_rng(seed)
    first, second = chance.normal(10, 2, 45 + seed), chance.normal(9, 5, 33)
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)

    found = outcomes.welch(outcomes.sums_of(first), outcomes.sums_of(second))

    assert found.value == pytest.approx(first.mean() - second.mean(), rel=1e-10)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_where_nothing_varies_no_interval_and_no_reading_is_told():
    found = outcomes.compare("number", outcomes.sums_of([10.0] * 30), outcomes.sums_of([9.0] * 30))

    assert (found, outcomes.reading(found, up=True, mismatch=False)) == (None, "insufficient data")


@pytest.mark.parametrize("level", [0.0, 1e6, 1e8, 1e9])
def test_large_values_have_the_interval_of_small_ones(level):
    chance = np.random.default_rng(7)
    first, second = ([level + value for value in chance.normal(0, 1, 1000)] for _ in range(2))
    parts = [outcomes.sums_of(first[at : at + 70]) for at in range(0, 1000, 70)]

    sums = functools.reduce(outcomes.joined, parts, outcomes.NOTHING)

    assert outcomes.variance(sums) == pytest.approx(np.var(first, ddof=1), rel=1e-6)
    assert outcomes.reading(outcomes.compare("number", sums, outcomes.sums_of(second)), up=True, mismatch=False) == "unclear"


def test_large_values_are_added_up_over_batches_and_days(live_endpoint, lee, mia):
    made = actions.define_kpi(endpoint_id=live_endpoint.uuid, actor=lee, **GIVEN | {"kind": "number", "holdout_share": 0.5})
    values = [1e8 + each for each in (0.0, 1.0, 2.0, 5.0)] * 10
    for day, batch in enumerate((values[:15], values[15:25], values[25:])):
        record(made, mia, *[case(arm, value, at=WHEN + timedelta(days=day // 2)) for value in batch for arm in ("model", "holdout")])

    found = queries.compare(made, WHEN, WHEN + timedelta(days=2))

    assert (found.model, found.holdout_mean) == ((40, 40e8 + 80, pytest.approx(140.0)), 1e8 + 2)
    assert (found.difference.value, found.reading) == (0.0, "unclear")
    assert [week.model[0] for week in queries.weeks(made, WHEN, WHEN + timedelta(days=2))] == [40]


@pytest.mark.parametrize(("model", "holdout", "share"), [(900, 100, 0.1), (880, 120, 0.1), (500, 480, 0.5), (8600, 1400, 0.1)])
def test_the_sample_ratio_as_scipy(model, holdout, share):
    n = model + holdout
    expected = stats.chisquare([model, holdout], [n * (1 - share), n * share]).pvalue

    assert outcomes.ratio_p(model, holdout, share) == pytest.approx(expected, rel=1e-9)
    assert outcomes.ratio_check(model, holdout, share) == (expected < 0.001)


@pytest.mark.parametrize(("model", "holdout", "share"), [(20, 0, 0.1), (95, 5, 0.01), (30, 9, 0.1), (9, 1, 0.5), (8, 0, 0.5)])
def test_the_sample_ratio_of_few_expected_cases_is_exact(model, holdout, share):
    """The probability of all splits at most as likely as this one, added up in fractions."""
    n, p = model + holdout, Fraction(str(share))
    chances = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    expected = float(sum(each for each in chances if each <= chances[holdout]))

    assert outcomes.ratio_p(model, holdout, share) == pytest.approx(expected, rel=1e-9)


def test_five_held_out_where_one_is_expected_is_no_alarm_as_chi_square_has_it():
    """Of 100 cases at 1 %: chi-square says 6 in 100,000; exactly it is P(5 or more) = 1 - P(0) - … - P(4) = 0.0034."""
    assert stats.chisquare([95, 5], [99, 1]).pvalue < 0.0001
    assert outcomes.ratio_p(95, 5, 0.01) == pytest.approx(0.0034, abs=5e-5)
    assert not outcomes.ratio_check(95, 5, 0.01)


def test_none_held_out_of_twenty_by_hand():
    """P(0) = 0.9 ** 20 = 0.1216, and at most as likely on the other side P(4 or more) = 0.1330."""
    assert outcomes.ratio_p(20, 0, 0.1) == pytest.approx(0.1216 + 0.1330, abs=1e-4)


def test_the_sample_ratio_at_its_ends():
    assert outcomes.ratio_p(0, 0, 0.1) is None
    assert not outcomes.ratio_check(0, 0, 0.1)
    assert not outcomes.ratio_check(100, 0, 0.0)
    assert outcomes.ratio_check(100, 1, 0.0)
    assert outcomes.ratio_check(0, 100, 0.1)


def test_fewer_than_thirty_in_an_arm_say_nothing(kpi, mia):
    record(kpi, mia, *[case() for _ in range(270)], *[case("holdout") for _ in range(29)])

    found = queries.compare(kpi, WHEN, WHEN + timedelta(days=1))

    assert (found.n, found.model_mean, found.holdout_mean, found.difference, found.reading) == (299, 1.0, 1.0, None, "insufficient data")


def test_a_comparison_of_a_share(kpi, mia):
    record(kpi, mia, *[case(value=int(at < 189)) for at in range(270)], *[case("holdout", int(at < 12)) for at in range(30)])
    record(kpi, mia, case(at=WHEN - timedelta(days=9)))

    found = queries.compare(kpi, WHEN, WHEN + timedelta(hours=1))

    assert (found.model, found.holdout) == ((270, 189.0, pytest.approx(56.7)), (30, 12.0, pytest.approx(7.2)))
    assert (found.model_mean, found.holdout_mean) == (0.7, 0.4)
    assert found.difference == newcombe(189, 270, 12, 30)
    assert (found.ratio_p, found.mismatch, found.reading) == (1.0, False, "better")
    assert queries.compare(kpi, WHEN - timedelta(days=10), WHEN + timedelta(hours=1)).model[0] == 271


def test_worse_unclear_and_a_ratio_that_is_off():
    better = Interval(0.2, 0.1, 0.3)
    assert outcomes.reading(better, up=True, mismatch=False) == "better"
    assert outcomes.reading(better, up=False, mismatch=False) == "worse"
    assert outcomes.reading(Interval(0.0, -0.1, 0.1), up=True, mismatch=False) == "unclear"
    assert outcomes.reading(better, up=True, mismatch=True) == "sample ratio off"


def test_weeks_have_no_gaps(kpi, mia):
    record(kpi, mia, case(), case("holdout", at=WHEN + timedelta(days=15)))

    found = queries.weeks(kpi, WHEN, WHEN + timedelta(days=16))

    assert [(week.start.date().isoformat(), week.model[0], week.holdout[0]) for week in found] == [
        ("2026-05-04", 1, 0), ("2026-05-11", 0, 0), ("2026-05-18", 0, 1),
    ]  # fmt: skip


# ── What was added up as squared values before ──────────────────────────────
@pytest.mark.postgres
@pytest.mark.parametrize(("model", "holdout"), [((41, 0.05), (30, 0.03)), ((49, 4.35), (35, 4.3)), ((60, 1e8 / 3), (60, 1e8 / 7))])
def test_values_that_do_not_vary_have_no_interval_however_they_were_rounded_and_added_up(model, holdout):
    whole = [outcomes.sums_of([value] * n) for n, value in (model, holdout)]
    assert [spread for _, _, spread in whole] == [0.0, 0.0]
    days = [functools.reduce(outcomes.joined, [outcomes.sums_of([value] * 7)] * (n // 7 + 1)) for n, value in (model, holdout)]

    assert [outcomes.compare("number", *sums) for sums in (whole, days)] == [None, None]


def test_no_decimal_and_no_number_of_days_makes_a_difference_of_what_does_not_vary():
    chance = np.random.default_rng(3)
    for _ in range(300):
        arms = []
        for _ in range(2):
            value = round(float(chance.normal(0, 10.0 ** chance.integers(-3, 9))), int(chance.integers(0, 5)))
            parts = [outcomes.sums_of([value] * int(n)) for n in chance.integers(1, 40, size=chance.integers(30, 90))]
            arms.append(functools.reduce(outcomes.joined, parts))
        assert outcomes.compare("number", *arms) is None, arms


def test_what_varies_in_its_last_digits_keeps_its_interval():
    first, second = ([1e8 + at % 2 * 1e-3 for at in range(at, at + 40)] for at in (0, 1))

    found = outcomes.compare("number", outcomes.sums_of([value + 0.01 for value in first]), outcomes.sums_of(second))

    assert found.value == pytest.approx(0.01, abs=1e-6)
    assert 0.009 < found.low < found.value < found.high < 0.011


def test_sums_of_squares_become_spreads_and_back(live_endpoint, lee, mia):
    moved = import_module("monitoring.traffic.migrations.0003_spread_of_outcomes")
    number, share = (
        actions.define_kpi(endpoint_id=live_endpoint.uuid, actor=lee, **GIVEN | {"name": kind, "kind": kind})
        for kind in ("number", "share")
    )
    values = [1e8, 1e8 + 1, 1e8 + 2, 1e8 + 5]
    record(number, mia, *[case(value=value) for value in values])
    record(share, mia, *[case(value=value) for value in (1, 1, 1, 0)])
    gone = OutcomeDay.objects.create(kpi=number, day=WHEN - timedelta(days=400), arm="model", n=2, total=3.0, spread=1.0 + 4.0)
    OutcomeDay.objects.filter(kpi=number, day=WHEN).update(spread=sum(value * value for value in values))
    OutcomeDay.objects.filter(kpi=share).update(spread=3.0)

    moved.spread(apps, None)

    kept = dict(OutcomeDay.objects.exclude(pk=gone.pk).values_list("kpi__name", "spread"))
    assert (kept, OutcomeDay.objects.get(pk=gone.pk).spread) == ({"number": 14.0, "share": 0.75}, 0.5)
    moved.squares(apps, None)
    assert OutcomeDay.objects.get(kpi=share).spread == 3.0
