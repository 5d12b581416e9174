"""A threshold is chosen where a text may have several classes, and of marked parts: in the words of the task, on the rows it should be."""

from __future__ import annotations

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from sklearn.metrics import precision_recall_curve

from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.task_types.by_key.pages import thresholds_of
from lifecycle.modeling.evaluation.task_types.multi_label.page import most_mistaken
from lifecycle.modeling.evaluation.task_types.spans.rows import every
from tests.support import spans as made
from tests.support.training import make_evaluation, make_run, multi_label_snapshot

pytestmark = pytest.mark.django_db


def page_of(client, evaluation, **asked):
    return client.get(f"/evaluations/{evaluation.uuid}/threshold/", asked)


def told(client, evaluation, **asked):
    return client.get(f"/api/v1/evaluations/{evaluation.uuid}/threshold/", asked)


def both(run):
    """Its evaluations on validation and test."""
    return [queries.latest_evaluation(run, split) or make_evaluation(run, split, accuracy=0.6) for split in ("validation", "test")]


# ── Several classes a text ──────────────────────────────────────────────────
@pytest.fixture
def several(project, mia):
    return both(make_run(multi_label_snapshot(project, mia), mia, accuracy=0.6, splits=("test",)))


@pytest.mark.postgres
def test_of_several_classes_the_chooser_begins_with_the_most_mistaken_one_and_offers_no_other_than_a_class(several, client_for, mia):
    _, test = several
    worst = max(test.report["per_class"], key=lambda each: each["missed"] + each["extra"])

    answer = page_of(client_for(mia), test)

    form = answer.context["form"]
    assert form.label == worst["label"] == most_mistaken(test.report)
    assert [value for value, _ in form.fields["class"].choices] == test.report["confusion"]["labels"]
    assert list(form.fields) == ["class", "goal", "target", "false", "missed"]
    assert "Predicted positive" in answer.content.decode()


def test_its_threshold_is_chosen_on_validation_and_measured_on_test_by_the_probability_of_that_class(several, client_for, mia):
    validation, test = several
    here, there = (queries.rows_of(each) for each in several)
    number = here.labels.index("card")
    precision, recall, thresholds = precision_recall_curve(here.truth[:, number], here.probabilities[:, number])
    enough = [at for at in range(len(thresholds)) if recall[at] >= 0.7]
    best = max(enough, key=lambda at: (precision[at], thresholds[at]))

    for evaluation in several:
        found = told(client_for(mia), evaluation, **{"class": "card", "goal": "recall", "target": 0.7}).json()

        assert (found["chosen_on"]["uuid"], found["measured_on"]["uuid"]) == (str(validation.uuid), str(test.uuid))
        assert found["low"] == found["high"] == thresholds[best]
    given, true = there.probabilities[:, number] >= thresholds[best], there.truth[:, number]
    assert found["outcome"]["counts"] == {
        "hit": int((given & true).sum()), "false": int((given & ~true).sum()), "missed": int((~given & true).sum()),
        "passed": int((~given & ~true).sum()), "person": 0, "positives": int(true.sum()), "unscored": 0,
    }  # fmt: skip


def test_it_stands_beside_the_answers_by_the_models_own_threshold_which_is_told_with_where_it_was_chosen(several, client_for, mia):
    _, test = several
    card = next(each for each in test.report["per_class"] if each["label"] == "card")

    found = told(client_for(mia), test, **{"class": "card"}).json()
    page = page_of(client_for(mia), test, **{"class": "card"}).content.decode()

    counts = found["likeliest"]["counts"]
    assert (counts["hit"], counts["missed"], counts["false"]) == (card["hits"], card["missed"], card["extra"])
    few = test.run.snapshot.counts["labels"]["card"]["validation"]
    assert few < 20
    effect = "None: the model continues predicting card from 0.500, because fewer than 20 rows of validation of v1 have the label."
    assert effect in found["effect"]
    assert effect in page
    assert "Against its own thresholds" in page


def test_what_its_threshold_was_chosen_for_is_told_as_the_run_was_asked(several):
    _, test = several
    test.run.snapshot.counts["labels"]["card"]["validation"] = 20

    best = thresholds_of(test).effect(test, "card")
    test.run.spec |= {"operating_point": "recall", "operating_target": 0.95}
    asked = []
    for promised, missed in (([], []), (["card"], []), ([], ["card"])):
        test.run.result["operating"] = {"by": "recall", "target": 0.95, "missed": missed, "promised": promised}
        asked.append(thresholds_of(test).effect(test, "card"))
    del test.run.result["operating"]  # a run from before there was a promise
    asked.append(thresholds_of(test).effect(test, "card"))

    assert "card from 0.500, chosen on validation of v1 for the best F1." in best
    for word, each in zip(("estimated", "guaranteed", "missed", "estimated"), asked, strict=True):
        assert f"on validation of v1 for a recall of 0.95 or more ({word})." in each


def test_costs_hand_rows_of_several_classes_over(several, client_for, mia):
    _, test = several
    asked = {"class": "card", "goal": "cost", "false": "4", "missed": "4", "person": "0.1"}

    found = told(client_for(mia), test, **asked).json()
    page = page_of(client_for(mia), test, **asked).content.decode()

    assert found["low"] < found["high"]
    assert f"Assign card from {found['high']:.3f}, hand over from {found['low']:.3f}, and don&#x27;t assign it below." in page


def test_without_a_class_of_several_the_api_refuses_in_a_sentence(several, client_for, mia):
    answer = told(client_for(mia), several[1], goal="precision", target=0.9)
    page = page_of(client_for(mia), several[1], **{"class": ""})

    sentence = "Choose a label: texts can have several, and each has its own threshold."
    assert (answer.status_code, answer.json()["fields"]) == (400, {"class": [sentence]})
    assert page.status_code == 422
    assert sentence in page.content.decode()
    assert "each label from its own threshold" in page.content.decode()


# ── Marked parts ────────────────────────────────────────────────────────────
@pytest.fixture
def spans(project, mia):
    return both(make_run(made.spans_snapshot(project, mia), mia, accuracy=0.6, splits=("test",)))


def counted(evaluation, label, threshold):
    """Spans kept and right, kept and wrong, and true ones; found one by one."""
    found = queries.rows_of(evaluation)
    hit = false = true = 0
    for each in every(found):
        true += sum(label in ("", found.labels[span[2]]) for span in each.true)
        for one in each.found:
            if one.confidence >= threshold and label in ("", found.labels[one.label]):
                hit, false = (hit + 1, false) if one.span in each.true else (hit, false + 1)
    return hit, false, true


@pytest.mark.parametrize("label", ["", "thing", "wish"])
def test_spans_are_kept_from_a_confidence_on_of_a_class_or_any(spans, client_for, mia, label):
    validation, test = spans

    found = told(client_for(mia), test, **{"class": label, "goal": "precision", "target": 0.7}).json()

    assert (found["chosen_on"]["uuid"], found["measured_on"]["uuid"]) == (str(validation.uuid), str(test.uuid))
    confidences = sorted({one.confidence for some in queries.rows_of(validation).found for one in some})
    shares = {each: counted(validation, label, each) for each in confidences}
    lowest = next(each for each, (hit, false, _) in shares.items() if hit + false and hit / (hit + false) >= 0.7)
    assert counted(validation, label, found["high"]) == counted(validation, label, lowest)
    hit, false, true = counted(test, label, found["high"])
    counts = found["outcome"]["counts"]
    assert (counts["hit"], counts["false"], counts["positives"], counts["hit"] + counts["missed"]) == (hit, false, true, true)
    assert found["outcome"]["recall"]["value"] == hit / true
    kept, wrong, _ = counted(test, label, 0)
    assert found["outcome"]["called"]["value"] == (hit + false) / (kept + wrong)
    assert counts["unscored"] == true - kept > 0


def test_keeping_all_spans_is_what_the_report_says_of_the_model(spans, client_for, mia):
    _, test = spans
    found = told(client_for(mia), test).json()["likeliest"]

    assert (found["precision"]["value"], found["recall"]["value"]) == (test.report["micro_precision"], test.report["micro_recall"])
    assert (found["called"]["value"], found["person"]["value"]) == (1, 0)
    for each in test.report["per_class"]:
        own = told(client_for(mia), test, **{"class": each["label"]}).json()["likeliest"]
        assert (own["precision"]["value"], own["recall"]["value"]) == (each["precision"], each["recall"])


def test_the_page_speaks_of_spans(spans, client_for, mia):
    _, test = spans
    client = client_for(mia)

    kept = page_of(client, test, goal="precision", target="0.7").content.decode()
    cost = page_of(client, test, **{"class": "wish", "goal": "cost", "false": "4", "missed": "4", "person": "0.1"})

    assert "Keep a span from" in kept
    assert "and drop it below." in kept
    for words in ("Spans kept", "Cost per 1,000 spans", "Cost of a missed span", "Against keeping all predicted spans", "spans of"):
        assert words in kept, words
    assert "the model continues predicting all spans" in kept
    assert "Keep a wish span from" in cost.content.decode() or "Keeping no wish spans costs least." in cost.content.decode()
    report = cost.context["report"]
    counts = report["outcome"]["counts"]
    found = sum(counts[name] for name in ("hit", "false", "missed", "passed", "person")) - counts["unscored"]
    assert report["outcome"]["person"]["value"] == counts["person"] / found > 0


def test_a_recall_above_what_is_found_at_all_is_told_with_what_keeping_all_has(spans, client_for, mia):
    validation, test = spans

    found = told(client_for(mia), test, goal="recall", target=1).json()
    page = page_of(client_for(mia), test, goal="recall", target="1").content.decode()

    assert (found["reached"], found["outcome"]) == (False, None)
    assert "No threshold reaches 1.000 on validation." in page
    assert f"on validation, keeping all predicted spans gives a recall of {validation.report['micro_recall']:.3f}" in page


def test_of_a_class_that_no_row_has_nothing_is_chosen(several, client_for, mia, monkeypatch):
    _, test = several
    whole = queries.scores_of
    monkeypatch.setattr(queries, "scores_of", lambda *asked: whole(*asked)._replace(positive=np.zeros(len(whole(*asked).score), bool)))

    found = told(client_for(mia), test, **{"class": "card", "goal": "recall", "target": 0.9}).json()
    page = page_of(client_for(mia), test, **{"class": "card", "goal": "recall", "target": "0.9"}).content.decode()

    assert (found["reached"], found["positives"], found["most_recall"], found["high"]) == (False, 0, None, None)
    assert "No row of validation has the label card, so no threshold can be chosen." in page


def test_a_model_that_found_nothing_has_no_curve_and_keeps_nothing(project, mia, client_for, monkeypatch):
    finding = made.predictions
    monkeypatch.setattr(made, "predictions", lambda *args: made.nothing(finding(*args)))
    run = make_run(made.spans_snapshot(project, mia), mia, splits=("test",))
    test = queries.latest_evaluation(run, "test")

    goals = ("precision", "recall", "cost")
    precise, complete, cheap = (page_of(client_for(mia), test, goal=goal).content.decode() for goal in goals)

    assert "No threshold reaches 0.900 on test." in precise
    assert "keeping all predicted spans gives a recall of 0.000" in complete
    assert "Keeping no spans costs least." in cheap
    assert "No curve: no span with this label was predicted on test." in cheap
    assert "Not measured" in cheap


# ── All of them ─────────────────────────────────────────────────────────────
def test_the_tab_stands_where_classes_are_given_and_pages_ask_the_database_as_often_however_often_they_are_read(spans, client_for, mia):
    _, test = spans
    client = client_for(mia)

    assert f'href="/evaluations/{test.uuid}/threshold/"' in client.get(f"/evaluations/{test.uuid}/").content.decode()
    page_of(client, test)
    counts = []
    for asked in ({}, {"class": "wish"}, {"goal": "cost"}):
        with CaptureQueriesContext(connection) as queries_of_page:
            page_of(client, test, **asked)
        counts.append(len(queries_of_page))
    assert len(set(counts)) == 1
