"""What groups are measured by is read from each task's file as the task's own scores have it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from lifecycle.runtime.statistics import metrics
from lifecycle.runtime.task_types.generation import measures as text_scores
from lifecycle.runtime.task_types.generation import predictions as text_answers
from lifecycle.runtime.task_types.generation import verbatim
from lifecycle.runtime.task_types.generation.measures import TextAnswers
from lifecycle.runtime.task_types.multi_label import measures as label_sets
from lifecycle.runtime.task_types.multi_label import predictions as sets
from lifecycle.runtime.task_types.multi_label.measures import SetPredictions
from lifecycle.runtime.task_types.ranking import measures as ranking
from lifecycle.runtime.task_types.ranking import predictions as ranked_predictions
from lifecycle.runtime.task_types.ranking.measures import Ranked, RankedAnswers
from lifecycle.runtime.task_types.single_label import predictions
from lifecycle.runtime.task_types.single_label.measures import Predictions
from lifecycle.runtime.task_types.spans import measures as spans
from lifecycle.runtime.task_types.spans import predictions as span_predictions
from lifecycle.runtime.task_types.spans.measures import SpanPredictions
from lifecycle.runtime.task_types.spans.tagging import Found

LABELS = ("a", "b", "c")


def values(rows):
    return {name: each.above.sum() / each.below.sum() for name, each in rows.quotients.items()}


def test_single_label_quotients_match_scikit_learn(tmp_path):
    random = np.random.default_rng(1)
    given, truth = random.dirichlet((1, 1, 1), 90), random.integers(0, 3, 90)
    ids = tuple(f"i{at:02d}" for at in range(90))
    predictions.ENTRY.write(tmp_path / "p", Predictions(LABELS, ids, truth, given), "test")

    rows = predictions.ENTRY.measured(tmp_path / "p")

    predicted = given.argmax(axis=1)
    assert values(rows) == {"accuracy": pytest.approx(accuracy_score(truth, predicted))}
    (score,) = rows.measures[1].of_groups(np.zeros(90, dtype=np.int64), 1, 1)
    assert score.value == pytest.approx(f1_score(truth, predicted, average="macro"))
    held, answered = rows.classes.of("b")
    assert (held.tolist(), answered.tolist()) == ((truth == 1).tolist(), (predicted == 1).tolist())
    first = rows.worst_first("accuracy")[0]
    assert rows.wrong[first]
    assert given.max(axis=1)[first] == given.max(axis=1)[truth != predicted].max()


def test_of_sets(tmp_path):
    random = np.random.default_rng(2)
    given, truth = random.random((80, 3)), random.random((80, 3)) < 0.4
    made = SetPredictions(LABELS, tuple(map(str, range(80))), truth, given, (0.5, 0.6, 0.4))
    sets.ENTRY.write(tmp_path / "p", made, "test")

    rows = sets.ENTRY.measured(tmp_path / "p")

    scores = metrics.point_estimates(label_sets.score_sets(given, truth, made.thresholds))
    assert values(rows) == {
        "subset_accuracy": pytest.approx(scores["subset_accuracy"]),
        "micro_f1": pytest.approx(scores["micro_f1"]),
    }
    assert scores["micro_f1"] == pytest.approx(f1_score(truth, made.decided, average="micro"))
    assert rows.classes.of("c")[1].tolist() == made.decided[:, 2].tolist()


def test_of_spans_of_all_kinds_of_mistakes(tmp_path):
    truth = (((0, 3, 0), (5, 9, 1)), ((0, 3, 0),), (), ((2, 4, 1),), ())
    found = (
        (Found(0, 3, 0, 0.9), Found(5, 8, 1, 0.8)),
        (Found(0, 3, 1, 0.7),),
        (Found(1, 2, 0, 0.95),),
        (Found(2, 4, 1, 0.6),),
        (),
    )
    made = SpanPredictions(LABELS, tuple("vwxyz"), truth, found, np.zeros(5), np.ones(5))
    span_predictions.ENTRY.write(tmp_path / "p", made, "test")

    rows = span_predictions.ENTRY.measured(tmp_path / "p")

    scores = metrics.point_estimates(spans.ENTRY.score(made))
    assert values(rows) == {
        "micro_f1": pytest.approx(scores["micro_f1"]),
        "exact_texts": pytest.approx(scores["exact_texts"]),
    }
    assert values(rows)["micro_f1"] == pytest.approx(2 * 2 / (4 + 5))
    assert [rows.ids[row] for row in rows.worst_first("micro_f1")] == ["x", "v", "w", "y", "z"]
    assert rows.quotients["micro_f1"].below.tolist() == [4, 2, 1, 2, 0]


def test_rankings_with_ties(tmp_path):
    ranks = ((0, 1), (1, 0), (0, 0), (0, 1, 1), (0, 1))
    strengths = np.array(
        [[2.0, 1.0, np.nan], [3.0, 0.0, np.nan], [1.0, 0.0, np.nan], [0.5, 1.0, 0.0], [1.0, 1.0, np.nan]]
    )
    made = RankedAnswers.of(tuple("vwxyz"), strengths, [Ranked(each, (1,) * len(each)) for each in ranks])
    ranked_predictions.ENTRY.write(tmp_path / "p", made, "test")

    rows = ranked_predictions.ENTRY.measured(tmp_path / "p")

    scores = metrics.point_estimates(ranking.score(made.matrix, made.truth))
    assert values(rows) == {
        "pair_accuracy": pytest.approx(scores["pair_accuracy"]),
        "best_first": pytest.approx(scores["best_first"]),
    }
    assert values(rows)["pair_accuracy"] == pytest.approx((1 + 0 + 1 + 0.5) / 5)
    assert (rows.quotients["best_first"].below.tolist(), rows.wrong.tolist()) == (
        [1, 1, 0, 1, 1],
        [False, True, False, True, True],
    )


def test_of_texts_without_a_context_groundedness_is_no_measure(tmp_path):
    answers, references = ("my card", "wait please", ""), ("my card", "please wait", "call us")
    for name, contexts in {"with": ("my card is here", "", ""), "without": ("", "", "")}.items():
        scored = text_scores.score_texts(answers, references, contexts)
        made = TextAnswers(tuple("xyz"), tuple("xyz"), answers, scored, (verbatim.NONE,) * 3, (False,) * 3)
        text_answers.ENTRY.write(tmp_path / name, made, "test")

    some, none = (text_answers.ENTRY.measured(tmp_path / name) for name in ("with", "without"))

    scores = metrics.point_estimates(
        text_scores.score_texts(answers, references, ("my card is here", "", ""))
    )
    assert values(some) == {
        name: pytest.approx(scores[name]) for name in ("rouge_l", "token_f1", "exact_match", "groundedness")
    }
    assert list(none.quotients) == ["rouge_l", "token_f1", "exact_match"]
    assert [some.ids[row] for row in some.worst_first("rouge_l")] == ["z", "y", "x"]
    assert [some.ids[row] for row in some.worst_first("groundedness")] == ["x", "y", "z"]
