"""Which words of a request its prediction depends on, for people who may read its text."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from lifecycle.ground.compute import warm
from lifecycle.ground.compute.child import Result
from lifecycle.ground.jobs.models import Job
from lifecycle.roof.trace import actions, attributions, queries
from lifecycle.roof.trace.models import Attribution
from lifecycle.runtime.engine.spec import ExplainSpec
from monitoring.traffic.models import Prediction
from tests.support import asked
from tests.support.jobs import run_ok
from tests.support.unchanged import refused

TEXT = "my refund is late"
WORDS = [{"start": 0, "end": 2, "effect": -0.6}, {"start": 3, "end": 9, "effect": 1.5}]
FOUND = {"answer": "card", "log_odds": 2.0, "empty": 0.25, "words": WORDS, "found": 4}


def shown(found):
    return [(each.title, each.full, [(part.text, part.effect) for part in each.words]) for each in found]


@pytest.mark.parametrize(
    ("row", "report", "expected"),
    [
        ({"text": TEXT}, FOUND, [("card", 2.0, [("refund", 1.5), ("my", -0.6)])]),
        (
            {"text": TEXT},
            {"classes": [FOUND, FOUND | {"answer": "late", "given": False}]},
            [
                ("card", 2.0, [("refund", 1.5), ("my", -0.6)]),
                ("late (not predicted)", 2.0, [("refund", 1.5), ("my", -0.6)]),
            ],
        ),
        (
            {"text": TEXT},
            {"parts": [FOUND | {"start": 3, "end": 9, "confidence": 0.9, "words": WORDS[:1]}]},
            [("“refund” card", 2.0, [("my", -0.6)])],
        ),
        (
            {"text": TEXT, "responses": ["Wait.", "No idea, sorry."]},
            {
                "responses": [
                    FOUND | {"answer": 1, "prompt": WORDS, "words": [{"start": 0, "end": 2, "effect": 4.0}]}
                ]
            },
            [("Candidate 2", 2.0, [("No", 4.0), ("refund", 1.5), ("my", -0.6)])],
        ),
        (
            {"text": TEXT, "answer": "Soon."},
            {"log_probability": -3.5, "empty": -9.0, "words": [each | {"turn": 0} for each in WORDS]},
            [("Response", -3.5, [("refund", 1.5), ("my", -0.6)])],
        ),
        (
            {
                "text": f"user: hi\nuser: {TEXT}",
                "answer": "Soon.",
                "messages": [
                    {"role": "user", "content": "hi"},
                    {"role": "user", "content": TEXT},
                    {"role": "assistant", "content": "Soon."},
                ],
            },
            {"log_probability": -3.5, "empty": -9.0, "words": [each | {"turn": 1} for each in WORDS]},
            [("Response", -3.5, [("refund", 1.5), ("my", -0.6)])],
        ),
    ],
    ids=["label", "labels", "spans", "candidates", "prompt", "chat"],
)
def test_each_part_of_a_prediction_has_its_words_strongest_first(row, report, expected):
    assert shown(attributions.explained(row, report)) == expected


@pytest.fixture
def engine(monkeypatch):
    """An engine in which the first two words matter; its inputs are recorded."""
    seen = []

    def explain(folder, text, timeout_seconds=0.0):
        assert (folder / "lifecycle.json").is_file()
        seen.append(text)
        span = FOUND | {"start": 2, "end": 8, "confidence": 0.9}
        return {"parts": [span]} if text == asked.CASES["spans"].rows[0] else FOUND

    def explain_responses(folder, text, responses, timeout_seconds=0.0):
        assert (folder / "lifecycle.json").is_file()
        seen.append((text, responses))
        return [FOUND | {"answer": 0, "prompt": WORDS, "words": []}]

    def run_child(ctx, verb, folder, on_events):
        seen.append(
            (json.loads((folder / "data.jsonl").read_text()), ExplainSpec.read(folder / "spec.json").ended)
        )
        words = [{"turn": 0, "start": 0, "end": 5, "effect": 4.0}]
        found = {"format": 1, "status": "succeeded", "error": None, "seconds": 0.1}
        found |= {
            "log_probability": -3.5,
            "empty": -9.25,
            "tokens": 7,
            "unit": "words",
            "size": 1,
            "found": 4,
        }
        return Result("succeeded", data=found | {"words": words})

    monkeypatch.setattr(warm, "explain", explain)
    monkeypatch.setattr(warm, "explain_responses", explain_responses)
    monkeypatch.setattr("lifecycle.modeling.evaluation.child.run_child", run_child)
    return seen


@pytest.fixture
def written(project, mia, omar):
    """A generated response."""
    endpoint = asked.writing_endpoint(project, mia)
    (found,) = asked.asked(endpoint, asked.generated(endpoint))
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("task", asked.CASES)
def test_any_task_is_explained_by_the_version_that_predicted(task, engine):
    case = asked.CASES[task]
    first, *_ = asked.asked_case(asked.live_of(task), task)
    engineer = first.version.registered_by

    actions.attribute_words(prediction=first, actor=engineer)
    run_ok("evaluation")

    text, *candidates = [case.rows[0]] if isinstance(case.rows[0], str) else case.rows[0]
    assert engine == [(text, candidates) if candidates else text]
    (one, *_) = queries.explained(Prediction.objects.select_related("version").get(pk=first.pk))
    assert [part.effect for part in one.words][:2] == [1.5, -0.6]


@pytest.mark.django_db
@pytest.mark.postgres
def test_a_generated_response_is_explained_with_its_prompt(written, engine, client_for, mia):
    page = reverse("trace:prediction", args=[written.uuid])

    answer = client_for(mia).post(reverse("trace:attribution", args=[written.uuid]))
    run_ok("evaluation")

    assert (answer.status_code, answer.url) == (302, page)
    assert engine == [({"text": asked.ASKED, "answer": asked.ANSWER}, True)]
    shown_page = client_for(mia).get(page)
    assert shown(shown_page.context["explained"]) == [("Response", -3.5, [("where", 4.0)])]
    assert '<mark class="for f3"' in " ".join(shown_page.content.decode().split())
    assert Attribution.objects.get().report["log_probability"] == -3.5


@pytest.mark.django_db
def test_a_second_request_returns_the_same_job_and_a_second_run_changes_nothing(written, engine, mia):
    jobs = {actions.attribute_words(prediction=written, actor=mia).pk for _ in range(2)}
    run_ok("evaluation")

    assert len(jobs) == Job.objects.filter(kind="trace.attribution").count() == 1
    assert Attribution.objects.count() == len(engine) == 1


@pytest.mark.django_db
def test_people_who_may_not_read_texts_see_and_start_nothing(written, engine, mia, omar, client_for):
    actions.attribute_words(prediction=written, actor=mia)
    run_ok("evaluation")

    page = client_for(omar).get(reverse("trace:prediction", args=[written.uuid]))
    answer = client_for(omar).post(reverse("trace:attribution", args=[written.uuid]))

    assert (page.status_code, page.context["explained"], answer.status_code) == (200, [], 403)
    assert Job.objects.filter(kind="trace.attribution").count() == 1


@pytest.mark.django_db
def test_words_are_gone_with_the_text(written, engine, mia):
    actions.attribute_words(prediction=written, actor=mia)
    run_ok("evaluation")
    Prediction.objects.filter(pk=written.pk).update(text=None, value=None)

    gone = Prediction.objects.select_related("version").get(pk=written.pk)

    assert queries.explained(gone) == []
    with refused():
        actions.attribute_words(prediction=gone, actor=mia)
