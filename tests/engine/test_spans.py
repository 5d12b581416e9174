"""Scores of spans: as in seqeval, by position and label; kinds of errors; two models on the same texts."""

from dataclasses import replace

import numpy as np
import pytest

from lifecycle.runtime.statistics import metrics
from lifecycle.runtime.statistics.operating.curves import UNSCORED
from lifecycle.runtime.task_types.spans import measures as spans
from lifecycle.runtime.task_types.spans import predictions as span_predictions
from lifecycle.runtime.task_types.spans.measures import SpanPredictions
from lifecycle.runtime.task_types.spans.tagging import Found, Marked, Tokens, tag

LABELS = ("LOC", "ORG", "PER")


def made(seed, rows=60, length=9):
    """Random tags of rows of words, true and found; and their spans."""
    random = np.random.default_rng(seed)

    def tags():
        found = []
        for _ in range(length):
            label = int(random.integers(0, 3))
            found.append(
                int(
                    random.choice(
                        [0, 0, 1 + 2 * label, (found[-1] + found[-1] % 2) if found and found[-1] else 0]
                    )
                )
            )
        return found

    true = [tags() for _ in range(rows)]
    mine = [[each if random.random() < 0.7 else 0 for each in row] for row in true]
    for row in mine:
        for at, each in enumerate(row):
            if each and not each % 2 and (at == 0 or row[at - 1] not in (each, each - 1)):
                row[at] = each - 1
    return true, mine


def spans_of(row):
    found = []
    for at, each in enumerate(row):
        if each % 2:
            found.append((at, at + 1, each // 2))
        elif each:
            found[-1] = (found[-1][0], at + 1, found[-1][2])
    return found


def scored(true, mine):
    found = [[Found(*span, 0.9) for span in spans_of(row)] for row in mine]
    zeros = np.zeros(len(true))
    return spans.score_spans(found, [spans_of(row) for row in true], zeros, zeros + 1, 3)


@pytest.mark.parametrize("seed", range(3))
def test_the_scores_are_those_of_seqeval_in_strict_mode(seed):
    seqeval = pytest.importorskip("seqeval.metrics.v1", reason="seqeval is not installed")
    scheme = pytest.importorskip("seqeval.scheme")
    true, mine = made(seed)
    names = ["O", *(f"{part}-{label}" for label in LABELS for part in "BI")]
    words = [[[names[each] for each in row] for row in rows] for rows in (true, mine)]

    found = metrics.point_estimates(scored(true, mine))

    for mean in ("micro", "macro", "weighted"):
        wanted = seqeval.precision_recall_fscore_support(
            *words, average=mean, scheme=scheme.IOB2, zero_division=0
        )
        assert found[f"{mean}_f1"] == pytest.approx(wanted[2], abs=1e-12)
        if mean != "weighted":
            assert (found[f"{mean}_precision"], found[f"{mean}_recall"]) == pytest.approx(
                wanted[:2], abs=1e-12
            )
    wanted = seqeval.precision_recall_fscore_support(
        *words, average=None, scheme=scheme.IOB2, zero_division=0
    )
    assert scored(true, mine).by_class(np.ones((1, len(true)))).f1[0] == pytest.approx(wanted[2], abs=1e-12)


def test_counts_by_hand():
    true = [((0, 4, 2), (10, 14, 0)), ((0, 3, 1),), ()]
    found = [[Found(0, 4, 2, 0.9), Found(10, 15, 0, 0.7)], [Found(0, 3, 1, 0.8)], [Found(5, 6, 2, 0.6)]]

    values = metrics.point_estimates(
        spans.score_spans(found, true, np.array([2.0, 1.0, 0.0]), np.array([4.0, 3.0, 3.0]), 3)
    )

    assert (values["micro_precision"], values["micro_recall"]) == (2 / 4, 2 / 3)
    assert values["micro_f1"] == 4 / 7
    assert values["macro_f1"] == pytest.approx((0 + 1 + 2 / 3) / 3)
    assert values["exact_texts"] == pytest.approx(1 / 3)
    assert values["log_loss"] == pytest.approx(3 / 10)


def test_every_span_is_matched_once_by_what_fits_best():
    true = [(0, 9, 0), (10, 14, 1), (20, 24, 2), (30, 34, 0)]
    found = [Found(*span, 0.5) for span in ((0, 4, 0), (5, 9, 0), (10, 14, 2), (19, 24, 1), (40, 44, 1))]

    kinds = [
        (match.kind, match.true and match.true[0], match.found and match.found.start)
        for match in spans.matches(true, found)
    ]

    assert kinds == [
        ("boundary", 0, 0),
        ("invented", None, 5),
        ("class", 10, 10),
        ("both", 20, 19),
        ("missed", 30, None),
        ("invented", None, 40),
    ]


def test_a_confusion_has_a_line_of_what_was_invented_and_a_column_of_what_was_missed():
    every = spans.matches([(0, 4, 0), (5, 9, 1)], [Found(0, 3, 0, 0.5), Found(20, 24, 1, 0.5)])

    assert spans.confusion(every, 2).tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_a_report_adds_up_and_counts_what_was_lost():
    offsets = np.array([[0, 4], [5, 9]])
    values = np.eye(3)[[1, 0]] * 0.9 + 0.05
    truth = [Marked(((0, 4, 0),)), Marked(((5, 9, 0), (12, 14, 0)), 1), Marked(((6, 9, 0),))]

    tokens = Tokens((values, values, values), (offsets,) * 3, (False, True, False))
    found = spans.ENTRY.report(SpanPredictions.of(("PER",), tuple("abc"), tokens, truth), count=20)

    assert found["lost"] == {"beyond": 1, "texts_beyond": 1, "inexact": 1, "overlapping": 1}
    assert found["spans"] == {"true": 4, "found": 3}
    assert found["kinds"] == {"exact": 1, "boundary": 0, "class": 0, "both": 0, "missed": 3, "invented": 2}
    assert found["per_class"][0]["label"] == "PER"
    assert (found["per_class"][0]["support"], found["per_class"][0]["missed"]) == (4, 3)
    assert found["micro_f1"] == pytest.approx(2 / 7)
    assert (
        found["intervals"]["micro_f1"]["low"] <= found["micro_f1"] <= found["intervals"]["micro_f1"]["high"]
    )


def test_the_loss_is_that_of_every_token():
    offsets = np.array([[0, 4], [5, 9]])
    values = np.array([[0.2, 0.7, 0.1], [0.5, 0.25, 0.25]])

    losses, tokens = spans.token_losses(Tokens((values,), (offsets,)), [Marked(((0, 9, 0),))])

    assert tag([(0, 9, 0)], offsets).tolist() == [1, 2]
    assert losses.tolist() == pytest.approx([-np.log(0.7) - np.log(0.25)])
    assert tokens.tolist() == [2.0]


def predictions(found, labels=("LOC", "PER"), ids=("a", "b")):
    truth = (((0, 4, labels.index("PER")),), ((2, 5, labels.index("LOC")),))
    known = tuple(
        tuple(Found(start, end, labels.index(name), 0.75) for start, end, name in some) for some in found
    )
    return SpanPredictions(labels, ids, truth, known, np.array([0.5, 0.25]), np.array([2.0, 3.0]))


def test_answers_are_read_back_as_they_were_written(tmp_path):
    given = predictions([[(0, 4, "PER")], []])

    span_predictions.ENTRY.write(tmp_path / "predictions.parquet", given, "test")
    back = span_predictions.ENTRY.read(tmp_path / "predictions.parquet")

    assert (back.labels, back.ids, back.truth, back.found) == (
        given.labels,
        given.ids,
        given.truth,
        given.found,
    )
    assert (back.loss.tolist(), back.tokens.tolist()) == ([0.5, 0.25], [2.0, 3.0])


def test_found_spans_have_their_confidence_as_score_and_true_ones_that_were_not_found_have_none(tmp_path):
    found = (Found(0, 4, 1, 0.9), Found(14, 18, 0, 0.8), Found(10, 13, 0, 0.6)), (Found(0, 4, 0, 0.7),)
    # the second text's is found; the same place in the first is not its span
    truth = ((0, 9, 1), (14, 18, 1), (22, 26, 0)), ((0, 4, 0),)
    given = SpanPredictions(("LOC", "PER"), ("a", "b"), truth, found, np.zeros(2), np.ones(2))
    span_predictions.ENTRY.write(tmp_path / "predictions.parquet", given, "test")

    every, loc, per = (
        span_predictions.ENTRY.scores(tmp_path / "predictions.parquet", label) for label in ("", "LOC", "PER")
    )

    assert every.score.tolist() == [0.9, 0.8, 0.6, 0.7, UNSCORED, UNSCORED, UNSCORED]
    assert every.positive.tolist() == [False, False, False, True, True, True, True]
    assert every.called.tolist() == [True] * 4 + [False] * 3
    assert (loc.score.tolist(), loc.positive.tolist()) == (
        [0.8, 0.6, 0.7, UNSCORED],
        [False, False, True, True],
    )
    assert (per.score.tolist(), per.positive.tolist()) == ([0.9, UNSCORED, UNSCORED], [False, True, True])


def test_two_models_are_compared_whatever_the_order_of_their_classes():
    one = predictions([[], []])
    two = predictions([[(0, 4, "PER")], [(2, 5, "LOC")]], labels=("PER", "LOC"))

    found = spans.ENTRY.compare(one, two, count=50)

    assert (found["rows"], found["left_out"]) == (2, 0)
    assert (found["metrics"]["micro_f1"]["baseline"], found["metrics"]["micro_f1"]["candidate"]) == (0.0, 1.0)
    assert found["metrics"]["micro_f1"]["verdict"] == "better"
    assert set(found["metrics"]["per_class"]) == {"LOC", "PER"}


def test_losses_for_each_of_other_tokens_are_not_compared():
    one = predictions([[], []])
    two = replace(one, tokens=one.tokens + 1)

    assert "log_loss" in spans.ENTRY.compare(one, one, count=50)["metrics"]
    assert "log_loss" not in spans.ENTRY.compare(one, two, count=50)["metrics"]
    assert "micro_f1" in spans.ENTRY.compare(one, two, count=50)["metrics"]


def test_what_cannot_be_compared_is_reported():
    one = predictions([[], []])

    with pytest.raises(ValueError, match="share no item"):
        spans.ENTRY.compare(one, predictions([[], []], ids=("c", "d")))
    with pytest.raises(ValueError, match="have different labels"):
        spans.ENTRY.compare(one, predictions([[], []], labels=("LOC", "PER", "ORG")))
