"""Evaluations of span runs: rules, pages, API, comparison, and pre-labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datasets_app.prelabels.models import Suggestion
from lifecycle.ground.compute import warm
from lifecycle.modeling.evaluation import actions, queries, suggesters
from lifecycle.modeling.evaluation.task_types.spans import page as span_page
from lifecycle.modeling.evaluation.task_types.spans.page import ENTRY as PAGE
from lifecycle.modeling.evaluation.task_types.spans.rows import ENTRY as ROWS
from lifecycle.modeling.evaluation.task_types.spans.rows import every
from lifecycle.runtime.task_types.by_key.measures import metrics_of
from lifecycle.runtime.task_types.spans import predictions as span_predictions
from lifecycle.runtime.task_types.spans.measures import SpanPredictions
from lifecycle.runtime.task_types.spans.tagging import Found
from tests.support.jobs import run_ok
from tests.support.labeling import add_items, make_queue
from tests.support.spans import spans_snapshot
from tests.support.training import make_run

pytestmark = pytest.mark.django_db
TEXT = "Anna Bell met Carl in York"  # true: Anna Bell PER, Carl PER, York LOC
TRUTH = ((0, 9, 1), (14, 18, 1), (22, 26, 0))
ONE = SpanPredictions(
    ("LOC", "PER"),
    ("one", "two"),
    (TRUTH, ((0, 4, 0),)),
    ((Found(0, 4, 1, 0.9), Found(14, 18, 0, 0.8), Found(10, 13, 0, 0.6)), (Found(0, 4, 0, 0.7),)),
    np.zeros(2),
    np.ones(2),
)


def test_every_span_is_shown_with_its_prediction():
    first, second = every(ONE)

    assert [
        (each.kind, each.true, each.true_text, each.found, each.found_text)
        for each in span_page.mistakes(TEXT, first)
    ] == [
        ("boundary", "PER", "Anna Bell", "PER", "Anna"),
        ("invented", "", "", "LOC", "met"),
        ("class", "PER", "Carl", "LOC", "Carl"),
        ("missed", "LOC", "York", "", ""),
    ]
    assert (first.wrong, second.wrong) == (4, 0)


def test_the_text_is_cut_where_spans_begin_and_end():
    pieces = span_page.pieces(TEXT, every(ONE)[0])

    assert "".join(piece.text for piece in pieces) == TEXT
    assert [(piece.text, piece.true, piece.found) for piece in pieces if piece.true or piece.found] == [
        ("Anna", "PER", "PER"),
        (" Bell", "PER", ""),
        ("met", "", "LOC"),
        ("Carl", "PER", "LOC"),
        ("York", "LOC", ""),
    ]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, ["one"]),
        ({"kind": "exact"}, ["two"]),
        ({"kind": "missed", "true": "LOC"}, ["one"]),
        ({"kind": "missed", "true": "PER"}, []),
        ({"true": "PER", "found": "LOC"}, ["one"]),
        ({"true": "LOC", "found": "LOC"}, ["two"]),
        ({"true": None, "found": "LOC"}, ["one"]),
        ({"kind": "invented", "true": "LOC"}, []),
        ({"true": "nowhere"}, []),
    ],
)
def test_texts_behind_every_number(asked, wanted, tmp_path):
    span_predictions.ENTRY.write(tmp_path / "rows.parquet", ONE, "test")

    rows = span_predictions.ENTRY.find(tmp_path / "rows.parquet", **asked)

    assert span_predictions.ENTRY.read(tmp_path / "rows.parquet", rows).ids == tuple(wanted)


def test_texts_are_sorted_by_most_confident_error_then_count_then_digest(tmp_path):
    def found(*sure):
        return tuple(Found(at, at + 1, 0, confidence) for at, confidence in enumerate(sure))

    rows = {
        "d": found(0.5),
        "c": found(0.9, 0.1),
        "b": found(0.9),
        "a": found(0.9),
        "right": (),
        "missed": (),
    }
    truth = tuple(((0, 4, 1),) if name == "missed" else () for name in rows)
    given = SpanPredictions(("LOC", "PER"), tuple(rows), truth, tuple(rows.values()), np.zeros(6), np.ones(6))
    span_predictions.ENTRY.write(tmp_path / "rows.parquet", given, "test")

    order = span_predictions.ENTRY.read(
        tmp_path / "rows.parquet", span_predictions.ENTRY.find(tmp_path / "rows.parquet")
    ).ids

    assert order == ("c", "a", "b", "d", "missed")


def test_changes_compare_all_spans_of_a_text_whatever_the_order_of_the_classes():
    right = SpanPredictions(
        ("PER", "LOC"),
        ("two", "one"),
        (((0, 4, 1),), tuple((start, end, 1 - label) for start, end, label in TRUTH)),
        ((), tuple(Found(start, end, 1 - label, 0.9) for start, end, label in TRUTH)),
        np.zeros(2),
        np.ones(2),
    )

    assert [(each.item, each.kind) for each in ROWS.changes(ONE, right)] == [
        ("two", "broken"),
        ("one", "fixed"),
    ]
    assert ROWS.changes(ONE, ONE) == []
    assert ROWS.turned(ONE, right, ()) == {"LOC": {"one": 1, "two": -1}, "PER": {"one": 1}}


@pytest.fixture
def snapshot(project, mia):
    return spans_snapshot(project, mia)


@pytest.fixture
def run(snapshot, mia):
    return make_run(snapshot, mia, accuracy=0.5)


@pytest.fixture
def measured(run):
    return queries.latest_evaluation(run, "test")


def test_each_number_on_the_page_opens_its_texts(measured, mia):
    report, predictions = measured.report, queries.rows_of(measured)

    for kind, count in report["kinds"].items():
        some = PAGE.items(mia, measured, {"kind": kind})
        held = sum(each.kind == kind for line in every(predictions) for each in line.matches)
        assert (bool(some["total"]), held) == (bool(count), count)
    assert PAGE.items(mia, measured, {})["total"] == report["wrong_rows"] > 0
    labels, counts = span_page.confusion(report)
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            total = PAGE.items(mia, measured, {"true": labels[row], "predicted": labels[column]})["total"]
            assert (total > 0) is (count > 0)
            assert total <= count


def test_texts_show_both_spans_and_can_be_queued(measured, client_for, mia):
    answer = client_for(mia).get(f"/evaluations/{measured.uuid}/items/?kind=boundary")

    page = answer.content.decode()
    assert f"<h1>{answer.context['kind']}</h1>" in page
    assert '<mark class="true found"' in page
    assert 'name="item"' in page
    assert f'id="pick" class="row gap-3" method="get" action="{answer.context["pick_url"]}"' in page


def test_losses_in_different_units_are_not_compared_and_the_page_explains(
    snapshot, measured, client_for, mia, monkeypatch
):
    other = queries.latest_evaluation(make_run(snapshot, mia, accuracy=1.0, seed=2), "test")

    def by_pieces(evaluation, through=queries.rows_of):
        found = through(evaluation)
        return replace(found, tokens=2 * found.tokens) if evaluation == other else found

    same = client_for(mia).get(f"/evaluations/compare/?a={other.uuid}&b={measured.uuid}")
    monkeypatch.setattr(queries, "rows_of", by_pieces)
    answer = client_for(mia).get(f"/evaluations/compare/?a={measured.uuid}&b={other.uuid}")

    loss = metrics_of("spans")["log_loss"].title

    assert [each.context["other_units"] for each in (answer, same)] == [True, False]
    assert [f'<th scope="row">{loss}</th>' in each.content.decode() for each in (answer, same)] == [
        False,
        True,
    ]


# ── Pre-labels ──────────────────────────────────────────────────────────────
@pytest.fixture
def engine(monkeypatch):
    """An engine that predicts the word card as a thing, and has a label that the dataset lacks."""

    def predict(folder, texts, timeout_seconds=0.0):
        def found(text):
            at = text.find("card")
            here = [{"start": at, "end": at + 4, "label": "thing", "confidence": 0.75}] if at >= 0 else []
            return {"spans": here, "tokens": 4}

        return {
            "task": "spans",
            "labels": ["thing", "wish"],
            "thresholds": None,
            "answers": [found(text) for text in texts],
        }

    monkeypatch.setattr(warm, "predict", predict)


@pytest.mark.postgres
def test_spans_are_pre_labeled_by_stable_ids_and_texts_without_any_get_none(snapshot, run, engine, mia):
    add_items(snapshot.dataset, mia, ["a card and money", "nothing of either"])
    queue = make_queue(snapshot.dataset, mia)

    actions.suggest(
        dataset=snapshot.dataset, model=suggesters.get_model(mia, "run", run.uuid), actor=mia, queue=queue
    )
    run_ok("default")

    (suggestion,) = Suggestion.objects.filter(source="run").select_related("item")
    thing = str(snapshot.schema.labels.get(name="thing").stable_id)
    assert (suggestion.item.text, suggestion.score) == ("a card and money", 0.75)
    assert suggestion.value == {"spans": [{"start": 2, "end": 6, "label": thing, "score": 0.75}]}
