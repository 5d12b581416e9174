"""Predictions that are more than a label: kept as annotations, counted by label, shown in words, and given
feedback with what would be right.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse

from lifecycle.runtime.task_types.answers import BadAnswer
from monitoring.traffic import actions, queries
from monitoring.traffic.models import ANSWERED, Feedback, MinuteRollup, Prediction
from registry.catalog import actions as catalog
from registry.catalog.models import Alias, Endpoint, ModelVersion
from registry.ground.ledger.models import Event
from tests.support.endpoints import spool_line, write_segment
from tests.support.jobs import run_ok
from tests.support.registry import STATED, make_endpoint, make_model
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
TEXT = "Anna went home"
Values = Callable[[list[str]], tuple[dict[str, Any], dict[str, Any], list[str]]]
PREDICTED: dict[str, Values] = {  # of a version's labels: a prediction, what would be right, labels to count
    "multi_label": lambda names: ({"labels": names[:2]}, {"labels": names[:1]}, names[:2]),
    "spans": lambda names: (
        {"spans": [{"start": 0, "end": 4, "label": names[0]}, {"start": 10, "end": 14, "label": names[0]}]},
        {"spans": [{"start": 0, "end": 4, "label": names[1]}]},
        [names[0], names[0]],
    ),
    "ranking": lambda names: ({"ranking": [1, 0, 2]}, {"ranking": [2, 1, 0]}, ["2"]),
    "preference": lambda names: ({"choice": "first"}, {"choice": "tie"}, ["1"]),
}


@pytest.fixture(params=PREDICTED)
def task(request) -> str:
    return request.param


@pytest.fixture
def endpoint(measured, project, mia) -> Endpoint:
    """An endpoint whose live version is of the type."""
    catalog.register(
        model=make_model(project, mia), run=measured.run, semver="1.0.0", actor=mia, stated=STATED
    )
    run_ok("default")
    version = ModelVersion.objects.get()
    found = make_endpoint(version.model, mia)
    Alias.objects.filter(endpoint=found).update(version=version)
    return Endpoint.objects.get(pk=found.pk)


@pytest.fixture
def values(task, endpoint) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    return PREDICTED[task](queries.labels_of(endpoint.alias.version))


def taken_in(endpoint: Endpoint, **answer: Any) -> Prediction:
    line = spool_line(endpoint, (TEXT, "a summary", 0.8))
    line["outputs"][0] |= answer
    write_segment(line, name=f"{uuid4()}.jsonl")
    actions.ingest()
    return Prediction.objects.get(uuid=line["uuid"])


@pytest.fixture
def prediction(endpoint, values) -> Prediction:
    return taken_in(endpoint, value=values[0], labels=values[2])


def test_its_value_is_kept_and_each_of_its_labels_counts_once(endpoint, prediction, values):
    value, _, labels = values

    assert (prediction.value, prediction.label) == (value, "a summary")
    counts = MinuteRollup.objects.get(endpoint=endpoint)
    assert (counts.answers, counts.labels) == (1, dict.fromkeys(labels, 1))


@pytest.mark.parametrize("task", ["multi_label", "spans"])
def test_an_empty_one_is_a_prediction_too(task, endpoint, mia, client_for):
    name = queries.task_of(endpoint.alias.version).answers.name
    found = taken_in(endpoint, value={name: []}, labels=[], label="", confidence=None)

    assert list(Prediction.objects.filter(ANSWERED)) == [found]
    assert MinuteRollup.objects.get(endpoint=endpoint).labels == {}
    assert MinuteRollup.objects.get(endpoint=endpoint).answers == 1
    actions.record_feedback(prediction_id=found.uuid, right=True, actor=mia)
    page = client_for(mia).get(reverse("traffic:prediction", args=[found.uuid]))
    assert page.context["words"] == queries.task_of(endpoint.alias.version).answers.words({name: []}, {})


def test_what_would_be_right_is_kept_in_its_canonical_form_and_shown_in_words(
    task, prediction, values, mia, client_for
):
    _, right, _ = values

    given = actions.record_feedback(prediction_id=prediction.uuid, right=False, value=right, actor=mia)
    again = actions.record_feedback(prediction_id=prediction.uuid, right=False, value=right, actor=mia)

    assert (given, given.value, given.label) == (again, right, "")
    answers = queries.task_of(prediction.version).answers
    event = json.loads(Event.objects.get(verb="traffic.feedback_recorded").canonical)
    assert event["payload"]["value"] == answers.frozen(right)
    names = {name: name for name in queries.labels_of(prediction.version)}
    client, words = client_for(mia), answers.words(right, names, TEXT)
    page = client.get(reverse("traffic:prediction", args=[prediction.uuid]))
    assert [shown for _, shown in page.context["history"]] == [words]
    listed = client.get(reverse("traffic:recent", args=[prediction.endpoint.uuid]))
    assert [shown for _, shown in listed.context["lines"]] == [words]
    row = client.get(f"/api/v1/predictions/{prediction.uuid}/").json()
    assert (row["value"], row["feedback_right"], row["feedback_value"]) == (prediction.value, False, right)


def test_what_cant_be_right_is_refused(task, prediction, values, mia):
    value, right, _ = values

    def tell(**given: Any) -> Feedback:
        return actions.record_feedback(
            **{"prediction_id": prediction.uuid, "right": False, "actor": mia, **given}
        )

    with refused("value"):
        tell(value=value)
    with refused("value"):
        tell(value=right, right=True)
    with refused("label"):
        tell(label="a summary")
    with refused("value", by=BadAnswer):
        tell(value={"other": []})


def test_a_batch_and_a_single_request_take_values(prediction, values, mia, client_for):
    client = client_for(mia)

    answer = client.post(
        "/api/v1/feedback/",
        {"feedback": [{"prediction": str(prediction.uuid), "right": False, "value": values[1]}]},
        content_type="application/json",
    )

    assert (answer.status_code, Feedback.objects.get().value) == (201, values[1])
    answer = client.post(
        f"/api/v1/predictions/{prediction.uuid}/feedback/", {"right": True}, content_type="application/json"
    )
    assert (answer.status_code, answer.json()["value"]) == (201, None)


@pytest.mark.parametrize("task", ["multi_label"])
def test_labels_are_ticked_on_the_page_or_none_of_them(prediction, values, mia, client_for):
    address, client = reverse("traffic:feedback", args=[prediction.uuid]), client_for(mia)
    page, right = client.get(reverse("traffic:prediction", args=[prediction.uuid])), values[1]
    none = page.context["form"].fields["labels"].choices[-1][0]

    for ticked, kept in ((right["labels"], right), ([none], {"labels": []}), ([], None)):
        assert client.post(address, {"right": "no", "labels": ticked}).status_code == 302
        assert Feedback.objects.latest("pk").value == kept
    assert client.post(address, {"right": "no", "labels": [*right["labels"], none]}).status_code == 422
    assert Feedback.objects.count() == 3


@pytest.mark.parametrize("task", ["multi_label"])
@pytest.mark.parametrize("value", ["text", [1], {"labels": ["x" * 20_000]}, {"labels": ["\0"]}])
def test_a_line_whose_value_is_no_small_object_is_kept_aside(endpoint, value):
    line = spool_line(endpoint)
    line["outputs"][0]["value"] = value

    segment = write_segment(line)
    assert actions.ingest() == 0

    assert not Prediction.objects.exists()
    assert json.loads((segment.parent / "bad" / segment.name).read_bytes()) == line


@pytest.mark.parametrize("task", ["spans"])
def test_what_would_be_right_in_a_text_that_isnt_kept_is_checked_by_its_length(endpoint, mia):
    found = taken_in(endpoint, value={"spans": []}, labels=[])
    Prediction.objects.filter(pk=found.pk).update(text=None)
    label = queries.labels_of(found.version)[0]

    def tell(end: int) -> Feedback:
        value = {"spans": [{"start": 0, "end": end, "label": label}]}
        return actions.record_feedback(prediction_id=found.uuid, right=False, value=value, actor=mia)

    with refused("value", by=BadAnswer):
        tell(len(TEXT) + 1)
    assert tell(len(TEXT)).value["spans"][0]["end"] == len(TEXT)


@pytest.mark.parametrize("task", ["ranking"])
def test_a_right_order_has_each_of_the_ranked_candidates_once(prediction, mia):
    for order in ([0, 1], [0, 1, 2, 3], [0, 0, 1]):
        with refused("value", by=BadAnswer):
            actions.record_feedback(
                prediction_id=prediction.uuid, right=False, value={"ranking": order}, actor=mia
            )
