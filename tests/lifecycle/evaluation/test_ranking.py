"""What is said of a model that puts responses in order: report, rows, comparison, refusals."""

from __future__ import annotations

import pytest

from lifecycle.evaluation import actions, compare, queries, rules
from lifecycle.evaluation.models import Analysis, Evaluation
from lifecycle.evaluation.task_types.ranking import page as ranking_page
from lifecycle.evaluation.task_types.ranking.rows import CLOSE
from lifecycle.evaluation.task_types.ranking.rows import ENTRY as ROWS
from lifecycle.jobs.models import Job
from lifecycle.refusals import Refused
from lifecycle.task_types.ranking.measures import Ranked, RankedAnswers
from tests.support.datasets import import_texts, make_dataset
from tests.support.ranked import make_evaluation, ranked_snapshot
from tests.support.snapshots import freeze
from tests.support.training import make_run

HEADER = ("prompt", "response_a", "response_b", "choice", "split")


@pytest.fixture
def snapshot(project, mia):
    return ranked_snapshot(project, mia, rows=80)


@pytest.fixture
def run(snapshot, mia):
    return make_run(snapshot, mia)


@pytest.fixture
def found(run):
    return make_evaluation(run, quality=0.3)


def page_of(client, address):
    return client.get(address).content.decode()


def test_the_report_page_holds_scores_baselines_length_and_the_surest_mistakes(found, mia, client_for):
    page = page_of(client_for(mia), f"/evaluations/{found.uuid}/")

    assert found.report["wrong_rows"] > 0
    for told in (
        "Accuracy of pairs",
        "Best response first",
        "The longer response",
        "The first response",
        "Reliability",
        "Length",
    ):
        assert told in page
    assert f"All {found.report['wrong_rows']} with errors" in page
    assert "annotators 1, model 2" in page
    for absent in ("Confusion", "Macro-F1", "Threshold"):
        assert absent not in page


def test_a_model_that_is_right_about_every_pair_has_no_mistake_to_show(run, mia, client_for):
    whole = make_evaluation(run, quality=1.0)

    page = page_of(client_for(mia), f"/evaluations/{whole.uuid}/")

    assert (whole.report["pair_accuracy"], whole.report["wrong_rows"]) == (1.0, 0)
    assert "No row has a misranked pair." in page
    assert "A baseline outperforms this run." not in page


def test_a_model_that_is_no_better_than_place_or_length_is_told_so(run, mia, client_for):
    poor = make_evaluation(run, quality=0.0)

    page = page_of(client_for(mia), f"/evaluations/{poor.uuid}/")

    assert "This run isn't significantly better than a baseline." in page
    assert f"{rules.rival(poor.report).name} reaches an accuracy of pairs of" in page


def test_rows_come_with_the_surest_mistakes_or_the_closest_first(found, mia, client_for):
    client = client_for(mia)
    answers = queries.rows_of(found)

    wrong = ROWS.find(answers, {})
    close = ROWS.find(answers, {"sort": CLOSE})

    surest = answers.surest_error
    assert [float(surest[row]) for row in wrong] == sorted((float(each) for each in surest if each), reverse=True)
    gaps = [abs(answers.strengths[row][0] - answers.strengths[row][1]) for row in close]
    assert gaps == sorted(gaps)
    assert len(close) == found.rows
    page = page_of(client, f"/evaluations/{found.uuid}/items/")
    assert f"{len(wrong)} row" in page
    assert "Rows with errors" in page
    assert "All rows" in page_of(client, f"/evaluations/{found.uuid}/items/?sort=close")


def test_texts_are_for_those_who_may_read_them(found, aida, client_for):
    page = page_of(client_for(aida), f"/evaluations/{found.uuid}/items/?sort=close")

    assert "card help please" not in page
    assert "hidden from your role" in page
    assert "best with" in page


def test_two_runs_are_compared_by_the_pairs_of_the_same_rows(run, snapshot, mia, client_for):
    one, two = make_evaluation(run, quality=0.2), make_evaluation(make_run(snapshot, mia), quality=0.95, seed=2)

    report = compare.paired_report(one, two)

    assert report["rows"] == one.rows
    assert report["per_class"] == {}
    assert report["metrics"]["pair_accuracy"]["difference"] > 0
    changed = compare.changed_items(one, two)
    kinds = [each.kind for each in changed]
    assert report["changes"]["fixed"] == kinds.count("fixed") > kinds.count("broken")
    assert "points accuracy of pairs" in report["summary"]["fact"]
    page = page_of(client_for(mia), f"/evaluations/compare/?a={one.uuid}&b={two.uuid}")
    assert "points accuracy of pairs" in page
    assert "Prompt and responses" in page
    assert "F1 by label" not in page
    swapped = compare.paired_report(two, one)["metrics"]["pair_accuracy"]["difference"]
    assert swapped == pytest.approx(-report["metrics"]["pair_accuracy"]["difference"])


def test_changes_say_what_each_model_put_first():
    truth = (Ranked.of(("a", "b"), (0, 1)), Ranked.of(("a", "b", "c"), (0, 1, 2)), Ranked.of(("a", "b"), (0, 1)))

    def answers(*strengths):
        return RankedAnswers(("x", "y", "z"), tuple(each.ranks for each in truth), tuple(each.lengths for each in truth), strengths)

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
        (0.1, 0.3, "warn", "It prefers longer responses more often than people do."),
        (-0.3, -0.1, "warn", "It prefers shorter responses more often than people do."),
        (-0.1, 0.3, "ok", "It prefers longer responses about as often as people do."),
    ],
)
def test_leaning_to_length_is_told_where_chance_does_not_explain_it(low, high, kind, fact):
    report = {
        "longer_preferred_by_people": 0.5, "longer_preferred": 0.6, "apart": 200,
        "intervals": {"longer_surplus": {"low": low, "high": high}},
    }  # fmt: skip

    found = ranking_page.length(report)

    assert (found.kind, found.fact) == (kind, fact)
    assert ranking_page.length({"longer_preferred_by_people": None}) is None


@pytest.mark.postgres
def test_two_evaluations_of_equal_responses_alone_cannot_be_compared(project, mia, client_for):
    dataset = make_dataset(project, mia, task="preference")
    rows = [(f"card {at}", "help", "late", "tie") for at in range(20)] + [(f"order {at}", "help", "late", "first") for at in range(20)]
    splits = ["test"] * 10 + ["train", "validation"] * 5 + ["train", "validation"] * 10
    import_texts(dataset, [(*row, split) for row, split in zip(rows, splits, strict=True)], mia, header=HEADER)
    snapshot = freeze(dataset, mia)
    one, two = (Evaluation.objects.get(run=make_run(snapshot, mia, seed=seed), split="test") for seed in (1, 2))

    with pytest.raises(Refused, match="No shared row has a preferred response, so the evaluations can't be compared."):
        compare.paired_report(one, two)

    page = client_for(mia).get(f"/evaluations/compare/?a={one.uuid}&b={two.uuid}")
    assert page.status_code == 200
    assert b"No shared row has a preferred response" in page.content
    assert client_for(mia).get(f"/evaluations/{one.uuid}/").status_code == 200


def test_the_place_of_a_response_is_no_rival():
    report = {"task": "preference", "pair_accuracy": 0.95, "intervals": {"pair_accuracy": {"low": 0.9, "high": 0.98}}}
    place = {"pair_accuracy": 1.0, "intervals": {"pair_accuracy": {"low": 1.0, "high": 1.0}}}

    assert rules.rival(report | {"baselines": {"first": place}}) is None
    assert rules.rival(report | {"baselines": {"first": place, "longer": place}}).name == "The longer response"


def test_responses_stand_in_the_order_of_people_with_the_models_place():
    found = ranking_page.responses((1, 0, 1), (0.0, 1.0, 2.0), ("a", "b", "c"))

    assert [(each.text, each.place, each.model) for each in found] == [("b", 1, 2), ("a", 2, 3), ("c", 2, 1)]
    assert sum(each.chance for each in found) == pytest.approx(1.0)


def test_groups_of_errors_are_refused_since_no_response_has_a_vector_by_itself(found, mia):
    with pytest.raises(Refused, match="puts responses in order and gives no vector of a text by itself") as refusal:
        actions.analyse(evaluation=found, kind=Analysis.Kind.CLUSTERS, actor=mia)

    assert refusal.value.next_step == "Read the rows with a mistake, the surest first."
    assert not Job.objects.filter(kind="evaluation.clusters").exists()


@pytest.mark.parametrize("part", ["threshold", "clusters"])
def test_pages_of_classes_say_why_they_are_empty(part, found, mia, client_for):
    answer = client_for(mia).get(f"/evaluations/{found.uuid}/{part}/")

    assert answer.status_code == 422
    assert "puts responses in order" in answer.content.decode()


def test_the_api_lists_the_accuracy_of_pairs(found, mia, client_for):
    line = client_for(mia).get("/api/v1/evaluations/").json()["results"][0]

    assert line["pair_accuracy"] == found.report["pair_accuracy"]
    assert line["macro_f1"] is None
    whole = client_for(mia).get(f"/api/v1/evaluations/{found.uuid}/").json()
    assert 0 < whole["report"]["longer_preferred_by_people"] < 1


def test_the_page_of_a_run_shows_orders(found, run, mia, client_for):
    page = page_of(client_for(mia), f"/evaluations/run/{run.uuid}/")

    assert "Ranking" in page
    assert "Pre-label a dataset" not in page
