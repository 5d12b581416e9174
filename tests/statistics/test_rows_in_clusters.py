"""Near duplicates are resampled together: intervals and paired differences hold however much the rows of a
cluster are alike.
"""

import numpy as np
import pytest

from lifecycle.runtime.statistics import bootstrap, calibration, comparisons, groups, metrics
from lifecycle.runtime.statistics.clustered import numbered
from lifecycle.runtime.statistics.intervals import wilson

SIZE, CLUSTERS = 5, 80
CODES = np.repeat(np.arange(CLUSTERS), SIZE)
NONE = np.zeros(len(CODES))


def alike(random, chance):
    """1 where a row is right, with this chance, and as the rest of its cluster: two of one correlate by
    0.8.
    """
    own = random.beta(chance / 4, (1 - chance) / 4, CLUSTERS)
    return (random.random(len(CODES)) < own[CODES]).astype(np.int64)


def scored(right):
    return metrics.Scored(NONE.astype(np.int64), 1 - right, NONE, NONE, NONE, 2, 15)


def test_clusters_are_numbered_by_first_appearance():
    assert numbered(["b", "a", "b", "c", "a"]).tolist() == [0, 1, 0, 2, 1]


def test_whole_clusters_are_drawn():
    (weights,) = bootstrap.resamples(6, 50, 1, np.array([0, 1, 0, 2, 1, 0]))

    assert (weights[:, [0, 2, 5, 1]] == weights[:, [2, 5, 0, 4]]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_where_each_row_is_a_cluster_of_its_own_nothing_changes():
    random = np.random.default_rng(4)
    truth, own = random.integers(0, 4, 90), np.arange(90)
    one, two = (
        metrics.score_rows(calibration.softmax(random.normal(size=(90, 4)) + np.eye(4)[truth]), truth)
        for _ in range(2)
    )

    assert bootstrap.bootstrap(one, 100, 3, own) == bootstrap.bootstrap(one, 100, 3)
    options = {"labels": list("abcd"), "count": 60, "seed": 2}
    assert comparisons.paired_rows(
        one, two, metrics.COMPARED, **options, clusters=own
    ) == comparisons.paired_rows(one, two, metrics.COMPARED, **options)


def test_the_interval_of_an_accuracy_holds_where_near_duplicates_are_alike():
    """Resampled one by one, such rows give an interval that holds in about 65 %."""
    random, held = np.random.default_rng(1), np.zeros(2)
    for _ in range(150):
        rows = scored(alike(random, 0.8))
        for at, clusters in enumerate((CODES, None)):
            low, high = bootstrap.bootstrap(rows, 100, 1, clusters)["accuracy"]
            held[at] += low <= 0.8 <= high

    assert held[0] / 150 >= 0.93
    assert held[1] / 150 < 0.8


def test_a_paired_interval_holds_where_near_duplicates_are_alike():
    """No true difference; by rows, a third is significant."""
    random, significant = np.random.default_rng(1), np.zeros(2)
    for _ in range(80):
        one, two = scored(alike(random, 0.8)), scored(alike(random, 0.8))
        for at, clusters in enumerate((CODES, None)):
            found = comparisons.paired_rows(
                one, two, ["accuracy"], labels=None, count=200, seed=1, clusters=clusters
            )
            significant[at] += found["accuracy"]["verdict"] != "unclear"

    assert significant[0] / 80 <= 0.07
    assert significant[1] / 80 > 0.2


def test_where_all_rows_are_right_each_cluster_counts_once():
    rows = scored(np.ones(len(CODES), dtype=np.int64))

    # Wilson of 80 of 80
    assert bootstrap.bootstrap(rows, 50, 1, CODES)["accuracy"] == pytest.approx((0.9542, 1.0), abs=1e-4)


def test_the_lower_end_of_a_calibration_error_accounts_for_clusters():
    random = np.random.default_rng(1)
    confidence = random.beta(6, 1, CLUSTERS)[CODES]
    right = np.repeat(random.random(CLUSTERS) < confidence[::SIZE], SIZE).astype(np.int64)
    found = calibration.binned(confidence, right)

    assert calibration.ece_interval(found, np.array([0.1]), effect=float(SIZE))[0] == 0.0
    assert calibration.ece_interval(found, np.array([0.1]))[0] > 0


def test_rows_of_one_cluster_show_no_difference():
    one, two = scored(np.zeros(len(CODES), dtype=np.int64)), scored(np.ones(len(CODES), dtype=np.int64))

    found = comparisons.paired_rows(
        one, two, ["accuracy"], labels=None, count=20, seed=1, clusters=np.zeros(len(CODES), dtype=np.int64)
    )

    assert (found["accuracy"]["difference"], found["accuracy"]["verdict"]) == (1.0, "unclear")


def slices_of(right, codes, clusters):
    by = groups.Quotient(
        "accuracy", right.astype(float), np.ones(len(right)), is_share=True, clusters=clusters
    )
    macro = groups.MacroF1(np.zeros(len(right), dtype=np.int64), 1 - right, 2, clusters=clusters)
    return groups.scores((by, macro), by, codes, int(codes.max()) + 1)


def test_of_slices_that_do_not_differ_hardly_one_is_called_better_or_worse(monkeypatch):
    """Four slices of 20 clusters; Fisher's test of rows calls one in about a third of such tables."""
    monkeypatch.setattr(groups, "PERMUTED", 0)  # the limit of the test, which costs little
    random, significant = np.random.default_rng(1), np.zeros(2)
    codes = np.repeat(np.arange(4), len(CODES) // 4)
    for _ in range(60):
        right = alike(random, 0.8)
        for at, clusters in enumerate((CODES, None)):
            significant[at] += any(
                score.verdict in ("better", "worse") for score in slices_of(right, codes, clusters)
            )

    assert significant[0] / 60 <= 0.05 + 2 * (0.05 * 0.95 / 60) ** 0.5
    assert significant[1] / 60 > 0.2


def test_scores_of_slices_are_the_same_and_their_intervals_are_those_of_clusters():
    right, codes = alike(np.random.default_rng(2), 0.8), np.repeat([0, 1], len(CODES) // 2)

    by_clusters, by_rows = (slices_of(right, codes, clusters)[0] for clusters in (CODES, None))

    for name in ("accuracy", "macro_f1"):
        one, two = by_clusters.values[name], by_rows.values[name]
        assert one.value == two.value
        assert one.low < two.low < two.high < one.high
    assert by_clusters.difference.value == pytest.approx(by_rows.difference.value)
    assert (
        groups.tested_by(groups.Quotient("accuracy", NONE, NONE, is_share=True, clusters=CODES))
        == groups.PERMUTATION
    )


def test_what_a_cluster_has_in_one_slice_is_one_part():
    measure = groups.Quotient(
        "f1", np.array([1.0, 0, 2, 1]), np.array([1.0, 1, 2, 2]), clusters=np.array([0, 0, 1, 1])
    )

    parts, codes = groups.parted(measure, np.array([1, 0, 1, 1]))

    assert (parts.above.tolist(), parts.below.tolist(), codes.tolist()) == (
        [0.0, 1.0, 3.0],
        [1.0, 1.0, 4.0],
        [0, 1, 1],
    )


@pytest.mark.parametrize(("texts", "copies", "before"), [(1, 20, 19), (4, 6, 75), (8, 5, 88)])
def test_the_score_of_a_slice_holds_where_it_has_few_texts_and_their_near_duplicates(texts, copies, before):
    """60 slices of spans, right in 80 %, alike in a text. Percentiles of resampled texts held in `before` of
    100.
    """
    random, held = np.random.default_rng(3), 0
    together = np.concatenate([np.repeat(np.arange(texts), copies), texts + np.arange(100)])
    codes = (np.arange(len(together)) >= texts * copies).astype(int)
    for seed in range(60):
        right = random.binomial(4, random.beta(2, 0.5, texts + 100)[together])
        measure = groups.Quotient(
            "micro_f1", right.astype(float), np.full(len(together), 4.0), clusters=together
        )
        found = measure.of_groups(codes, 2, seed)[0]
        held += found.low <= 0.8 <= found.high

    assert held / 60 >= 0.93 > before / 100


@pytest.mark.parametrize(("large", "before"), [([100] * 3, 83), ([60] * 5, 78)], ids=["three", "five"])
def test_the_interval_of_an_accuracy_holds_where_a_few_groups_have_most_rows(large, before):
    """80 splits, right in 70 %, correlation .8: by resampled groups alone it held in `before` of 100."""
    random, held = np.random.default_rng(5), 0
    sizes = np.array(large + [2] * (100 - len(large)))
    together = np.repeat(np.arange(100), sizes)
    for seed in range(80):
        right = random.random(len(together)) < random.beta(0.7 / 4, 0.3 / 4, 100)[together]
        truth, none = np.zeros(len(right), dtype=np.int64), np.zeros(len(right))
        rows = metrics.Scored(truth, np.where(right, 0, 1), none, none, none, 2, 15)
        low, high = bootstrap.bootstrap(rows, 100, seed, together)["accuracy"]
        held += low <= 0.7 <= high

    assert held / 80 >= 0.93 > before / 100


def test_the_interval_of_an_accuracy_is_that_of_a_share_by_groups():
    """12 rows: of groups of 6 and 2 all are right, of two groups of 2 none: as 3 groups of one size."""
    rows = metrics.score_rows(np.eye(2)[np.repeat([0, 1, 0, 1], [6, 2, 2, 2])], np.zeros(12, dtype=np.int64))

    by_groups = bootstrap.bootstrap(rows, 20, 1, np.repeat([0, 1, 2, 3], [6, 2, 2, 2]))["accuracy"]

    assert by_groups == pytest.approx(wilson(3 * 8 / 12, 3))
    assert bootstrap.bootstrap(rows, 20, 1)["accuracy"] == pytest.approx(wilson(8, 12))
