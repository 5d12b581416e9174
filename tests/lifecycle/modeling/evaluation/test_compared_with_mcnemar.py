"""The verdict on a difference of two models agrees with McNemar's test, and more evidence never weakens
it.
"""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.modeling.evaluation.compare import judged
from lifecycle.runtime.statistics import comparisons, metrics, significance


def compared(fixed: int, broken: int = 0, rows: int = 100, only: str = "") -> dict:
    """A comparison of two models with the same confidence. only: a single metric to compare; all by
    default.
    """
    truth = np.arange(rows) % 2
    one, two = np.ones((2, rows), dtype=bool)
    one[:fixed], two[fixed : fixed + broken] = False, False
    scored = [
        metrics.score_rows(np.where(np.eye(2)[np.where(right, truth, 1 - truth)] == 1, 0.8, 0.2), truth)
        for right in (one, two)
    ]
    names = [only] if only else metrics.COMPARED
    found = comparisons.paired_rows(
        *scored, names, labels=None, count=200, seed=1, lower={"log_loss", "brier"}, swaps=999
    )
    changes = {"fixed": fixed, "broken": broken, "other": 0, "p": significance.mcnemar(fixed, broken)}
    return judged({"metrics": found, "rows_needed": None, "rows": rows, "changes": changes}, "macro_f1")[
        "metrics"
    ]


@pytest.mark.parametrize(
    ("fixed", "broken", "p", "verdict"),
    [
        (4, 0, 0.125, "unclear"),
        (5, 0, 0.0625, "unclear"),
        (6, 0, 0.03125, "better"),
        (0, 6, 0.03125, "worse"),
    ],
)
def test_an_accuracy_alone_has_the_p_of_mcnemars_test(fixed, broken, p, verdict):
    found = compared(fixed, broken, only="accuracy")["accuracy"]

    assert (found["p"], found["p_holm"], found["verdict"]) == (p, p, verdict)


def test_more_fixed_rows_never_turn_better_into_unclear():
    """With four metrics; by the interval's p, four fixed rows were better and five weren't."""
    verdicts = [{name: each["verdict"] for name, each in compared(fixed).items()} for fixed in range(3, 13)]

    for name in metrics.COMPARED:
        assert [each[name] for each in verdicts] == ["unclear"] * 5 + ["better"] * 5, name


def test_other_scores_have_a_permutation_p_that_matches_mcnemars():
    for fixed, broken in ((6, 0), (8, 2), (9, 4)):
        each = compared(fixed, broken)
        assert [each[name]["p"] for name in ("log_loss", "brier")] == pytest.approx(
            [significance.mcnemar(fixed, broken)] * 2, abs=0.02
        )


def test_swapped_predictions_are_scored_as_one_models():
    random = np.random.default_rng(3)
    truth, answers = random.integers(3, size=50), random.dirichlet(np.ones(3), size=(2, 50))
    kept = random.integers(0, 2, size=50)
    both = comparisons.one_after_other(*(metrics.score_rows(each, truth) for each in answers))

    found = both.aggregate(np.concatenate([kept, 1 - kept])[None].astype(np.float64))
    mixed = metrics.point_estimates(metrics.score_rows(np.where(kept[:, None] == 1, *answers), truth))

    assert {name: float(value[0]) for name, value in found.items()} == pytest.approx(mixed, abs=1e-12)


def test_whole_clusters_are_swapped():
    """Five changed clusters are too few for a verdict."""
    truth, clusters = np.zeros(40, dtype=np.int64), np.arange(40) // 5
    wrong = np.eye(2)[np.where(clusters < 5, 1, 0)]
    scored = metrics.score_rows(wrong, truth), metrics.score_rows(np.eye(2)[truth], truth)

    alone, together = (
        comparisons.swapped(*scored, ["accuracy"], count=1999, seed=1, clusters=each)["accuracy"]
        for each in (None, clusters)
    )

    assert alone == 1 / 2000
    assert together == pytest.approx(2 / 2**5, abs=0.02)


def test_a_score_that_does_not_differ_has_a_p_of_1():
    assert {each["p"] for each in compared(0).values()} == {1.0}
    assert {each["verdict"] for each in compared(0).values()} == {"unclear"}
    assert compared(3, 3)["accuracy"]["p"] == 1.0
