"""The effect of temperature scaling is reported, and an operating point is chosen on validation and measured
on test.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from django.template.loader import render_to_string
from django.utils.html import escape

from datasets_app.datasets.models import Item
from lifecycle.modeling.evaluation import confidence, queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training.models import Run
from lifecycle.runtime.statistics import calibration
from tests.support.evaluations import channelled, evaluated
from tests.support.pages import as_shown
from tests.support.training import make_run

OTHER = {"card": "refund", "refund": "card"}


def answer(item: Item, label: str) -> dict[str, float]:
    """Correct from a confidence of 0.75 on, in validation ("learn card 5") and in test ("text number 25 of
    refund").

    Below that, all are wrong in validation, and those with an even number are wrong in test.
    """
    words = item.text.split()
    is_test = words[0] == "text"
    number = int(words[2])
    sure = 0.505 + number % 50 / 100 if is_test else 0.5 + number / 20
    predicted = label if sure >= 0.75 or (is_test and number % 2) else OTHER[label]
    return {predicted: sure, OTHER[predicted]: 1 - sure}


@pytest.fixture
def run(project, mia) -> Run:
    return make_run(channelled(project, mia), mia, splits=())


@pytest.fixture
def test(run) -> Evaluation:
    return evaluated(run, "test", answer, temperature=2.0)


def asked(client_for, user, evaluation, **query):
    return client_for(user).get(f"/evaluations/{evaluation.uuid}/threshold/", query)


def get_threshold(client_for, user, evaluation, **query):
    return client_for(user).get(f"/api/v1/evaluations/{evaluation.uuid}/threshold/", query)


def test_probabilities_before_temperature_scaling_are_recovered():
    logits = np.random.default_rng(1).normal(size=(200, 5)) * 8

    before, after = calibration.softmax(logits), calibration.softmax(logits, 2.5)

    assert calibration.untempered(after, 2.5) == pytest.approx(before, abs=1e-9)
    assert calibration.untempered(np.array([[1.0, 0.0]]), 3.0).tolist() == [[1.0, 0.0]]


def test_the_report_shows_the_temperature_and_its_effect(client_for, test, mia):
    report = client_for(mia).get(f"/evaluations/{test.uuid}/")
    page = report.content.decode()
    api = client_for(mia).get(f"/api/v1/evaluations/{test.uuid}/calibration/").json()

    found = queries.rows_of(test)
    untempered = found.probabilities**2 / (found.probabilities**2).sum(axis=1, keepdims=True)
    right = untempered.argmax(axis=1) == found.truth
    before = calibration.ece(untempered.max(axis=1), right)
    assert (api["temperature"], api["fitted_on_these_rows"]) == (2.0, False)
    assert (api["before"]["ece"], api["after"]["ece"]) == (
        pytest.approx(before, abs=1e-9),
        test.report["ece"],
    )
    assert (
        report.context["calibration"]["temperature"],
        report.context["calibration"]["fitted_on_these_rows"],
    ) == (
        2.0,
        False,
    )
    assert re.search(r"temperature of\s+2\.000\b", page)
    assert (
        f'<th scope="row">ECE</th><td class="num">{before:.3f}</td><td'
        f' class="num">{test.report["ece"]:.3f}</td>' in page
    )


def test_rows_used_to_fit_the_temperature_are_flagged(client_for, run, mia):
    validation = evaluated(run, "validation", answer, temperature=0.8)

    report = client_for(mia).get(f"/evaluations/{validation.uuid}/")

    found = report.context["calibration"]
    assert (found["temperature"], found["fitted_on_these_rows"]) == (0.8, True)
    with_note, without = (
        render_to_string("lifecycle/modeling/evaluation/calibration.html", {"calibration": found | changed})
        for changed in ({}, {"fitted_on_these_rows": False})
    )
    assert len(with_note) > len(without)
    assert as_shown(with_note) in report.content.decode()


def test_a_report_without_a_temperature_has_a_note(test):
    test.report.pop("temperature")

    assert confidence.calibration(test) is None


def test_a_threshold_is_chosen_on_validation_and_measured_on_test(client_for, run, test, mia):
    validation = evaluated(run, "validation", answer)

    for evaluation in (test, validation):
        found = get_threshold(client_for, mia, evaluation, goal="precision", target="0.9").json()

        assert (found["chosen_on"]["split"], found["measured_on"]["split"], found["same_rows"]) == (
            "validation",
            "test",
            False,
        )
        assert (found["low"], found["high"], found["promised"]) == (0.0, 0.75, False)  # too few rows
        counts = {
            "hit": 230,
            "false": 0,
            "missed": 0,
            "passed": 0,
            "person": 250,
            "positives": 350,
            "unscored": 0,
        }
        assert found["outcome"]["counts"] == counts
        assert found["outcome"]["person"]["value"] == 250 / 480
        assert found["outcome"]["cost"]["value"] == pytest.approx(1000 * 0.2 * 250 / 480)
        assert found["likeliest"]["cost"]["value"] == pytest.approx(1000 * 130 / 480)
    page = asked(client_for, mia, test, goal="precision", target="0.9")
    shown, html = page.context, page.content.decode()
    assert (shown["report"]["same_rows"], shown["report"]["promised"]) == (False, False)
    assert " 0.750, " in shown["advice"]
    assert "0.900" in shown["basis"]
    assert [part for part in ("advice", "basis", "places", "effect") if escape(shown[part]) not in html] == []
    assert 'class="note warn"' not in html


def test_a_threshold_chosen_and_measured_on_the_same_rows_has_a_warning(client_for, run, test, mia):
    page = asked(client_for, mia, test)

    assert page.context["report"]["same_rows"] is True
    assert page.content.count(b'class="note warn"') == 1
    assert get_threshold(client_for, mia, test).json()["same_rows"] is True


def test_costs_hand_over_rows_whose_expected_error_costs_more(client_for, test, mia):
    cheap, dear = (
        get_threshold(
            client_for,
            mia,
            test,
            **{"goal": "cost", "label": "card", "false": 4, "missed": 4, "person": person},
        ).json()
        for person in (0.5, 100)
    )

    # half of them are wrong, so each would cost 2 on average
    assert cheap["outcome"]["counts"]["person"] == 250
    assert cheap["outcome"]["counts"]["false"] == cheap["outcome"]["counts"]["missed"] == 0
    assert cheap["outcome"]["cost"]["value"] == pytest.approx(1000 * 0.5 * 250 / 480)
    assert dear["outcome"]["counts"]["person"] == 0
    assert dear["low"] == dear["high"]
    page = asked(
        client_for,
        mia,
        test,
        **{"goal": "cost", "label": "card", "false": "4", "missed": "4", "person": "0.5"},
    )
    assert re.search(r"\bcard\b.* 0\.755, .* 0\.\d{3}, ", page.context["advice"])
    assert escape(page.context["advice"]) in page.content.decode()


def test_unreachable_targets_and_invalid_parameters_are_reported(client_for, test, mia):
    unused = get_threshold(client_for, mia, test, goal="cost", target="0.9")
    wrong = get_threshold(
        client_for, mia, test, **{"label": "zoo", "goal": "luck", "target": "2", "false": "-1"}
    )
    page = asked(client_for, mia, test, target="many")

    assert (unused.status_code, unused.json()["fields"]) == (
        400,
        {"target": ["It isn't used for this label and goal. Leave it out."]},
    )
    assert sorted(wrong.json()["fields"]) == ["false", "goal", "label", "target"]
    assert page.status_code == 422
    assert [each.code for each in page.context["form"].errors.as_data()["target"]] == ["invalid"]
    assert b'id="id_target_error"' in page.content


def test_a_precision_that_230_rows_out_of_230_have_is_promised(client_for, test, mia):
    found = get_threshold(client_for, mia, test, goal="precision", target="0.9").json()
    page = asked(client_for, mia, test, goal="precision", target="0.9")

    # the next ten rows are wrong, and the ten after them right
    assert (found["high"], found["promised"]) == (0.735, True)
    assert page.context["report"]["promised"] is True
    assert re.search(r"\btest\b.* 0\.900 .*\b95\b", page.context["basis"])
    assert escape(page.context["basis"]) in page.content.decode()


def test_few_near_duplicate_clusters_give_no_guarantee(client_for, test, mia, monkeypatch):
    real = queries.scores_of
    monkeypatch.setattr(
        queries, "scores_of", lambda *asked: real(*asked)._replace(clusters=np.arange(480) // 24)
    )

    found = get_threshold(client_for, mia, test, goal="precision", target="0.9").json()

    assert (found["reached"], found["promised"]) == (True, False)


def test_no_threshold_is_a_valid_result(client_for, run, mia):
    never = evaluated(run, "test", lambda item, label: {OTHER[label]: 0.9, label: 0.1})

    found = get_threshold(client_for, mia, never, goal="precision", target="0.5").json()
    cost = get_threshold(client_for, mia, never, goal="cost").json()

    assert (found["reached"], found["promised"], found["outcome"], found["high"]) == (False, None, None, None)
    page = asked(client_for, mia, never, goal="precision", target="0.5")
    assert (page.context["advice"], bool(page.context["instead"])) == ("", True)
    assert re.search(r'class="note bad"><strong>[^<]*\b0\.500 [^<]*\btest\b', page.content.decode())
    assert (cost["reached"], cost["promised"], cost["high"], cost["outcome"]["counts"]["person"]) == (
        True,
        None,
        None,
        480,
    )
    page = asked(client_for, mia, never, goal="cost")
    assert (page.context["instead"], page.context["figures"][0].value) == ("", "none")
    assert escape(page.context["advice"]) in page.content.decode()
    assert not re.search(r"\d", page.context["advice"])


def test_another_goal_has_other_fields(client_for, test, mia):
    names = {
        (label, goal): list(
            asked(client_for, mia, test, **{"label": label, "goal": goal}).context["form"].fields
        )
        for label in ("", "card")
        for goal in ("precision", "cost")
    }

    assert names == {
        ("", "precision"): ["label", "goal", "target", "false", "person"],
        ("", "cost"): ["label", "goal", "false", "person"],
        ("card", "precision"): ["label", "goal", "target", "false", "missed"],
        ("card", "cost"): ["label", "goal", "false", "missed", "person"],
    }


def test_the_report_stays_as_it_was(client_for, test, mia):
    before = test.report_digest, test.run.artifact.root_digest

    asked(client_for, mia, test, goal="cost")
    test.refresh_from_db()

    assert (test.report_digest, test.run.artifact.root_digest) == before
