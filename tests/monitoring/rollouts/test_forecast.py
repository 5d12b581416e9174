"""How long a plan takes, and which plans are refused."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from lifecycle.runtime.refusals import Refused
from monitoring.rollouts.queries import evidence
from monitoring.rollouts.rules import (
    Counts,
    Evidence,
    Groups,
    Plan,
    Side,
    Traffic,
    check_decidable,
    forecast,
    log_e,
    log_limit,
    time_left,
)
from monitoring.rollouts.rules.forecast import hours_to_keys, power, requests_to_bound, requests_to_detect
from monitoring.rollouts.rules.interval import difference
from monitoring.rollouts.rules.units import GROUPS
from tests.monitoring.rollouts.conftest import dealt, key

BUSY = Traffic(per_hour=72_000, requests=100_000, errors=500)


def test_power_is_the_binomial_tail_beyond_the_limit():
    by_hand = sum(stats.binom.pmf(k, 12, 0.4) for k in range(13) if log_e(k, 12 - k, 0.05) >= log_limit(0.03))

    assert power(12, 0.4, 0.05, 0.03, 1.0) == pytest.approx(by_hand)


def test_80_percent_of_canaries_are_taken_back_by_then():
    needed = requests_to_detect(0.05, 0.005, 0.02, 0.03)

    rng = np.random.default_rng(7)
    on_canary, on_stable = rng.binomial(needed, 0.025, 4000), rng.binomial(19 * needed, 0.005, 4000)
    assert needed == 442
    assert (log_e(on_canary, on_stable, 0.05) >= log_limit(0.03)).mean() == pytest.approx(0.8, abs=0.05)


def test_a_rise_within_the_tolerance_is_never_found():
    assert requests_to_detect(0.05, 0.5, 0.01, 0.03, 1.5) is None


@pytest.mark.parametrize(
    ("share", "failing", "margin", "needed"), [(0.05, 0.005, 0.005, 3792), (0.5, 0.02, 0.01, 6056)]
)
def test_80_percent_of_harmless_canaries_are_widened_by_then(share, failing, margin, needed):
    """The level at which a bad canary is found in time. What was foretold before was reached by about half of
    them.
    """
    asked = np.repeat([np.array([1, (1 - share) / share]) * needed / 12], 12, axis=0).round().astype(int)
    rng, clear = np.random.default_rng(7), 0
    for _ in range(300):
        units = rng.multinomial(asked, np.full(GROUPS, 1 / GROUPS))
        looks = np.stack([units, rng.binomial(units, failing), 0 * units, 0 * units], axis=-1).cumsum(axis=0)
        found = [difference(*Groups(each).of("errors"), alpha=0.05, tau=0.01) for each in looks]
        clear += any(each is not None and each.high < margin for each in found)

    assert requests_to_bound(share, failing, margin, 0.05, 0.01) == needed
    assert clear / 300 == pytest.approx(0.8, abs=0.05)


def test_returning_customers_with_similar_failures_need_more_requests_or_never_reach_the_margin():
    alone = forecast(Plan(), BUSY).steps[0]
    some = forecast(Plan(max_hours=300), replace(BUSY, customers=2_000, alone=0.0, alike=0.02)).steps[0]
    few = forecast(Plan(), replace(BUSY, customers=1_000, alone=0.0, alike=0.2))

    assert some.needed > 3 * alone.needed
    assert (few.steps[0].needed, "never enough" in few.problem) == (None, True)


def test_until_enough_keys_were_met_is_foretold():
    """About 740 keys, so that 5 % meet 32 of them, which fall into 30 groups, four times of five."""
    assert hours_to_keys(replace(BUSY, customers=740, alone=0.0), 0.05) == 0
    assert hours_to_keys(replace(BUSY, customers=700, alone=0.0), 0.05) is None
    assert hours_to_keys(replace(BUSY, customers=0, alone=0.01), 0.05) == pytest.approx(735 / 720, rel=0.02)
    drawn = np.random.default_rng(7).binomial(735, 0.05, 4_000)
    assert (drawn >= 32).mean() == pytest.approx(0.8, abs=0.03)


def test_a_busy_endpoint_takes_a_day():
    found = forecast(Plan(), BUSY)

    assert [(step.share, step.per_hour, step.hours) for step in found.steps] == [
        (500, 3600, 8.0),
        (2500, 18_000, 8.0),
        (5000, 36_000, 8.0),
    ]
    assert found.hours == 24
    assert found.problem == ""
    assert found.detect_hours == pytest.approx(0.1225, abs=0.002)
    check_decidable(found)


@pytest.mark.parametrize(
    ("plan", "traffic", "words"),
    [
        (Plan(), Traffic(800, 10_000, 50), "At 5\u00a0% the canary gets 40 requests an hour: 3,9"),
        (Plan(), Traffic(0, 0, 0), "No requests in the last 24 hours"),
        (Plan(margin=0.00001), BUSY, "never enough"),
        (Plan(rise=0.0001, max_hours=8), BUSY, "An error share higher by 0.0 points would be detected"),
    ],
)
def test_a_plan_that_cannot_decide_is_refused(plan, traffic, words):
    found = forecast(plan, traffic)

    assert words in found.problem
    with pytest.raises(Refused, match=words.split("\u00a0")[0]):
        check_decidable(found)


def test_with_few_customers_who_return_a_plan_cannot_widen():
    found = forecast(Plan(), replace(BUSY, customers=300, alone=0.0))
    assert (found.detect_hours, forecast(Plan(), replace(BUSY, customers=200, alone=0.0)).detect_hours) == (
        pytest.approx(441 / 3600),
        None,
    )

    assert (
        found.problem
        == "About 300 returning customers send 100\u00a0% of the requests, of which about 15 meet the canary"
        " at 5\u00a0%: it would never widen, since each arm needs 30 different sticky keys."
    )
    with pytest.raises(Refused, match="it would never widen"):
        check_decidable(found)


def test_a_few_customers_who_return_and_few_new_ones_are_too_few_to_take_a_canary_back():
    found = forecast(Plan(), replace(BUSY, customers=40, alone=0.001))

    assert (found.detect_requests, found.detect_hours, found.problem) == (441, None, "")
    assert (
        found.caution
        == "About 40 returning customers send 100\u00a0% of the requests, of which about 2.0 meet the canary"
        " at 5\u00a0%: too few for the rule to roll it back. Only the server's guard and you can."
    )
    check_decidable(found)


@pytest.mark.parametrize(
    ("customers", "alone", "found"),
    [
        (0, 1.0, True),
        (72_000, 1.0, True),  # a key of its own for each request
        (800, 0.0, True),
        (40, 0.001, False),
        (40, 0.01, True),
    ],
)
def test_a_bad_canary_is_found_by_enough_customers_or_by_independent_requests(customers, alone, found):
    result = forecast(Plan(), replace(BUSY, customers=customers, alone=alone))

    assert result.detect_hours == (pytest.approx(441 / 3600) if found else None)
    assert (result.problem, bool(result.caution)) == ("", not found)


def test_customers_are_the_keys_of_the_last_answers_and_new_ones_those_of_the_newer_half(street, monkeypatch):
    street.shift(-20)
    street.take_in(
        *[street.line("stable", at / 10, key=key(name)) for at, name in enumerate("ababaabx")],
        street.line("stable", 2, key=""),
    )

    found = evidence.present_traffic(street.endpoint, street.at(20))
    assert (found.customers, found.alone) == (3, 2 / 4)  # x, and the one without a key, of the last four
    monkeypatch.setattr(evidence, "KEYS_READ", 2)
    assert evidence.customers(street.endpoint, street.at(20)) == (1, 1.0, 0.0)


def test_where_each_request_has_a_key_of_its_own_all_are_independent(street):
    street.shift(-20)
    street.take_in(*[street.line("stable", at / 10, key=key(str(at))) for at in range(60)])

    assert evidence.customers(street.endpoint, street.at(20)) == (60, 1.0, 0.0)


def test_how_much_the_failures_of_a_key_resemble_each_other_is_read_from_its_minutes(street):
    """Three of ten keys fail in every minute, however often they try again in it, the others never."""
    street.shift(-20)
    keys = [
        (minute, number, retry)
        for minute in range(5)
        for number in range(10)
        for retry in range(3 if number < 3 else 1)
    ]
    street.take_in(
        *[
            street.line("stable", minute + retry / 10, key=key(str(at)), failed=at < 3)
            for minute, at, retry in keys
        ]
    )

    customers, _, alike = evidence.customers(street.endpoint, street.at(20))
    assert (customers, alike) == (10, 1.0)


def test_without_an_error_so_far_the_share_is_still_not_zero():
    assert Traffic(100, 96, 0).error_share == 0.02


def left(units, minutes, *, errors=(0, 0), plan=None, share=500):
    counts = Counts(Side(units, units, errors[0], 0, 0), Side(19 * units, 19 * units, errors[1], 0, 0))
    nothing = dict.fromkeys(("errors", "slow", "wrong"), 0.0)
    return time_left(plan or Plan(), Evidence(counts, dealt(counts), nothing, minutes, minutes), share)


def test_the_time_left_is_what_is_missing_at_the_pace_so_far():
    few = Plan(min_requests=2000, min_minutes=0, margin=0.2)

    assert left(500, 60, plan=few) == timedelta(hours=3)
    assert left(500, 60, plan=Plan(min_requests=400, min_minutes=480, margin=0.2)) == timedelta(minutes=420)
    assert left(2000, 60, plan=few) == timedelta(0)


def test_the_time_left_counts_what_the_bound_needs_more_than_the_minimum():
    narrow = Plan(min_requests=100, min_minutes=0, margin=0.005)
    share = (5 + 95 + 2) / (20 * 1000 + 4)
    needed = requests_to_bound(0.05, share, 0.005, 0.05, 0.01)

    assert needed > 1000
    assert left(1000, 60, errors=(5, 95), plan=narrow) == timedelta(hours=(needed - 1000) / 1000)


def test_without_a_canary_request_nothing_is_foretold():
    assert left(0, 60) is None
    assert left(100, 60, errors=(40, 760), plan=Plan(margin=1e-6)) is None
