"""Evaluations of multi-label runs: rules, pages, API, comparison, and pre-labels."""

from __future__ import annotations

import re

import numpy as np
import pytest

from datasets_app.prelabels.models import Suggestion
from lifecycle.ground.compute import warm
from lifecycle.modeling.evaluation import actions, charts, queries, rules, suggesters
from lifecycle.modeling.evaluation.task_types.multi_label.page import ENTRY as PAGE
from lifecycle.modeling.evaluation.task_types.multi_label.page import SetPage
from lifecycle.modeling.evaluation.task_types.multi_label.rows import ENTRY as ROWS
from lifecycle.modeling.evaluation.task_types.multi_label.rows import Opened, Sureness
from lifecycle.runtime.task_types.by_key.suggestions import suggestions_of
from lifecycle.runtime.task_types.multi_label import measures as label_sets
from lifecycle.runtime.task_types.multi_label import predictions
from lifecycle.runtime.task_types.multi_label.measures import SetPredictions
from tests.support.jobs import run_ok
from tests.support.labeling import add_items, make_queue, queue_items
from tests.support.training import make_evaluation, make_run, multi_label_snapshot

pytestmark = pytest.mark.django_db
LABELS = ("a", "b", "c")
TRUTH = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1]], dtype=bool)
GIVEN = np.array([[0.2, 0.9, 0.7], [0.8, 0.6, 0.1], [0.6, 0.3, 0.2], [0.1, 0.4, 0.45]])
FOUR = SetPredictions(LABELS, ("one", "two", "three", "four"), TRUTH, GIVEN, (0.5, 0.5, 0.5))
REPORT = label_sets.ENTRY.report(FOUR, count=0)


def test_a_prediction_has_its_classes_and_the_confidence_of_its_worst_error():
    assert [(answer.true, answer.predicted, answer.confidence) for answer in ROWS.answers(FOUR)] == [
        (("a",), ("b", "c"), pytest.approx(0.9)),
        (("a", "b"), ("a", "b"), pytest.approx(0.6)),
        ((), ("a",), pytest.approx(0.6)),
        (("c",), (), pytest.approx(0.55)),
    ]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"true": "a", "predicted": "b"}, ["one"]),
        ({"true": "a", "predicted": "a"}, ["two"]),
        ({"true": "a", "predicted": ""}, ["one", "two"]),
        ({"true": "a", "predicted": "", "wrong": "1"}, ["one"]),
        ({"true": "", "predicted": "a"}, ["three", "two"]),
        ({"true": "", "predicted": "a", "wrong": "1"}, ["three"]),
        ({"true": "", "predicted": ""}, ["one", "three", "four"]),
    ],
)
def test_rows_behind_every_number(asked, wanted, tmp_path):
    predictions.ENTRY.write(tmp_path / "rows.parquet", FOUR, "test")
    found = predictions.read_sets(tmp_path / "rows.parquet")
    sure = Sureness.of(found.ids, predictions.read_sureness(tmp_path / "rows.parquet", found))
    opened = Opened(found, sure)

    rows = ROWS.find(opened, asked)

    assert [found.ids[row] for row in rows] == wanted
    every = ROWS.answers(FOUR)
    assert ROWS.at(opened, rows) == [every[row] for row in rows]


def test_pairs_are_what_was_missed_and_given_with_the_rows_of_the_missed_class():
    assert rules.confused(REPORT) == [rules.Pair("a", "b", 1, 2), rules.Pair("a", "c", 1, 2)]
    assert rules.errors(REPORT) == 3
    assert charts.confusion(REPORT, SetPage.confusion, limit=None).lead == "3 rows with a wrong label."
    assert charts.reliability(REPORT, SetPage.reliability).head == [
        "probability",
        "decisions",
        "mean probability",
        "share true",
        "95 % interval",
    ]


def test_changes_compare_whole_sets_whatever_the_order_of_the_labels():
    order = [2, 0, 1]
    other = SetPredictions(
        ("c", "a", "b"), FOUR.ids, TRUTH[:, order], np.where(TRUTH, 0.9, 0.1)[:, order], (0.5,) * 3
    )

    assert [(change.item, change.kind) for change in ROWS.changes(FOUR, other)] == [
        ("four", "fixed"),
        ("one", "fixed"),
        ("three", "fixed"),
    ]
    assert ROWS.changes(other, other) == []


@pytest.fixture
def snapshot(project, mia):
    return multi_label_snapshot(project, mia)


@pytest.fixture
def run(snapshot, mia):
    return make_run(snapshot, mia, accuracy=0.6)


@pytest.fixture
def measured(run):
    return queries.latest_evaluation(run, "test")


def test_the_page_shows_the_scores_of_several_classes(measured, client_for, mia):
    answer = client_for(mia).get(f"/evaluations/{measured.uuid}/")

    page, names = answer.content.decode(), [each["name"] for each in answer.context["metrics"]]
    assert {"Subset accuracy", "Micro-F1", "Hamming loss", "Label ranking average precision"} <= set(names)
    assert "Accuracy" not in names
    assert [name for name in names if f'<th scope="row">{name}' not in page] == []
    for each in measured.report["per_class"]:
        assert f'<td class="num">{each["threshold"]:.3f}</td>' in page, each["label"]
    assert [row["name"] for row in answer.context["baselines"] if row["name"] not in page] == []
    assert len(answer.context["baselines"]) == 1 + len(measured.report["baselines"])
    card = next(each for each in measured.report["per_class"] if each["label"] == "card")
    assert ("?true=card&amp;wrong=1" in page) is bool(card["missed"])
    pair = rules.confused(measured.report)[0]
    opened = f"/evaluations/{measured.uuid}/items/?true={pair.true}&amp;predicted={pair.predicted}"
    assert re.search(
        rf'href="{re.escape(opened)}"[^>]*aria-label="{pair.true} [^"]*{pair.predicted}: {pair.count} rows"',
        page,
    )
    every = client_for(mia).get(f"/evaluations/{measured.uuid}/?classes=all").content.decode()
    assert f'href="{opened}"' in every


def test_each_number_on_the_page_opens_that_many_rows(measured, mia):
    for each in measured.report["per_class"]:
        missed = PAGE.items(mia, measured, {"true": each["label"], "wrong": "1"})
        extra = PAGE.items(mia, measured, {"predicted": each["label"], "wrong": "1"})
        assert (missed["total"], extra["total"]) == (each["missed"], each["extra"])
    pairs = rules.confused(measured.report)
    assert pairs
    for pair in pairs:
        assert (
            PAGE.items(mia, measured, {"true": pair.true, "predicted": pair.predicted})["total"] == pair.count
        )
    assert PAGE.items(mia, measured, {})["total"] == measured.report["wrong_rows"]


def test_rows_are_titled_in_words(measured, client_for, mia):
    client, url = client_for(mia), f"/evaluations/{measured.uuid}/items/"

    queries_of = ("?true=card&predicted=refund", "?true=card&wrong=1", "?predicted=card&wrong=1", "")
    heads = [re.search("<h1>(.*?)</h1>", client.get(url + query).content.decode())[1] for query in queries_of]

    assert len(set(heads)) == 4
    assert [re.findall(r"\b(?:card|refund)\b", head) for head in heads] == [
        ["card", "refund"],
        ["card"],
        ["card"],
        [],
    ]


def test_thresholds_chosen_on_the_same_rows_exclude_baselines(run, client_for, mia):
    validation = (
        run.evaluations.get(split="validation")
        if run.evaluations.filter(split="validation").exists()
        else None
    )
    validation = validation or make_evaluation(run, "validation")

    page = client_for(mia).get(f"/evaluations/{validation.uuid}/").content.decode()

    assert 'data-state="flattering"' in page
    assert 'data-rival="' not in page
    assert client_for(mia).get(f"/api/v1/evaluations/{validation.uuid}/").json()["rival"] is None


# ── Pre-labels ──────────────────────────────────────────────────────────────
@pytest.fixture
def engine(monkeypatch):
    """An engine that predicts card for texts with cards, and refund for those with money."""

    def predict(folder, texts, timeout_seconds=0.0):
        rows = [[0.7 if "card" in text else 0.2, 0.1, 0.45 if "money" in text else 0.3] for text in texts]
        names, least = ["card", "login", "refund"], [0.5, 0.5, 0.4]
        given = [
            [name for name, each, at in zip(names, row, least, strict=True) if each >= at] for row in rows
        ]
        answers = [{"labels": some, "probabilities": row} for some, row in zip(given, rows, strict=True)]
        return {"labels": names, "thresholds": least, "answers": answers}

    monkeypatch.setattr(warm, "predict", predict)


def test_only_classes_that_reach_their_threshold_are_pre_labeled(snapshot, run, engine, mia, client_for):
    add_items(snapshot.dataset, mia, ["a card and money", "money alone now", "nothing of either"])
    queue = make_queue(snapshot.dataset, mia)

    actions.suggest(
        dataset=snapshot.dataset, model=suggesters.get_model(mia, "run", run.uuid), actor=mia, queue=queue
    )
    run_ok("default")

    rows = Suggestion.objects.filter(item__in=queue_items(queue)).order_by("item", "-score")
    assert list(rows.values_list("item__text", "label__name", "score")) == [
        ("a card and money", "card", 0.7),
        ("a card and money", "refund", 0.45),
        ("money alone now", "refund", 0.45),
    ]
    page = client_for(mia).get(f"/evaluations/pre-label/{snapshot.dataset.uuid}/")
    assert page.context["offers"] is suggestions_of("multi_label")
    assert page.context["offers"].offered in page.content.decode()
