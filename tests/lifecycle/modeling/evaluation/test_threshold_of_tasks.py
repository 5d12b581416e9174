"""Thresholds of multi-label and span models: in the task's terms, on the right rows."""

from __future__ import annotations

import re

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape
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


def get_threshold(client, evaluation, **asked):
    return client.get(f"/api/v1/evaluations/{evaluation.uuid}/threshold/", asked)


def both(run):
    """Evaluations of a run on validation and test."""
    return [
        queries.latest_evaluation(run, split) or make_evaluation(run, split, accuracy=0.6)
        for split in ("validation", "test")
    ]


def unreached(page) -> tuple[str, str]:
    """The target and the split of a page without a threshold, which also says what to do instead."""
    html = page.content.decode()
    assert f"<p>{escape(page.context['instead'])}</p></div>" in html
    return re.search(r'class="note bad"><strong>[^<]* (\d\.\d{3}) \w+ (\w+)\.</strong>', html).groups()


# ── Multi-label ─────────────────────────────────────────────────────────────
@pytest.fixture
def several(project, mia):
    return both(make_run(multi_label_snapshot(project, mia), mia, accuracy=0.6, splits=("test",)))


@pytest.mark.postgres
def test_the_multi_label_form_starts_with_the_worst_class_and_needs_one(several, client_for, mia):
    _, test = several
    worst = max(test.report["per_class"], key=lambda each: each["missed"] + each["extra"])

    answer = page_of(client_for(mia), test)

    form = answer.context["form"]
    assert form.label == worst["label"] == most_mistaken(test.report)
    assert [value for value, _ in form.fields["label"].choices] == test.report["confusion"]["labels"]
    assert list(form.fields) == ["label", "goal", "target", "false", "missed"]
    assert [row["name"] for row in answer.context["rows"] if row["name"] not in answer.content.decode()] == []
    assert answer.context["question"].divides


def test_it_is_chosen_on_validation_and_measured_on_test_by_class_probability(several, client_for, mia):
    validation, test = several
    here, there = (queries.rows_of(each) for each in several)
    number = here.labels.index("card")
    precision, recall, thresholds = precision_recall_curve(
        here.truth[:, number], here.probabilities[:, number]
    )
    enough = [at for at in range(len(thresholds)) if recall[at] >= 0.7]
    best = max(enough, key=lambda at: (precision[at], thresholds[at]))

    for evaluation in several:
        found = get_threshold(
            client_for(mia), evaluation, **{"label": "card", "goal": "recall", "target": 0.7}
        ).json()

        assert (found["chosen_on"]["uuid"], found["measured_on"]["uuid"]) == (
            str(validation.uuid),
            str(test.uuid),
        )
        assert found["low"] == found["high"] == thresholds[best]
    given, true = there.probabilities[:, number] >= thresholds[best], there.truth[:, number]
    assert found["outcome"]["counts"] == {
        "hit": int((given & true).sum()),
        "false": int((given & ~true).sum()),
        "missed": int((~given & true).sum()),
        "passed": int((~given & ~true).sum()),
        "person": 0,
        "positives": int(true.sum()),
        "unscored": 0,
    }


def test_it_is_compared_with_the_models_threshold_and_its_origin_is_shown(several, client_for, mia):
    _, test = several
    card = next(each for each in test.report["per_class"] if each["label"] == "card")

    found = get_threshold(client_for(mia), test, **{"label": "card"}).json()
    page = page_of(client_for(mia), test, **{"label": "card"})

    counts = found["likeliest"]["counts"]
    assert (counts["hit"], counts["missed"], counts["false"]) == (card["hits"], card["missed"], card["extra"])
    few = test.run.snapshot.counts["labels"]["card"]["validation"]
    assert few < 20
    assert re.search(r"\bcard from 0\.500, .*\b20 rows of validation of v1\b", found["effect"])
    assert found["effect"] == page.context["effect"]
    assert found["effect"] in page.content.decode()
    assert f"<h2>Against {page.context['against'][0]}</h2>" in page.content.decode()


def test_the_goal_of_its_threshold_is_that_of_the_run(several):
    _, test = several
    test.run.snapshot.counts["labels"]["card"]["validation"] = 20

    best = thresholds_of(test).effect(test, "card")
    test.run.spec |= {"operating_point": "recall", "operating_target": 0.95}
    asked = []
    for promised, missed in (([], []), (["card"], []), ([], ["card"])):
        test.run.result["operating"] = {
            "by": "recall",
            "target": 0.95,
            "missed": missed,
            "promised": promised,
        }
        asked.append(thresholds_of(test).effect(test, "card"))

    assert re.search(r"\bcard from 0\.500, .*\bvalidation of v1\b.*\bF1\b", best)
    for word, each in zip(("estimated", "guaranteed", "missed"), asked, strict=True):
        assert re.search(rf"\bvalidation of v1\b.*\brecall of 0\.95\b.*\({word}\)", each)


def test_costs_hand_over_multi_label_rows(several, client_for, mia):
    _, test = several
    asked = {"label": "card", "goal": "cost", "false": "4", "missed": "4", "person": "0.1"}

    found = get_threshold(client_for(mia), test, **asked).json()
    page = page_of(client_for(mia), test, **asked)

    advice = page.context["advice"]
    assert found["low"] < found["high"]
    assert re.search(rf"\bcard from {found['high']:.3f}, .* from {found['low']:.3f}, ", advice)
    assert escape(advice) in page.content.decode()


def test_the_api_refuses_multi_label_without_a_class(several, client_for, mia):
    answer = get_threshold(client_for(mia), several[1], goal="precision", target=0.9)
    page = page_of(client_for(mia), several[1], **{"label": ""})

    sentence = "Choose a label: texts can have several, and each has its own threshold."
    assert (answer.status_code, answer.json()["fields"]) == (400, {"label": [sentence]})
    assert (page.status_code, page.context["form"].errors) == (422, {"label": [sentence]})
    assert 'id="id_label_error"' in page.content.decode()
    assert "report" not in page.context
    assert page.context["effect"] in page.content.decode()


# ── Spans ───────────────────────────────────────────────────────────────────
@pytest.fixture
def spans(project, mia):
    return both(make_run(made.spans_snapshot(project, mia), mia, accuracy=0.6, splits=("test",)))


def counted(evaluation, label, threshold):
    """The number of correct, wrong, and true spans, counted one by one."""
    found = queries.rows_of(evaluation)
    hit = false = true = 0
    for each in every(found):
        true += sum(label in ("", found.labels[span[2]]) for span in each.true)
        for one in each.found:
            if one.confidence >= threshold and label in ("", found.labels[one.label]):
                hit, false = (hit + 1, false) if one.span in each.true else (hit, false + 1)
    return hit, false, true


@pytest.mark.parametrize("label", ["", "thing", "wish"])
def test_spans_of_a_class_or_any_are_kept_above_a_confidence(spans, client_for, mia, label):
    validation, test = spans

    found = get_threshold(
        client_for(mia), test, **{"label": label, "goal": "precision", "target": 0.7}
    ).json()

    assert (found["chosen_on"]["uuid"], found["measured_on"]["uuid"]) == (
        str(validation.uuid),
        str(test.uuid),
    )
    confidences = sorted({one.confidence for some in queries.rows_of(validation).found for one in some})
    shares = {each: counted(validation, label, each) for each in confidences}
    lowest = next(
        each for each, (hit, false, _) in shares.items() if hit + false and hit / (hit + false) >= 0.7
    )
    assert counted(validation, label, found["high"]) == counted(validation, label, lowest)
    hit, false, true = counted(test, label, found["high"])
    counts = found["outcome"]["counts"]
    assert (counts["hit"], counts["false"], counts["positives"], counts["hit"] + counts["missed"]) == (
        hit,
        false,
        true,
        true,
    )
    assert found["outcome"]["recall"]["value"] == hit / true
    kept, wrong, _ = counted(test, label, 0)
    assert found["outcome"]["called"]["value"] == (hit + false) / (kept + wrong)
    assert counts["unscored"] == true - kept > 0


def test_keeping_all_spans_equals_the_report(spans, client_for, mia):
    _, test = spans
    found = get_threshold(client_for(mia), test).json()["likeliest"]

    assert (found["precision"]["value"], found["recall"]["value"]) == (
        test.report["micro_precision"],
        test.report["micro_recall"],
    )
    assert (found["called"]["value"], found["person"]["value"]) == (1, 0)
    for each in test.report["per_class"]:
        own = get_threshold(client_for(mia), test, **{"label": each["label"]}).json()["likeliest"]
        assert (own["precision"]["value"], own["recall"]["value"]) == (each["precision"], each["recall"])


def test_the_page_refers_to_spans(spans, client_for, mia):
    _, test = spans
    client = client_for(mia)

    shown = page_of(client, test, goal="precision", target="0.7")
    cost = page_of(
        client, test, **{"label": "wish", "goal": "cost", "false": "4", "missed": "4", "person": "0.1"}
    )

    kept, report = shown.content.decode(), cost.context["report"]
    assert (shown.context["question"].unit, shown.context["question"].in_texts) == ("spans", True)
    assert f" {shown.context['report']['high']:.3f}, " in shown.context["advice"]
    for part in ("advice", "places", "effect"):
        assert escape(shown.context[part]) in kept, part
    for row in shown.context["rows"]:
        assert f'<th scope="row">{row["name"]}</th>' in kept, row["name"]
    assert f"<h2>Against {shown.context['against'][0]}</h2>" in kept
    assert re.search(r"\bwish spans?\b", cost.context["advice"])
    assert escape(cost.context["advice"]) in cost.content.decode()
    counts = report["outcome"]["counts"]
    found = sum(counts[name] for name in ("hit", "false", "missed", "passed", "person")) - counts["unscored"]
    assert report["outcome"]["person"]["value"] == counts["person"] / found > 0


def test_an_unreachable_recall_shows_that_of_keeping_all_spans(spans, client_for, mia):
    validation, test = spans

    found = get_threshold(client_for(mia), test, goal="recall", target=1).json()
    page = page_of(client_for(mia), test, goal="recall", target="1")

    assert (found["reached"], found["outcome"]) == (False, None)
    assert unreached(page) == ("1.000", "validation")
    assert re.search(rf"\bvalidation\b.* {validation.report['micro_recall']:.3f}\b", page.context["instead"])


def test_a_class_without_rows_has_no_threshold(several, client_for, mia, monkeypatch):
    _, test = several
    whole = queries.scores_of
    monkeypatch.setattr(
        queries,
        "scores_of",
        lambda *asked: whole(*asked)._replace(positive=np.zeros(len(whole(*asked).score), bool)),
    )

    found = get_threshold(client_for(mia), test, **{"label": "card", "goal": "recall", "target": 0.9}).json()
    page = page_of(client_for(mia), test, **{"label": "card", "goal": "recall", "target": "0.9"})

    assert (found["reached"], found["positives"], found["most_recall"], found["high"]) == (
        False,
        0,
        None,
        None,
    )
    assert unreached(page) == ("0.900", "validation")
    assert re.search(r"\bvalidation\b.* card\b", page.context["instead"])


def test_a_model_without_predictions_has_no_curve_and_keeps_nothing(project, mia, client_for, monkeypatch):
    finding = made.predictions
    monkeypatch.setattr(made, "predictions", lambda *args: made.nothing(finding(*args)))
    run = make_run(made.spans_snapshot(project, mia), mia, splits=("test",))
    test = queries.latest_evaluation(run, "test")

    goals = ("precision", "recall", "cost")
    precise, complete, cheap = (page_of(client_for(mia), test, goal=goal) for goal in goals)

    assert unreached(precise) == ("0.900", "test")
    assert " 0.000" in complete.context["instead"]
    assert (cheap.context["report"]["reached"], cheap.context["report"]["high"]) == (True, None)
    assert escape(cheap.context["advice"]) in cheap.content.decode()
    assert cheap.context["chart"] is None
    assert b"data-chart" not in cheap.content
    precision = next(
        each for each in cheap.context["figures"] if each.label == cheap.context["question"].precision
    )
    assert precision.value is None


# ── All tasks ───────────────────────────────────────────────────────────────
def test_the_tab_exists_for_labels_and_the_query_count_stays_constant(spans, client_for, mia):
    _, test = spans
    client = client_for(mia)

    assert (
        f'href="/evaluations/{test.uuid}/threshold/"'
        in client.get(f"/evaluations/{test.uuid}/").content.decode()
    )
    page_of(client, test)
    counts = []
    for asked in ({}, {"label": "wish"}, {"goal": "cost"}):
        with CaptureQueriesContext(connection) as queries_of_page:
            page_of(client, test, **asked)
        counts.append(len(queries_of_page))
    assert len(set(counts)) == 1
