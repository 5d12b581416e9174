"""The domain classifier, compared with scikit-learn, and its scores of texts."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from monitoring.drift import comparing, domain

CARDS = [f"please block my lost card {word}" for word in ("today", "now", "soon", "abroad", "again")] * 12
LOANS = [
    f"what does the mortgage loan cost {word}" for word in ("today", "now", "soon", "abroad", "again")
] * 12


def test_tf_idf_is_scikit_learns():
    texts = [
        "a lost card card",
        "the lost loan",
        "a loan for a card",
        "where is it",
        "where was it",
        "ünter über größe größe",
        "größe über",
    ]
    known = TfidfVectorizer(sublinear_tf=True, min_df=2, max_df=0.5, token_pattern=domain.WORD.pattern)

    matrix = known.fit_transform(texts).toarray()

    found = domain.tf_idf(texts)
    assert list(found.words) == known.get_feature_names_out().tolist()
    assert found.matrix == pytest.approx(matrix)


def test_numbers_are_no_words():
    assert domain.words_of("Card 4929-0000 of O'Neil, e4 x") == ["card", "of", "neil"]


def test_ridge_in_the_dual_is_ridge():
    random = np.random.default_rng(0)
    rows, target = random.normal(size=(60, 5)), random.choice([-1.0, 1.0], 60)

    dual, intercept = domain.solve(rows @ rows.T, target[:, None])

    known = Ridge(alpha=domain.RIDGE).fit(rows, target)
    assert rows.T @ dual[:, 0] == pytest.approx(known.coef_)
    assert intercept[0] == pytest.approx(known.intercept_)


def test_scores_are_of_a_classifier_that_has_not_seen_the_row():
    random = np.random.default_rng(1)
    rows, sides = random.normal(size=(40, 3)), np.repeat([0, 1], 20)
    number = domain.folds(sides, np.arange(40), 5, 1)

    found = domain.out_of_fold(rows @ rows.T, np.where(sides == 1, 1.0, -1.0)[:, None], number)[:, 0]

    for fold in range(5):
        known = Ridge(alpha=domain.RIDGE).fit(
            rows[number != fold], np.where(sides == 1, 1.0, -1.0)[number != fold]
        )
        assert found[number == fold] == pytest.approx(known.predict(rows[number == fold]))
        assert [int((sides[number == fold] == side).sum()) for side in (0, 1)] == [4, 4]


def test_rows_of_a_group_share_a_fold_and_sides_are_dealt_out_evenly():
    sides, groups = np.repeat([0, 1], [100, 60]), np.concatenate([np.arange(100), np.arange(60) // 3 + 95])

    number = domain.folds(sides, groups, 5, 1)

    assert all(len(np.unique(number[groups == group])) == 1 for group in np.unique(groups))
    assert [int((number[sides == 0] == fold).sum()) for fold in range(5)] == [20] * 5
    assert [int((number[sides == 1] == fold).sum()) for fold in range(5)] == [12] * 5


def test_auc_is_scikit_learns_with_ties():
    random = np.random.default_rng(2)
    scores, sides = random.integers(0, 6, 80).astype(float), random.integers(0, 2, 80)

    assert domain.auc(scores, sides) == pytest.approx(roc_auc_score(sides, scores))


def test_standard_error_by_hand():
    assert domain.standard_error(1000, 200) == pytest.approx((1201 / (12 * 200_000)) ** 0.5)


def test_texts_on_another_topic_are_separated_by_their_words():
    table = domain.tf_idf(CARDS + LOANS)

    verdict = domain.two_sample_test(table.matrix[:60], table.matrix[60:], 0.01)
    new, missing = domain.distinctive_words(table, 60, CARDS + LOANS, CARDS + LOANS)

    assert verdict.auc > 0.99
    assert verdict.auc > verdict.limit
    assert verdict.p < 1e-6
    assert {"mortgage", "loan", "cost"} <= {each.word for each in new}
    assert {"card", "lost", "block"} <= {each.word for each in missing}
    assert all(each.current > each.reference for each in new)


def test_a_word_of_few_people_is_not_named():
    few = ["my neighbour Zebulon is calling", *[f"Zebulon again {n}" for n in range(3)]]
    assert "zebulon" not in new_words(few)
    assert "zebulon" in new_words([*few, "where is Zebulon"])


def test_a_text_that_is_sent_again_and_again_counts_once():
    assert "zebulon" not in new_words(["Zebulon never called back"] * 9)
    assert "zebulon" in new_words([f"Zebulon never called back {n}" for n in range(5)])


def test_what_one_sender_writes_in_many_words_is_not_named():
    texts = [f"Zebulon never called back {n}" for n in range(9)]

    assert "zebulon" not in new_words(texts, ["the same sender"] * 9)
    assert "zebulon" not in new_words(texts, [f"sender {n % 4}" for n in range(9)])
    assert "zebulon" in new_words(texts, [f"sender {n % 5}" for n in range(9)])


def new_words(texts, senders=None):
    """The words that are named when these texts come beside those on loans."""
    same = CARDS + texts + LOANS
    found, _ = domain.distinctive_words(
        domain.tf_idf(same), len(CARDS), same, CARDS + (senders or texts) + LOANS
    )
    return {each.word for each in found}


def test_the_same_texts_are_not_separated_and_the_limit_knows_how_few_they_are():
    """Seeded: 40 pairs of samples of one kind; the spread of the AUC is taken from permutations."""
    random = np.random.default_rng(5)
    found = []
    for _ in range(40):
        rows = random.normal(size=(140, 30))
        found.append(domain.two_sample_test(rows[:100], rows[100:], 0.01))

    assert sum(each.auc > each.limit for each in found) <= 1
    assert all(each.limit > 0.5 + 2.32 * domain.standard_error(100, 40) for each in found)
    # the same rows, the same answer
    assert domain.two_sample_test(rows[:100], rows[100:], 0.01).auc == found[-1].auc


def test_distance_to_the_nearest_is_scikit_learns_and_a_far_cluster_lies_outside():
    random = np.random.default_rng(3)
    reference = random.normal(size=(200, 8)) * 0.2 + np.eye(8)[0]
    near, far = (
        random.normal(size=(50, 8)) * 0.2 + np.eye(8)[0],
        random.normal(size=(50, 8)) * 0.2 + np.eye(8)[1],
    )
    known = NearestNeighbors(n_neighbors=1, metric="cosine").fit(reference)

    assert domain.nearest_distance(near, reference) == pytest.approx(known.kneighbors(near)[0][:, 0])
    assert domain.outside_share(reference, near, np.arange(200)) <= 0.1
    assert domain.outside_share(reference, far, np.arange(200)) > 0.9


def test_near_duplicates_of_the_reference_put_nothing_outside_of_what_was_evaluated():
    """Seeded: 40 directions, each five times; another 50 of the same kind lie as far from these as they do
    from each other.
    """
    random = np.random.default_rng(3)
    own, groups = np.repeat(random.normal(size=(40, 4)), 5, axis=0), np.arange(200) // 5
    reference, current = own + random.normal(size=(200, 4)) * 0.001, random.normal(size=(50, 4))

    assert domain.outside_share(reference, current, np.arange(200)) > 0.9
    assert domain.outside_share(reference, current, groups) <= 0.05
    assert domain.outside_share(reference[:5], current, groups[:5]) == 0


def test_most_typical_come_first():
    assert domain.most_typical(np.array([0.1, 0.9, -1.0, 0.9]), 3) == [1, 3, 0]


def sentences(random, rows):
    """Rows of six words each, of forty of which some are frequent."""
    names = [
        f"{a}{b}"
        for a in ("ba", "do", "ki", "lu", "me")
        for b in ("ra", "le", "mi", "no", "kus", "tix", "wen", "zor")
    ]
    share = 1 / np.arange(1, 41)
    return [" ".join(random.choice(names, 6, p=share / share.sum())) for _ in range(rows)]


def by_words(reference, current, keys=None, clusters=None):
    """The words monitor, as the check of a window asks for it."""
    sides = [[side[at] for at in comparing.once(side)] for side in (reference, current)]
    keys = [(keys or [""] * len(current))[at] for at in comparing.once(current)]
    clusters = clusters and [clusters[at] for at in comparing.once(reference)]
    return comparing.compare(*sides, keys, "Not asked for.", lambda _: None, clusters).found[0]


def test_texts_that_are_sent_again_and_again_are_no_drift():
    """Seeded: in ten windows of one kind with the evaluation, three tenths are repeats; all were separated
    while their twins were in other folds.
    """
    random, over = np.random.default_rng(3), 0
    for _ in range(10):
        reference, current = sentences(random, 120), sentences(random, 120)
        for at in range(36):
            current[at] = current[119 - at % 4]
        found = by_words(reference, current)
        over += found.ratio > 1

    assert over == 0


def test_a_text_on_both_sides_and_all_texts_of_a_sender_share_a_fold():
    groups, known = comparing.grouped(["a", "b", "c", "b", "d", "e"], 3, ["one", "two", "one"])

    assert known == 2
    assert groups[1] == groups[3] == groups[5]
    assert len({groups[0], groups[1], groups[2], groups[4]}) == 4


def test_one_key_alone_gives_no_senders():
    assert comparing.grouped(["a", "b", "c"], 1, ["service", "service"])[1] is None


def test_senders_with_words_of_their_own_are_no_drift():
    """Seeded: eight senders, each with a word of its own in every text. Without keys of senders, they are
    separated by these.
    """
    found = []
    for known in (False, True):
        random = np.random.default_rng(6)
        reference, current = (
            sentences(random, 100),
            [f"{text} habit{'abcdefgh'[at % 8]}" for at, text in enumerate(sentences(random, 96))],
        )
        found.append(by_words(reference, current, [f"sender {at % 8}" if known else "" for at in range(96)]))

    assert found[0].ratio > 1 > found[1].ratio
    assert (found[0].senders, found[1].senders) == (None, 8)


def test_near_duplicates_of_the_reference_are_no_drift():
    """Seeded: ten windows of 100 texts of one kind with the evaluation, which has 20 texts, each four times
    more without one word. Were each on its own, all windows would be separated, by texts like those that the
    classifier has seen.
    """
    random, over, clusters = (
        np.random.default_rng(3),
        {True: 0, False: 0},
        [*range(20), *range(20), *range(20), *range(20), *range(20)],
    )
    for _ in range(10):
        own = [text.split() for text in sentences(random, 20)]
        near = [" ".join(words[:at] + words[at + 1 :]) for at in range(4) for words in own]
        reference, current = [*map(" ".join, own), *near], sentences(random, 100)
        for known in over:
            over[known] += by_words(reference, current, clusters=clusters if known else None).ratio > 1

    assert over == {True: 0, False: 10}


def test_what_was_sent_of_a_cluster_is_of_its_group():
    groups, _ = comparing.grouped(["a", "b", "c", "b", "d", "e"], 3, ["one", "two", "one"], [7, 7, 8])

    assert groups[0] == groups[1] == groups[3] == groups[5]
    assert len({groups[0], groups[2], groups[4]}) == 3
