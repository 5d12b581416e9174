"""Endpoints of tasks with more than one label, and requests that they answered, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from lifecycle.runtime.inference.answering import inputs
from lifecycle.runtime.task_types.by_key.decoding import decoding_of
from lifecycle.runtime.task_types.by_key.served import served_of
from monitoring.traffic import actions as traffic
from monitoring.traffic.models import Prediction
from registry.catalog import actions as catalog
from registry.catalog.models import Alias, Endpoint, ModelVersion
from registry.ground.access.models import Project, User
from tests.support import endpoints, generation, ranking, registry, spans, training
from tests.support.jobs import run_ok
from tests.support.people import make_project


def strengths(*rows: Sequence[float]) -> np.ndarray:
    """Logits of rankings, NaN where a row has fewer candidates."""
    made = np.full((len(rows), max(map(len, rows))), np.nan)
    for at, row in enumerate(rows):
        made[at, : len(row)] = row
    return made


@dataclass(frozen=True)
class Case:
    """rows: of a request, as the server reads them; the first is predicted wrong. entries: what the server
    spools for them. right: of the first. words: the same as people read it. item: what it becomes.
    """

    snapshot: Callable[..., Any]
    rows: list[Any]
    entries: list[dict[str, Any]]
    right: dict[str, Any]
    words: str
    item: dict[str, Any] | None


def ranked(task: str, *rows: Sequence[float]) -> list[dict[str, Any]]:
    """What the server spools for these strengths."""
    decoded, card = strengths(*rows), SimpleNamespace(labels=())
    return served_of(task).spooled(decoded, decoding_of(task).predictions(decoded, card), card)


CARD = SimpleNamespace(labels=("card", "login", "refund"), thresholds=(0.5, 0.5, 0.5))
SPANS = SimpleNamespace(labels=("thing", "wish"))
THREE = ("Wait a day.", "Block it in the app.", "No idea.")
CASES = {
    "ranking": Case(
        lambda *who: ranking.ranking_snapshot(*who, task="ranking"),
        [("Where is my new card?", *THREE), ("Refund?", "Five days.", "Soon."), ("Hello", "Hello.", "Hi.")],
        ranked("ranking", (3.0, 1.0, 2.0), (2.0, 1.0), (0.0, 1.0)),
        {"ranking": [1, 0, 2]},
        "2 > 1 > 3",
        {"prompt": "Where is my new card?", "responses": list(THREE)},
    ),
    "preference": Case(
        ranking.ranking_snapshot,
        [('[{"not": "a chat"}]', "Yes.", "No."), ("Refund?", "Five days.", "Soon.")],
        ranked("preference", (2.0, 1.0), (1.0, 1.0)),
        {"choice": "second"},
        "the second response",
        {"prompt": '[{"not": "a chat"}]', "responses": ["Yes.", "No."]},
    ),
    "multi_label": Case(
        training.multi_label_snapshot,
        ["a stolen card and money", "hello again friend", "password of the account gone"],
        served_of("multi_label").spooled(
            decoded := np.array([[0.9, 0.1, 0.4], [0.2, 0.1, 0.1], [0.1, 0.8, 0.2]]),
            decoding_of("multi_label").predictions(decoded, CARD),
            CARD,
        ),
        {"labels": ["card", "refund"]},
        "card, refund",
        None,
    ),
    "spans": Case(
        spans.spans_snapshot,
        ["a stolen card of mine", "hello again friend"],
        served_of("spans").spooled(None, [{"spans": []}] * 2, SPANS),
        {"spans": [{"start": 9, "end": 13, "label": "thing"}]},
        "thing",
        None,
    ),
}


def live_of(task: str) -> Endpoint:
    """An endpoint on which a version of the task is live, trained by Mia on a real dataset version."""
    project = make_project()
    crew = endpoints.Crew(project)
    snapshot = CASES[task].snapshot(project, crew.mia)
    run = training.make_run(snapshot, crew.mia, splits=("test",))
    model = registry.make_model(project, crew.mia)
    catalog.register(model=model, run=run, semver="1.0.0", actor=crew.mia, stated=registry.STATED)
    run_ok("default")
    endpoint = registry.make_endpoint(model, crew.mia, slug=f"{task}-prod".replace("_", "-"))
    Alias.objects.filter(endpoint=endpoint).update(version=ModelVersion.objects.get(model=model))
    return Endpoint.objects.get(pk=endpoint.pk)


def spooled(
    endpoint: Endpoint,
    task: str,
    rows: Sequence[Any],
    entries: Sequence[dict[str, Any]],
    *,
    keep_text: bool = True,
) -> dict[str, Any]:
    """The line of one request, with what the server writes of its rows and predictions."""
    count = len(rows)
    made = SimpleNamespace(tokens=[4] * count, oov=[0.0] * count, truncated=[False] * count)
    live = SimpleNamespace(endpoint=SimpleNamespace(keep_text=keep_text))
    exchange: Any = SimpleNamespace(rows=rows, prediction=made, live=live)
    outputs = {"rows": count, "inputs": inputs(exchange, served_of(task)), "outputs": list(entries)}
    return endpoints.spool_line(endpoint) | outputs


def asked(endpoint: Endpoint, *lines: dict[str, Any]) -> list[Prediction]:
    """The endpoint's predictions, oldest first, once these lines are taken in."""
    endpoints.write_segment(*lines)
    traffic.ingest()
    return list(Prediction.objects.filter(endpoint=endpoint).order_by("id"))


def asked_case(endpoint: Endpoint, task: str) -> list[Prediction]:
    """The predictions of the task's request in CASES."""
    case = CASES[task]
    return asked(endpoint, spooled(endpoint, task, case.rows, case.entries))


ASKED, ANSWER = "where is my order", "look at your account"


def generated(
    endpoint: Endpoint, *, keep_text: bool = True, text: str = ANSWER, **more: Any
) -> dict[str, Any]:
    """The spool's line of a generated response."""
    answers = [{"text": text, "finish": "stop", "tokens": 5, "confidence": 0.5}]
    entries = served_of("generation").spooled(answers, answers, None)
    if not keep_text:
        entries = [{name: value for name, value in each.items() if name != "value"} for each in entries]
    return spooled(endpoint, "generation", [ASKED], entries, keep_text=keep_text) | more


def writing_endpoint(project: Project, engineer: User) -> Endpoint:
    """One whose version 1.0.0 writes text, and that keeps texts."""
    run = generation.make_generation_run(
        generation.generation_snapshot(project, engineer),
        engineer,
        generation.make_decoder(project, engineer),
        splits=("test",),
    )
    model = registry.make_model(project, engineer)
    catalog.register(model=model, run=run, semver="1.0.0", actor=engineer, stated=registry.STATED)
    run_ok("default")
    endpoint = registry.make_endpoint(model, engineer, slug="writer-prod")
    Endpoint.objects.filter(pk=endpoint.pk).update(keep_text=True)
    Alias.objects.filter(endpoint=endpoint).update(version=ModelVersion.objects.get(model=model))
    return Endpoint.objects.get(pk=endpoint.pk)
