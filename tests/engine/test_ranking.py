"""How well responses are put in order, beside scipy, scikit-learn and sums by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kendalltau
from sklearn.metrics import log_loss, ndcg_score, roc_auc_score

from lifecycle.runtime.statistics import calibration, metrics
from lifecycle.runtime.statistics.bootstrap import bootstrap
from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.task_types.ranking import measures as ranking
from lifecycle.runtime.task_types.ranking import predictions as ranked_predictions
from lifecycle.runtime.task_types.ranking.measures import Ranked, RankedAnswers

NAN = float("nan")


def rows(count: int, seed: int, most: int = 5):
    """Synthetic rankings of two to five responses with ties, and mostly correct strengths, also with ties."""
    random = np.random.default_rng(seed)
    truth, strengths = [], []
    for _ in range(count):
        size = int(random.integers(2, most + 1))
        ranks = random.integers(0, size, size)
        truth.append(
            Ranked.of(
                tuple("a" * int(each) for each in random.integers(1, 9, size)),
                tuple(int(each) for each in ranks),
            )
        )
        strengths.append(np.round(-0.7 * ranks + random.normal(size=size), 1))
    return ranking.padded(strengths, np.nan), tuple(truth)


def points(strengths, truth):
    return metrics.point_estimates(ranking.score(strengths, truth))


def test_ndcg_is_that_of_scikit_learn_with_ranks_below_as_gains():
    strengths, truth = rows(200, seed=5)
    found = [ranking.ndcg(each.ranks, row) for each, row in zip(truth, strengths, strict=True)]

    for each, row, value in zip(truth, strengths, found, strict=True):
        levels = sorted(set(each.ranks), reverse=True)
        gains = [[levels.index(rank) for rank in each.ranks]]
        if len(levels) == 1:
            assert math.isnan(value)
        else:
            assert value == pytest.approx(ndcg_score(gains, [row[: len(each.ranks)]]))
    assert points(strengths, truth)["ndcg"] == pytest.approx(np.nanmean(found))
    assert np.isnan(found).any()


def test_where_every_order_is_right_the_intervals_are_wilsons():
    truth = (Ranked.of(("aa", "bbbb", "c"), (0, 1, 2)),) * 50
    strengths = np.tile([3.0, 2.0, 1.0], (50, 1))

    found = bootstrap(ranking.score(strengths, truth))

    low, _ = wilson(50, 50)
    assert found["ndcg"] == found["best_first"] == pytest.approx((low, 1.0))
    assert found["kendall_tau"] == pytest.approx((2 * low - 1, 1.0))


def test_two_responses_are_counted_by_hand():
    truth = (
        Ranked.of(("aa", "bbbb"), (0, 1)),  # right, and the shorter is preferred
        Ranked.of(("aa", "bbbb"), (1, 0)),  # wrong, and the longer is preferred
        Ranked.of(("aa", "bb"), (0, 1)),  # equally strong
        Ranked.of(("aa", "bbbb"), (0, 0)),  # people find them equal
    )
    strengths = np.array([[1.0, 0.0], [2.0, 0.0], [0.5, 0.5], [1.0, 0.0]])

    found = points(strengths, truth)

    assert found["pair_accuracy"] == found["best_first"] == pytest.approx(1.5 / 3)
    assert found["kendall_tau"] == pytest.approx((1 - 1 + 0) / 3)
    losses = [
        math.log1p(math.exp(-1)),
        math.log1p(math.exp(2)),
        math.log(2),
        (math.log1p(math.exp(-1)) + math.log1p(math.exp(1))) / 2,
    ]
    assert found["log_loss"] == pytest.approx(sum(losses) / 4)
    assert (found["accuracy_longer"], found["accuracy_shorter"]) == (0.0, 1.0)
    assert found["longer_preferred"] == 0.0  # of the two decided pairs whose lengths differ
    assert found["longer_surplus"] == -0.5  # people prefer the longer of one of them


def test_rankings_of_many_equal_scipys_kendall_tau():
    strengths, truth = rows(300, 1)
    wanted = []
    for given, each in zip(strengths, truth, strict=True):
        if len(set(each.ranks)) > 1:
            tau = kendalltau(given[: len(each.ranks)], -np.array(each.ranks)).statistic
            wanted.append(0.0 if np.isnan(tau) else tau)

    assert points(strengths, truth)["kendall_tau"] == pytest.approx(np.mean(wanted), abs=1e-12)


def test_pairs_equal_scikit_learns_log_loss_and_area_under_the_curve():
    strengths, truth = rows(400, 2, most=2)
    pairs = ranking.pairs_of(strengths, truth)
    sided = pairs.decided
    found = points(
        strengths[np.array([len(set(each.ranks)) > 1 for each in truth])],
        [each for each in truth if len(set(each.ranks)) > 1],
    )

    chance = calibration.sigmoid(pairs.difference[sided])
    assert found["log_loss"] == pytest.approx(
        log_loss((pairs.order[sided] > 0).astype(int), chance), abs=1e-12
    )
    # of one pair, its accuracy is the area under the curve of its two responses
    areas = [
        roc_auc_score([rank == min(each.ranks) for rank in each.ranks], given[:2])
        for given, each in zip(strengths, truth, strict=True)
        if len(set(each.ranks)) > 1
    ]
    assert found["pair_accuracy"] == pytest.approx(np.mean(areas), abs=1e-12)


def test_calibration_equals_the_plain_formula():
    strengths, truth = rows(500, 3)
    pairs = ranking.pairs_of(strengths, truth)
    sided = pairs.decided

    wanted = calibration.ece(pairs.confidence[sided], pairs.right[sided])

    assert points(strengths, truth)["ece"] == pytest.approx(wanted, abs=1e-12)


def test_a_weight_of_two_is_the_row_twice():
    strengths, truth = rows(20, 4)
    twice = ranking.score(np.concatenate([strengths, strengths[:7]]), truth + truth[:7])
    weights = np.array([[2.0] * 7 + [1.0] * 13])

    weighed = ranking.score(strengths, truth).aggregate(weights)

    assert {name: float(value[0]) for name, value in weighed.items()} == pytest.approx(
        metrics.point_estimates(twice), abs=1e-12
    )


def test_rows_of_fewer_responses_are_not_moved_by_those_of_more():
    strengths, truth = rows(50, 5)
    few = [at for at, each in enumerate(truth) if len(each.ranks) == 2]
    alone = np.array([strengths[at][:2] for at in few])

    assert points(strengths[few], [truth[at] for at in few]) == pytest.approx(
        points(alone, [truth[at] for at in few]), nan_ok=True
    )


def test_where_everything_is_equal_nothing_is_measured_but_the_loss():
    found = points(np.array([[3.0, 3.0]]), (Ranked.of(("a", "b"), (0, 0)),))

    assert found["log_loss"] == pytest.approx(math.log(2))
    assert all(
        math.isnan(found[name])
        for name in ("pair_accuracy", "best_first", "kendall_tau", "ece", "longer_surplus")
    )
    report = ranking.ENTRY.report(
        RankedAnswers.of(["x"], np.array([[3.0, 3.0]]), (Ranked.of(("a", "b"), (0, 0)),)), count=50
    )
    assert (report["pairs"], report["ties"], report["longer_preferred_by_people"]) == (0, 1, None)
    assert "pair_accuracy" not in report


def test_scores_without_rows_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        ranking.score(np.zeros((0, 2)), ())


def test_predictions_read_back_from_their_file_score_alike(tmp_path):
    strengths, truth = rows(40, 6)
    made = RankedAnswers.of([f"{at:04x}" for at in range(40)], strengths, truth)
    ranked_predictions.ENTRY.write(tmp_path / "predictions.parquet", made, "test")

    again = ranked_predictions.ENTRY.read(tmp_path / "predictions.parquet")

    assert again == made
    assert metrics.point_estimates(again.scored) == points(strengths, truth)


def test_the_surest_error_is_that_of_the_worst_pair():
    truth = (Ranked.of(("a", "b", "c"), (0, 1, 2)), Ranked.of(("a", "b"), (0, 1)))
    made = RankedAnswers.of(["1", "2"], np.array([[0.0, 1.0, 3.0], [1.0, 0.0, np.nan]]), truth)

    assert made.surest_error.tolist() == pytest.approx([1 / (1 + math.exp(-3)), 0.0])


def test_two_models_are_compared_on_the_rows_that_people_put_in_the_same_order():
    strengths, truth = rows(200, 7, most=2)
    one = RankedAnswers.of([str(at) for at in range(200)], -np.abs(strengths), truth)
    two = RankedAnswers.of([str(at) for at in range(5, 205)], strengths, truth)
    right = RankedAnswers.of(
        one.ids, ranking.padded([[-each for each in row.ranks] for row in truth], NAN), truth
    )

    assert ranking.ENTRY.compare(one, right, count=200)["metrics"]["pair_accuracy"]["verdict"] == "better"
    found = ranking.ENTRY.compare(one, two, count=50)
    same = sum(truth[at].ranks == truth[at - 5].ranks for at in range(5, 200))
    assert (found["rows"], found["left_out"]) == (same, 205 - same)
    with pytest.raises(ValueError, match="share no item"):
        ranking.ENTRY.compare(one, RankedAnswers.of(["x"], strengths[:1], truth[:1]))


@pytest.mark.engine
def test_regressions_need_a_pair_to_learn_from():
    from lifecycle.runtime.task_types.ranking import baselines
    from lifecycle.runtime.task_types.rows import Rows

    even = Rows(
        ("a", "b"), ("x", "y"), (Ranked.of(("card", "help"), (0, 0)), Ranked.of(("late", "not"), (1, 1)))
    )
    sided = Rows(("c",), ("z",), (Ranked.of(("card", "late"), (0, 1)),))

    assert set(baselines.learn(even, 0, 1, None)) == {"first", "longer"}
    assert set(baselines.learn(sided, 0, 1, None)) == {"first", "longer", "tfidf_logreg"}
