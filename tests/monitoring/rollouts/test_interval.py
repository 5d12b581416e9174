"""The always-valid interval: its formula, its coverage over many looks where the same customers return, and
when there is none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from lifecycle.runtime.statistics.sequences import half_width
from monitoring.rollouts.rules import Counts, Groups, Side, tally
from monitoring.rollouts.rules.interval import difference
from monitoring.rollouts.rules.units import CANARY, GROUPS, STABLE, Request, group_of
from tests.monitoring.rollouts.conftest import dealt

TAU = 0.01
KEYS = np.array([group_of(f"customer-{number}") for number in range(1_000)])


def of_shares(bad, of, keys=200):
    """The interval of so many failures of so many units, each of a key of its own."""
    counts = Counts(Side(of[0], of[0], bad[0], 0, 0), Side(of[1], of[1], bad[1], 0, 0))
    return difference(*dealt(counts, keys).of("errors"), alpha=0.05, tau=TAU)


def binomial_variance(bad, of):
    """By Agresti and Coull, of each arm."""
    moved = [(count + 2) / (total + 4) for count, total in zip(bad, of, strict=True)]
    return sum(share * (1 - share) / total for share, total in zip(moved, of, strict=True))


def returning(
    seed, *, customers=100, share=0.5, stable=0.05, worse=0.0, alike=0.02, looks=24, minutes=20
) -> Iterator[Groups]:
    """What each look sees of customers who ask once a minute all day; chance gave each of them an arm and a
    failure share of its own.
    """
    rng = np.random.default_rng(seed)
    on_canary = rng.random(customers) < share
    mean, spread = stable + worse * on_canary, (1 - alike) / alike
    own = rng.beta(mean * spread, (1 - mean) * spread)
    sums = Groups().sums
    for _ in range(looks):
        np.add.at(sums[:, :, 0], (np.where(on_canary, 0, 1), KEYS[:customers]), minutes)
        np.add.at(sums[:, :, 1], (np.where(on_canary, 0, 1), KEYS[:customers]), rng.binomial(minutes, own))
        yield Groups(sums.copy())


def looked_at(groups: Groups):
    """By the product, and by the rule that took each key and minute as independent: (difference, low, high)
    of each, None for none.
    """
    found = difference(*groups.of("errors"), alpha=0.05, tau=TAU)
    (of, of_stable), (bad, bad_stable) = groups.sums[:, :, 0].sum(axis=1), groups.sums[:, :, 1].sum(axis=1)
    apart = bad / of - bad_stable / of_stable
    half = half_width(binomial_variance((bad, bad_stable), (of, of_stable)), TAU)
    return (found and (found.value, found.low, found.high)), (apart, apart - half, apart + half)


def shares(paths, truth, margin, **world):
    """Of the product and of the rule before: the shares of paths that were widened, missed the truth, or
    called worse, at any look.
    """
    ever = np.zeros((2, 3))
    for seed in range(paths):
        seen = [looked_at(groups) for groups in returning(seed, worse=truth, **world)]
        for rule, looks in enumerate(zip(*seen, strict=True)):
            known = [each for each in looks if each is not None]
            ever[rule] += (
                any(high < margin for _, _, high in known),
                any(not low <= truth <= high for _, low, high in known),
                any(low > 0 for _, low, _ in known),
            )
    return ever / paths


def test_the_bounds_are_those_of_the_formula_where_each_unit_is_of_a_key_of_its_own():
    found = of_shares((8, 95), (2000, 38_000))

    variance = binomial_variance((8, 95), (2000, 38_000))
    half = math.sqrt(
        variance * (variance + 1e-4) / 1e-4 * (2 * math.log(20) + math.log((variance + 1e-4) / variance))
    )
    assert found.value == pytest.approx(8 / 2000 - 95 / 38_000)
    assert (found.low, found.high) == (pytest.approx(found.value - half), pytest.approx(found.value + half))


@pytest.mark.parametrize("of", [(99, 10_000), (10_000, 99), (0, 0)])
def test_under_a_hundred_of_either_arm_there_is_none(of):
    assert of_shares((0, 0), of) is None
    assert of_shares((0, 0), (100, 100)) is not None


def test_under_30_keys_of_either_arm_there_is_none():
    assert of_shares((10, 100), (2000, 38_000), keys=29) is None
    assert of_shares((10, 100), (2000, 38_000), keys=30) is not None


def test_an_arm_without_failures_has_a_width():
    found = of_shares((0, 2), (100, 1900))

    assert found.value == pytest.approx(-2 / 1900)
    assert found.high > 0.03


def test_bounds_stay_within_what_a_difference_of_shares_can_be():
    found = of_shares((100, 0), (100, 100))

    assert found.high == 1
    assert found.low > 0.5


def test_a_canary_that_is_worse_by_the_margin_is_hardly_ever_widened_though_the_same_customers_return():
    """100 customers, intraclass correlation .02, worse by exactly the margin: the rule before widened a
    quarter of them.
    """
    product, before = shares(100, 0.02, 0.02)

    assert product[:2].max() <= 0.05
    assert (before[0] > 0.2, before[1] > 0.35) == (True, True)


def test_a_harmless_canary_is_hardly_ever_called_worse_though_the_same_customers_return():
    product, before = shares(100, 0.0, 0.02)

    assert product[1:].max() <= 0.05
    assert before[2] > 0.05


def test_few_customers_of_whom_few_fail_on_a_small_canary_mislead_no_more():
    """1,000 customers, about 50 on the canary: with its own variance alone, small where its share is, 6 %
    would be widened.
    """
    product, before = shares(100, 0.01, 0.01, customers=1_000, share=0.05, stable=0.01, looks=12, minutes=10)

    assert product[:2].max() <= 0.05
    assert before[1] > 0.08


@pytest.mark.parametrize(("stable", "canary"), [(0.005, 0.005), (0.02, 0.02), (0.005, 0.01)])
def test_the_truth_is_inside_at_all_looks_together_where_no_one_returns_and_the_bound_costs_little(
    stable, canary
):
    rng = np.random.default_rng(7)
    missed, wider = 0, []
    asked, chances = np.repeat([[[80], [1520]]], 15, axis=0), np.array([canary, stable])[:, None]
    for _ in range(100):
        units = rng.multinomial(4 * asked[..., 0], np.full(GROUPS, 1 / GROUPS))
        looks = np.stack([units, rng.binomial(units, chances), 0 * units, 0 * units], axis=-1).cumsum(axis=0)
        seen = [looked_at(Groups(each)) for each in looks]
        missed += any(not low <= canary - stable <= high for (_, low, high), _ in seen)
        wider += [
            (high - low) / (high_before - low_before) for (_, low, high), (_, low_before, high_before) in seen
        ]

    assert missed / 100 <= 0.05
    assert 1 <= np.mean(wider) < 1.08


def called(rng, chance_wrong, judged, complaints):
    """One minute's feedback on 20 answers of each of 60 customers on either arm."""
    for arm, wrong in zip((CANARY, STABLE), chance_wrong, strict=True):
        for number in range(1_200):
            is_wrong = rng.random() < wrong
            has_feedback = rng.random() < judged and (is_wrong or not complaints)
            yield Request(
                arm,
                f"{arm}-{number % 60}-{number}",
                False,
                5.0,
                wrong=is_wrong and has_feedback,
                judged=has_feedback,
            )


@pytest.mark.parametrize("complaints", [False, True])
def test_wrong_answers_are_compared_among_those_with_feedback_and_complaints_alone_never_hide_any(complaints):
    """Twice as many wrong answers, a tenth of the answers judged. Where only complaints come, all of those
    are wrong on either arm.
    """
    rng = np.random.default_rng(3)
    groups = sum((tally(called(rng, (0.4, 0.2), 0.3, complaints), None).groups for _ in range(6)), Groups())

    canary, stable = groups.of("judged")
    found = difference(*groups.of("wrong"), alpha=0.05, tau=TAU, judged=(canary + stable).value)
    assert found.value == pytest.approx(0.667 if complaints else 0.2, abs=0.08)
    assert found.high > 0.2
