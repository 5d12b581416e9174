"""What rows were split together is written with them, kept with every kind of answers, and resampled
together.
"""

import json

import numpy as np
import pytest

from lifecycle.runtime.engine.data import read_rows
from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.by_key.predictions import file_of
from lifecycle.runtime.task_types.generation import verbatim
from lifecycle.runtime.task_types.generation.measures import TextAnswers, score_texts
from lifecycle.runtime.task_types.multi_label.measures import SetPredictions
from lifecycle.runtime.task_types.ranking.measures import Ranked, RankedAnswers
from lifecycle.runtime.task_types.rows import Rows, some
from lifecycle.runtime.task_types.single_label.measures import Predictions
from lifecycle.runtime.task_types.spans import predictions as span_predictions
from lifecycle.runtime.task_types.spans.measures import SpanPredictions
from lifecycle.runtime.task_types.spans.tagging import Found

CODES = np.array([0, 1, 0, 0])
IDS = ("a", "b", "c", "d")


def classes(clusters):
    return Predictions(
        ("x", "y"),
        IDS,
        np.array([0, 1, 0, 0]),
        np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]]),
        None,
        clusters,
    )


def sets(clusters):
    truth = np.array([[True, False]] * 4)
    return SetPredictions(("x", "y"), IDS, truth, np.full((4, 2), 0.6), (0.5, 0.5), clusters)


def marked(clusters):
    found = ((Found(0, 4, 0, 0.9),), (), (Found(0, 4, 0, 0.8),), ())
    return SpanPredictions(("x",), IDS, (((0, 4, 0),),) * 4, found, np.zeros(4), np.ones(4), clusters)


def orders(clusters):
    strengths = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [0.0, 3.0]])
    return RankedAnswers.of(IDS, strengths, [Ranked.of(("one", "two"), (0, 1))] * 4, clusters)


def texts(clusters):
    answers = ("my card", "no", "my card", "card")
    scored = score_texts(answers, ("my card",) * 4, ("",) * 4)
    return TextAnswers(
        IDS, ("t",) * 4, answers, scored, (verbatim.NONE,) * 4, (False,) * 4, clusters=clusters
    )


MADE = {"single_label": classes, "multi_label": sets, "spans": marked, "ranking": orders, "generation": texts}


def test_rows_know_what_they_were_split_together_with(tmp_path):
    lines = [
        {"id": "a", "text": "1", "cluster": "k"},
        {"id": "b", "text": "2"},
        {"id": "c", "text": "3", "cluster": "k"},
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    rows = read_rows(tmp_path / "data.jsonl")

    assert rows.clusters == ("k", "b", "k")
    assert rows.codes.tolist() == [0, 1, 0]
    assert some(Rows(rows.ids, rows.texts, (1, 2, 3), clusters=rows.clusters), [2, 1]).clusters == ("k", "b")
    assert Rows(("a", "b"), ("1", "2")).codes.tolist() == [0, 1]


@pytest.mark.parametrize(("task", "made"), MADE.items())
def test_answers_keep_their_clusters_and_are_compared_by_them(task, made, tmp_path):
    file_of(task).write(tmp_path / "rows.parquet", made(CODES), "test")

    read = file_of(task).read(tmp_path / "rows.parquet")

    assert read.clusters.tolist() == CODES.tolist()
    found = measures_of(task).compare(read, made(None), count=20)
    assert (found["rows"], found["clusters"]) == (4, 2)
    assert measures_of(task).compare(made(None), read, count=20)["clusters"] == 2


@pytest.mark.parametrize(
    ("task", "made", "codes"),
    [("single_label", classes, CODES), ("multi_label", sets, CODES), ("spans", marked, [0, 0, 0, 1])],
)
def test_scores_for_a_threshold_have_the_clusters_of_their_rows(task, made, codes, tmp_path):
    """Of spans two are found, in texts of cluster 0, and two are not, of which one is in that of cluster
    1.
    """
    file_of(task).write(tmp_path / "rows.parquet", made(CODES), "validation")

    assert sorted(file_of(task).scores(tmp_path / "rows.parquet", "x").clusters.tolist()) == sorted(codes)


def test_two_spans_of_one_text_are_of_one_cluster(tmp_path):
    found = ((Found(0, 4, 0, 0.9), Found(5, 9, 0, 0.7)), (Found(0, 4, 0, 0.8),))
    given = SpanPredictions(("x",), ("a", "b"), ((), ((0, 4, 0), (5, 9, 0))), found, np.zeros(2), np.ones(2))
    span_predictions.ENTRY.write(tmp_path / "rows.parquet", given, "validation")

    assert span_predictions.ENTRY.scores(tmp_path / "rows.parquet").clusters.tolist() == [0, 0, 1, 1]
