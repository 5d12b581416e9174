"""Scores of groups of rows, and whether they differ from the rest, against reference values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact, permutation_test
from sklearn.metrics import f1_score

from lifecycle.runtime.statistics import bootstrap, groups, metrics
from lifecycle.runtime.statistics.groups import MacroF1, Quotient
from lifecycle.runtime.statistics.intervals import Interval, newcombe, wilson
from lifecycle.runtime.statistics.significance import holm
from lifecycle.runtime.task_types.grouped import mean, share


def scored(measure: Quotient, codes, count: int, *others) -> list[groups.Score]:
    return groups.scores((measure, *others), measure, codes, count)


def of_spans(seed: int, codes, quality) -> Quotient:
    """Texts with up to three true spans, of which each is found with the quality of its group; now and then
    one is invented.
    """
    random = np.random.default_rng(seed)
    held = random.integers(0, 4, len(codes))
    hits, invented = random.binomial(held, np.array(quality)[codes]), random.binomial(1, 0.1, len(codes))
    return Quotient("micro_f1", 2.0 * hits, (held + hits + invented).astype(np.float64))


def test_p_of_shares_is_that_of_fishers_exact_test_adjusted_by_holm():
    right = np.repeat([True, False, True, False, True, False], [56, 14, 48, 32, 15, 15])
    codes = np.repeat([0, 1, 2], [70, 80, 30])

    found = scored(share("accuracy", right), codes, 3)

    tables = [[56, 14], [63, 47]], [[48, 32], [71, 29]], [[15, 15], [104, 46]]
    alone = {number: float(fisher_exact(table).pvalue) for number, table in enumerate(tables)}
    assert {number: score.p for number, score in enumerate(found)} == pytest.approx(holm(alone))
    assert [score.verdict for score in found] == ["better", "unclear", "unclear"]


def test_the_permutation_test_of_a_mean_is_that_of_scipy():
    random = np.random.default_rng(3)
    one, two = random.random(22) * 0.8, random.random(38)
    measure, codes = mean("rouge_l", np.r_[one, two]), np.repeat([0, 1], [22, 38])

    theirs = permutation_test(
        (one, two), lambda x, y: np.mean(x) - np.mean(y), n_resamples=20_000, rng=1, vectorized=False
    ).pvalue

    alone = groups.p_values(measure, groups.sums(measure, codes, 2), codes, [0, 1])
    assert alone[0] == alone[1] == pytest.approx(theirs, abs=0.03)
    assert [score.p for score in scored(measure, codes, 2)] == [min(1.0, 2 * alone[0])] * 2
    assert 0.01 < theirs < 0.3


def test_the_permutation_test_of_a_quotient_is_that_of_scipy_on_rows():
    codes = np.repeat([0, 1], [30, 50])
    measure = of_spans(2, codes, (0.6, 0.8))

    def statistic(x, y):
        return (
            measure.above[x].sum() / measure.below[x].sum() - measure.above[y].sum() / measure.below[y].sum()
        )

    rows = np.arange(80)
    theirs = permutation_test(
        (rows[codes == 0], rows[codes == 1]), statistic, n_resamples=9_999, rng=1, vectorized=False
    )
    (p,) = groups.p_values(measure, groups.sums(measure, codes, 2), codes, [0])
    assert p == pytest.approx(theirs.pvalue, abs=0.03)


def test_with_many_rows_the_normal_limit_replaces_it(monkeypatch):
    codes = np.random.default_rng(4).integers(0, 3, 1_500)
    measure = of_spans(5, codes, (0.72, 0.75, 0.75))
    found = groups.sums(measure, codes, 3)

    by_draws = groups.p_values(measure, found, codes, [0, 1, 2])
    monkeypatch.setattr(groups, "PERMUTED", 1_000)

    assert groups.tested_by(measure) == groups.NORMAL
    assert groups.p_values(measure, found, codes, [0, 1, 2]) == pytest.approx(by_draws, abs=0.04)


def test_one_of_fifty_groups_can_still_be_significant():
    codes = np.repeat(np.arange(50), 20)
    values = np.random.default_rng(6).random(1_000) / 10 + np.where(codes == 7, 0.0, 0.8)

    found = scored(mean("rouge_l", values), codes, 50)

    assert [number for number, score in enumerate(found) if score.verdict == "worse"] == [7]


def test_no_difference_is_found_where_all_rows_are_alike():
    codes = np.repeat([0, 1], 25)
    for measure in (
        share("accuracy", np.ones(50, dtype=bool)),
        mean("rouge_l", np.ones(50)),
        mean("rouge_l", np.zeros(50)),
    ):
        assert [(score.p, score.verdict) for score in scored(measure, codes, 2)] == [(1.0, "unclear")] * 2


def test_scores_of_groups_are_those_of_scikit_learn_with_intervals_around_them():
    random = np.random.default_rng(5)
    truth, codes = random.integers(0, 4, 900), random.integers(0, 3, 900)
    predicted = np.where(random.random(900) < np.array([0.9, 0.9, 0.5])[codes], truth, (truth + 1) % 4)

    found = scored(share("accuracy", truth == predicted), codes, 3, MacroF1(truth, predicted, 4))

    for number, score in enumerate(found):
        mine, rest = codes == number, codes != number
        accuracy, others = (truth == predicted)[mine].mean(), (truth == predicted)[rest].mean()
        macro = score.values["macro_f1"]
        assert (score.rows, score.counted) == (mine.sum(), mine.sum())
        assert score.values["accuracy"] == Interval(
            pytest.approx(accuracy), *map(pytest.approx, wilson(accuracy * mine.sum(), mine.sum()))
        )
        assert macro.value == pytest.approx(f1_score(truth[mine], predicted[mine], average="macro"))
        assert score.difference.value == pytest.approx(accuracy - others)
        expected = newcombe(accuracy * mine.sum(), mine.sum(), others * rest.sum(), rest.sum())
        assert (score.difference.low, score.difference.high) == pytest.approx((expected.low, expected.high))
        assert macro.low < macro.value < macro.high
    assert [score.verdict for score in found] == ["better", "better", "worse"]


def test_the_interval_of_macro_f1_is_that_of_resampled_rows():
    """Drawing counts of cells and drawing rows are the same; both draws differ by chance alone."""
    random = np.random.default_rng(6)
    truth = random.integers(0, 3, 400)
    predicted = np.where(random.random(400) < 0.8, truth, random.integers(0, 3, 400))

    drawn = groups.macro_f1_of(truth, predicted, 3)

    by_rows = bootstrap.bootstrap(metrics.score_rows(np.eye(3)[predicted], truth))["macro_f1"]
    assert (drawn.low, drawn.high) == pytest.approx(by_rows, abs=0.006)


def drawn_by_rows(above, below):
    drawn = np.concatenate(
        [(some @ above) / (some @ below) for some in bootstrap.resamples(len(above), 1000, 1)]
    )
    return tuple(np.percentile(drawn, (2.5, 97.5)))


def test_the_interval_of_a_quotient_is_that_of_resampled_rows():
    """Whether counts of few distinct values are drawn, rows, or sums of many from their normal limit."""
    codes, random = np.repeat([0, 1, 2], [300, 1_200, 100]), np.random.default_rng(7)
    few, values = of_spans(7, codes, (0.8, 0.7, 0.6)), random.beta(2, 1, 1_600)
    many = Quotient("rouge_l", values * 2, np.where(random.random(1_600) < 0.5, 1.0, 2.0) * 2)

    for measure, numbers in ((few, (0, 1)), (many, (0, 1))):
        found = scored(measure, codes, 3)
        for number in numbers:
            above, below = measure.above[codes == number], measure.below[codes == number]
            score = found[number].values[measure.name]
            assert score.value == pytest.approx(above.sum() / below.sum())
            assert (score.low, score.high) == pytest.approx(drawn_by_rows(above, below), abs=0.009)


def test_a_group_at_one_has_wilsons_interval_whatever_is_measured():
    values, codes = np.r_[np.ones(25), np.linspace(0, 1, 40)], np.repeat([0, 1], [25, 40])

    sure, other = scored(mean("token_f1", values), codes, 2)

    assert sure.values["token_f1"] == Interval(1.0, *wilson(25, 25))
    assert sure.difference.low < 0.5 < sure.difference.high < 0.7
    assert other.difference.value == -sure.difference.value == pytest.approx(-0.5)
    assert (sure.verdict, other.verdict) == ("better", "worse")


def test_fewer_than_20_rows_are_not_scored_nor_compared_with():
    truth = np.arange(39) % 2
    codes = np.array([0] * 20 + [1] * 19)
    measure = share("accuracy", truth == truth)

    enough, few = scored(measure, codes, 2)
    (alone,) = scored(measure, codes * 0, 1)

    assert (enough.verdict, enough.values["accuracy"].value, enough.p, enough.difference) == (
        "",
        1.0,
        None,
        None,
    )
    assert few == groups.Score(19, 19, "accuracy", {"accuracy": None})
    assert few.verdict == "insufficient"
    assert (alone.values["accuracy"].value, alone.difference, alone.p, alone.verdict) == (1.0, None, None, "")


def test_rows_without_a_denominator_are_not_counted():
    grounded = np.r_[np.full(30, 0.5), np.full(25, 0.9), np.full(15, np.nan), np.full(10, 0.9)]
    codes = np.repeat([0, 1, 2], [30, 25, 25])

    found = scored(mean("groundedness", grounded), codes, 3)

    assert [(score.rows, score.counted, score.verdict) for score in found] == [
        (30, 30, "worse"),
        (25, 25, "better"),
        (25, 10, "insufficient"),
    ]
    assert found[0].difference.value == pytest.approx(0.5 - 0.9)


def test_equal_rows_give_equal_scores():
    codes = np.random.default_rng(8).integers(0, 4, 300)
    measure = of_spans(9, codes, (0.9, 0.7, 0.8, 0.8))

    assert scored(measure, codes, 4) == scored(measure, codes, 4)


# ── Rows in clusters ────────────────────────────────────────────────────────
def alarms(random, runs: int, codes_of) -> dict[bool, int]:
    """Of runs in which clusters of five rows differ (intraclass correlation .3) and groups don't: in how many
    a group is significant, where clusters are known and where not.
    """
    found = {True: 0, False: 0}
    clusters = np.repeat(np.arange(60), 5)
    for _ in range(runs):
        codes, chance = codes_of(clusters), random.beta(0.8 * 7 / 3, 0.2 * 7 / 3, 60)
        right = (random.random(300) < chance[clusters]).astype(np.float64)
        for known in found:
            measure = Quotient(
                "accuracy", right, np.ones(300), is_share=True, clusters=clusters if known else None
            )
            found[known] += any(score.verdict in ("better", "worse") for score in scored(measure, codes, 10))
    return found


def test_groups_of_whole_clusters_differ_by_chance_in_five_of_100():
    found = alarms(np.random.default_rng(2), 25, lambda clusters: clusters // 6)

    assert found[True] <= 3 < found[False]


def test_so_are_groups_through_which_clusters_go():
    random = np.random.default_rng(20)

    found = alarms(
        random,
        60,
        lambda clusters: np.where(random.random(300) < 0.8, clusters // 6, random.integers(0, 10, 300)),
    )

    assert found[True] <= 6 < found[False]


def test_a_group_of_few_clusters_has_a_wide_interval_and_a_worse_one_is_found():
    right, clusters = np.ones(300), np.repeat(np.arange(60), 5)
    right[:100:2] = 0
    measure = Quotient("accuracy", right, np.ones(300), is_share=True, clusters=clusters)
    codes = np.repeat([0, 1], [100, 200])

    worse, better = scored(measure, codes, 2)

    assert (worse.verdict, better.verdict) == ("worse", "better")
    assert worse.values["accuracy"].value == 0.5
    twins = Quotient(
        "accuracy",
        np.repeat(np.arange(60) % 2, 5).astype(float),
        np.ones(300),
        is_share=True,
        clusters=clusters,
    )
    # 20 clusters of rows that are all alike
    assert scored(twins, codes, 2)[0].values["accuracy"] == Interval(0.5, *wilson(10, 20))
    assert groups.tested_by(measure) == groups.PERMUTATION


def test_a_quotient_in_clusters_that_are_single_rows_has_the_p_of_its_rows():
    codes = np.repeat([0, 1], [30, 50])
    rows = of_spans(2, codes, (0.6, 0.8))
    single = Quotient("micro_f1", rows.above, rows.below, clusters=np.arange(80))

    (p,), (same,) = (
        groups.p_values(each, groups.sums(each, codes, 2), codes, [0]) for each in (rows, single)
    )

    assert p == pytest.approx(same, abs=0.03)
