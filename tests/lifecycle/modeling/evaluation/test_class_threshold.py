"""A model with a threshold for one class: its report, threshold form, errors, drift baseline, and card."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from lifecycle.modeling.evaluation import confidence, queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.single_label.page import LabelThresholds
from lifecycle.modeling.evaluation.task_types.single_label.rows import ENTRY as ROWS
from lifecycle.runtime.statistics import deciding
from lifecycle.runtime.statistics.deciding import Cut
from lifecycle.runtime.statistics.operating.choices import Costs
from lifecycle.runtime.task_types.by_key.loading import loading_of
from lifecycle.runtime.task_types.by_key.watched import watched_of
from lifecycle.runtime.task_types.single_label import measures as single_label
from lifecycle.runtime.task_types.single_label.loading import FROM_A_THRESHOLD
from lifecycle.runtime.task_types.single_label.measures import Predictions
from monitoring.drift import reference
from registry.catalog import actions as catalog
from registry.catalog import card
from registry.catalog.models import ModelVersion
from tests.support.jobs import run_ok
from tests.support.registry import STATED, make_model
from tests.support.training import make_evaluation, make_run, make_snapshot

WANTED = {"operating_class": "card", "operating_point": "recall", "operating_target": 1.0}
SHARES = np.array([[0.5, 0.2, 0.3], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
MADE = Predictions(("ham", "offer", "fraud"), ("a", "b", "c"), np.array([2, 1, 0]), SHARES, cut=Cut(2, 0.3))


@pytest.fixture
def run(project, mia):
    """A run whose synthetic predictions miss some cards, so that only a low threshold finds them all."""
    return make_run(make_snapshot(project, mia, copies=27), mia, accuracy=0.8, **WANTED)


@pytest.fixture
def test(run):
    return Evaluation.objects.get(run=run, split="test")


def test_single_predictions_use_the_threshold_everywhere():
    found = ROWS.answers(MADE)

    assert [(each.predicted[0], each.confidence) for each in found] == [
        ("fraud", 0.3),
        ("fraud", 0.3),
        ("ham", 0.6),
    ]
    assert [each.item for each in found if each.true != each.predicted] == ["b"]
    plain = Predictions(MADE.labels, MADE.ids, MADE.truth, SHARES)
    assert [(each.item, each.kind) for each in ROWS.changes(plain, MADE)] == [("b", "broken"), ("a", "fixed")]


def test_a_drift_baseline_has_the_classes_that_the_server_predicts():
    watched = watched_of("single_label")
    observed = watched.observed(MADE)
    found = reference.histograms(watched, observed, {"a": ("x",), "b": ("y",), "c": ("z",)}, None)

    assert found["label"] == {"fraud": 2, "ham": 1}
    assert sum(found["confidence"].values()) == 3
    assert reference.calibrate(observed)["accuracy"] == pytest.approx(2 / 3)


def test_the_report_shows_the_threshold_with_its_interval_on_test(client_for, run, test, mia):
    decision = test.report["deciding"]
    recall = decision["measured"]["recall"]

    page = client_for(mia).get(f"/evaluations/{test.uuid}/").content.decode()
    of_run = client_for(mia).get(f"/evaluations/run/{run.uuid}/", HTTP_HX_REQUEST="true").content.decode()
    api = client_for(mia).get(f"/api/v1/evaluations/{test.uuid}/").json()

    assert decision["threshold"] < 0.5
    line = f"On test: recall {recall['value']:.3f} ({recall['low']:.3f} to {recall['high']:.3f})"
    assert line in page
    assert line in of_run
    assert api["report"]["deciding"] == decision


def test_scores_and_stored_predictions_use_the_same_decisions(test):
    found = queries.rows_of(test)
    index = found.labels.index("card")
    counts = np.array(test.report["confusion"]["counts"])

    assert found.cut == Cut(index, test.report["deciding"]["threshold"])
    assert (
        counts[:, index].sum()
        == (found.predicted == index).sum()
        > (found.probabilities.argmax(axis=1) == index).sum()
    )
    with ROWS.opened(test) as columns:
        assert (columns.predicted == deciding.decide(found.probabilities, found.cut)).all()


def test_the_form_starts_with_the_models_class_and_goal_and_says_it_changes_nothing(client_for, test, mia):
    client = client_for(mia)

    own, other = (
        client.get(f"/evaluations/{test.uuid}/threshold/", asked)
        for asked in ({}, {"label": "refund", "goal": "precision"})
    )

    form = own.context["form"]
    assert (form.label, form.goal, form.cleaned_data["target"]) == ("card", "recall", 1.0)
    assert own.context["report"]["high"] == test.report["deciding"]["threshold"]
    assert (
        own.context["report"]["outcome"]["recall"]
        == own.context["report"]["likeliest"]["recall"]
        == test.report["deciding"]["measured"]["recall"]
    )
    assert (other.context["form"].label, other.context["form"].goal) == ("refund", "precision")
    plain = Evaluation(report={**test.report, "deciding": None})
    assert own.context["against"] == LabelThresholds().beside(test) != LabelThresholds().beside(plain)
    assert f"<h2>Against {own.context['against'][0]}</h2>" in own.content.decode()
    effect = own.context["effect"]
    assert f" card from {test.report['deciding']['threshold']:.3f}, " in effect
    assert effect in own.content.decode()
    assert confidence.own(test) == test.report["deciding"]


@pytest.mark.postgres
def test_a_threshold_chosen_on_other_rows_names_them(client_for, run, test, mia):
    validation = make_evaluation(run, "validation")

    report = confidence.operating_point(LabelThresholds(), test, "card", "recall", 1.0, Costs(1.0))

    assert (report["reached"], report["same_rows"]) == (True, False)
    assert report["chosen_on"]["uuid"] == str(validation.uuid)
    assert confidence.operating_point(LabelThresholds(), validation, "card", "recall", 1.0, Costs(1.0))[
        "measured_on"
    ]["uuid"] == str(test.uuid)


def test_a_goal_missed_by_the_models_threshold_is_not_reached(test):
    decision = test.report["deciding"]
    test.report |= {"deciding": decision | {"by": "precision", "target": 1.0, "is_met": False}}

    report = confidence.operating_point(LabelThresholds(), test, "card", "precision", 1.0, Costs(1.0))

    assert report["high"] != decision["threshold"]


def test_the_version_and_its_card_show_it_and_the_cards_code_applies_it(project, mia, run, test, client_for):
    model = make_model(project, mia)
    catalog.register(model=model, run=run, semver="1.0.0", actor=mia, stated=STATED)
    run_ok("default")
    version = ModelVersion.objects.get(model=model)

    text, page = (
        version.cards.get().text,
        client_for(mia).get(f"/models/versions/{version.uuid}/").content.decode(),
    )

    assert "| Threshold | card is predicted from" in text
    assert 'about["deciding"]["threshold"]' in text
    assert "card is predicted from" in page
    assert version.facts["evaluation"]["deciding"] == test.report["deciding"]


@pytest.mark.parametrize(("threshold", "answer"), [(0.29, "fraud 0.3"), (0.31, "ham 0.5")])
def test_the_cards_code_prints_the_served_prediction(threshold, answer):
    about = {"labels": ["ham", "offer", "fraud"], "deciding": {"label": "fraud", "threshold": threshold}}
    output = io.StringIO()

    with contextlib.redirect_stdout(output):
        exec(FROM_A_THRESHOLD, {"numpy": np, "scores": np.log(SHARES[0]), "about": about})  # noqa: S102  the card's code

    label, share = output.getvalue().split()
    assert f"{label} {float(share):.1f}" == answer


def test_a_version_without_a_threshold_has_the_plain_code():
    plain = loading_of("single_label").code("lora", decides=False)

    assert card.loading({"spec": {"task": "single_label"}, "strategy": "lora"}) == f"```python\n{plain}\n```"
    assert loading_of("single_label").code("lora", decides=True) != plain


def test_two_models_are_compared_by_their_predictions():
    plain = Predictions(MADE.labels, MADE.ids, MADE.truth, SHARES)

    found = single_label.ENTRY.compare(plain, MADE, count=10)["metrics"]["accuracy"]

    assert (found["baseline"], found["candidate"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
