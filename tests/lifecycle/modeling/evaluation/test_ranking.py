"""Evaluations of ranking models: report, rows, comparison, and errors."""

from __future__ import annotations

import re

import pytest
from django.utils.html import escape

from lifecycle.modeling.evaluation import compare, queries, rules
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.ranking import page as ranking_page
from lifecycle.modeling.evaluation.task_types.ranking.rows import CLOSE
from lifecycle.modeling.evaluation.task_types.ranking.rows import ENTRY as ROWS
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.ranking.measures import Ranked, RankedAnswers
from tests.support.datasets import import_texts, make_dataset
from tests.support.ranking import make_evaluation, ranking_snapshot
from tests.support.snapshots import freeze
from tests.support.training import make_run

HEADER = ("prompt", "response_a", "response_b", "choice", "split")


@pytest.fixture
def snapshot(project, mia):
    return ranking_snapshot(project, mia, rows=80)


@pytest.fixture
def run(snapshot, mia):
    return make_run(snapshot, mia)


@pytest.fixture
def found(run):
    return make_evaluation(run, quality=0.3)


def page_of(client, address):
    return client.get(address).content.decode()


def test_a_model_that_is_right_about_every_pair_has_no_errors_to_show(run, mia, client_for):
    whole = make_evaluation(run, quality=1.0)

    page = page_of(client_for(mia), f"/evaluations/{whole.uuid}/")

    assert (whole.report["pair_accuracy"], whole.report["wrong_rows"]) == (1.0, 0)
    assert 'aria-label="Rows"' not in page
    assert 'data-rival="ahead"' not in page


def test_a_model_no_better_than_position_or_length_is_flagged(run, mia, client_for):
    poor = make_evaluation(run, quality=0.0)

    page = page_of(client_for(mia), f"/evaluations/{poor.uuid}/")

    rival = rules.rival(poor.report)
    assert not rival.is_ahead
    assert re.search(
        rf'data-rival="unclear">.*?{rival.name} [^<]* of {rival.value:.3f}, [^<]* {rival.own:.3f}',
        page,
    )


def test_rows_come_with_the_most_confident_errors_or_the_closest_first(found, mia, client_for):
    client = client_for(mia)
    answers = queries.rows_of(found)

    wrong = ROWS.find(answers, {})
    close = ROWS.find(answers, {"sort": CLOSE})

    surest = answers.surest_error
    assert [float(surest[row]) for row in wrong] == sorted(
        (float(each) for each in surest if each), reverse=True
    )
    gaps = [abs(answers.strengths[row][0] - answers.strengths[row][1]) for row in close]
    assert gaps == sorted(gaps)
    assert len(close) == found.rows
    pages = [client.get(f"/evaluations/{found.uuid}/items/{query}") for query in ("", "?sort=close")]
    assert [(each.context["sort"], each.context["total"]) for each in pages] == [
        ("wrong", len(wrong)),
        (CLOSE, len(close)),
    ]
    assert f"{len(wrong)} row" in pages[0].content.decode()
    heads = {re.search(r"<h1>(.*?)</h1>", each.content.decode())[1] for each in pages}
    assert len(heads) == 2


def test_changes_name_the_first_response_of_each_model():
    truth = (
        Ranked.of(("a", "b"), (0, 1)),
        Ranked.of(("a", "b", "c"), (0, 1, 2)),
        Ranked.of(("a", "b"), (0, 1)),
    )

    def answers(*strengths):
        return RankedAnswers(
            ("x", "y", "z"),
            tuple(each.ranks for each in truth),
            tuple(each.lengths for each in truth),
            strengths,
        )

    one = answers((2.0, 1.0), (1.0, 3.0, 2.0), (1.0, 1.0))
    two = answers((1.0, 2.0), (3.0, 2.0, 1.0), (1.0, 1.0))

    found = [(each.item, each.kind, each.true, each.first, each.second) for each in ROWS.changes(one, two)]

    assert found == [
        ("x", "broken", ("1 > 2",), ("1 > 2",), ("2 > 1",)),
        ("y", "fixed", ("1 > 2 > 3",), ("2 > 3 > 1",), ("1 > 2 > 3",)),
    ]


def test_two_that_differ_about_equal_responses_alone_are_both_right():
    equal = (Ranked.of(("a", "b"), (0, 0)),)

    def answers(*strengths):
        return RankedAnswers(("x",), ((0, 0),), tuple(each.lengths for each in equal), strengths)

    assert ROWS.changes(answers((2.0, 1.0)), answers((1.0, 2.0))) == []


@pytest.mark.parametrize(
    ("low", "high", "kind", "fact"),
    [
        (0.1, 0.3, "warn", "The model prefers longer responses more often than annotators do."),
        (-0.3, -0.1, "warn", "The model prefers shorter responses more often than annotators do."),
        (-0.1, 0.3, "ok", "The model prefers longer responses about as often as annotators do."),
    ],
)
def test_a_significant_length_bias_is_reported(low, high, kind, fact):
    report = {
        "longer_preferred_by_people": 0.5,
        "longer_preferred": 0.6,
        "apart": 200,
        "intervals": {"longer_surplus": {"low": low, "high": high}},
    }

    found = ranking_page.length(report)

    assert (found.kind, found.fact) == (kind, fact)
    assert ranking_page.length({"longer_preferred_by_people": None}) is None


@pytest.mark.postgres
def test_two_evaluations_of_equal_responses_alone_cannot_be_compared(project, mia, client_for):
    dataset = make_dataset(project, mia, task="preference")
    rows = [(f"card {at}", "help", "late", "tie") for at in range(20)] + [
        (f"order {at}", "help", "late", "first") for at in range(20)
    ]
    splits = ["test"] * 10 + ["train", "validation"] * 5 + ["train", "validation"] * 10
    import_texts(
        dataset, [(*row, split) for row, split in zip(rows, splits, strict=True)], mia, header=HEADER
    )
    snapshot = freeze(dataset, mia)
    one, two = (
        Evaluation.objects.get(run=make_run(snapshot, mia, seed=seed), split="test") for seed in (1, 2)
    )

    with pytest.raises(Refused) as refusal:
        compare.paired_report(one, two)

    page = client_for(mia).get(f"/evaluations/compare/?a={one.uuid}&b={two.uuid}")
    assert (page.status_code, "report" in page.context) == (200, False)
    assert page.context["refusal"].message == refusal.value.message
    assert escape(refusal.value.message) in page.content.decode()
    assert client_for(mia).get(f"/evaluations/{one.uuid}/").status_code == 200


def test_the_position_of_a_response_is_no_rival():
    report = {
        "task": "preference",
        "pair_accuracy": 0.95,
        "intervals": {"pair_accuracy": {"low": 0.9, "high": 0.98}},
    }
    place = {"pair_accuracy": 1.0, "intervals": {"pair_accuracy": {"low": 1.0, "high": 1.0}}}

    assert rules.rival(report | {"baselines": {"first": place}}) is None
    assert rules.rival(report | {"baselines": {"first": place, "longer": place}}).name == "Longer response"


def test_responses_are_in_annotated_order_with_the_models_rank():
    found = ranking_page.responses((1, 0, 1), (0.0, 1.0, 2.0), ("a", "b", "c"))

    assert [(each.text, each.place, each.model) for each in found] == [("b", 1, 2), ("a", 2, 3), ("c", 2, 1)]
    assert sum(each.chance for each in found) == pytest.approx(1.0)
