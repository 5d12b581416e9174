"""Robustness of models of every task, and the words of several classes: legible in both schemes, at both widths."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lifecycle.compute import warm
from lifecycle.evaluation import actions
from lifecycle.evaluation.models import Analysis
from lifecycle.evaluation.task_types.by_key.rows import rows_for
from tests.support.browser import NARROW, shuts_nobody_out
from tests.support.evaluations import made_probes
from tests.support.jobs import run_ok
from tests.support.probes import TASKS, flip, items_of, measured

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("task", TASKS[1:])
def test_probes_of_each_task_fit_and_can_be_read_by_everybody(opened, project, mia, task):
    evaluation = measured(task, project, mia)
    items = items_of(evaluation)
    made_probes(evaluation, mia, [flip(task, item, probe, at / 10) for at, item in enumerate(items[:4]) for probe in ("typos", "half")])

    page = opened(f"/evaluations/{evaluation.uuid}/", mia, width=NARROW, scheme="dark")

    page.get_by_role("link", name="Robustness", exact=True).click()
    page.get_by_role("link", name="flips of Typos").click()

    expect(page.get_by_role("heading", name="Flips: Typos")).to_be_visible()
    shuts_nobody_out(page, f"robustness-{task}")


def test_the_words_of_a_class_are_chosen(opened, project, mia, monkeypatch):
    evaluation = measured("multi_label", project, mia)
    words = [{"start": 0, "end": 2, "effect": 1.5}, {"start": 3, "end": 5, "effect": -0.7}]
    one = {"log_odds": 2.0, "empty": 0.1, "words": words, "found": 5}
    classes = [one | {"answer": "card", "given": True}, one | {"answer": "refund", "given": False, "words": words[:1]}]
    monkeypatch.setattr(warm, "explain", lambda *_: {"classes": classes})
    item = items_of(evaluation)[0]
    actions.analyse(evaluation=evaluation, kind=Analysis.Kind.WORDS, actor=mia, item=item)
    run_ok("default")

    page = opened(f"/evaluations/{evaluation.uuid}/words/?item={item}", mia, width=NARROW, scheme="dark")

    page.get_by_role("link", name="refund (not given)").click()

    expect(page.get_by_text("speaks for refund, which wasn't predicted")).to_be_visible()
    shuts_nobody_out(page, "words-several")


def test_the_words_around_a_span_are_reached_from_its_row(opened, project, mia, monkeypatch):
    evaluation = measured("spans", project, mia)
    one = {"answer": "thing", "confidence": 0.9, "log_odds": 2.0, "empty": 0.1, "found": 5}
    words = [{"start": 0, "end": 2, "effect": 1.5}]
    parts = [one | {"start": 3, "end": 5, "words": words}, one | {"start": 6, "end": 8, "words": words, "answer": "wish"}]
    monkeypatch.setattr(warm, "explain", lambda *_: {"parts": parts})
    for item in items_of(evaluation):
        if rows_for(evaluation).one(evaluation, item).found:
            actions.analyse(evaluation=evaluation, kind=Analysis.Kind.WORDS, actor=mia, item=item)
    run_ok("default")

    page = opened(f"/evaluations/{evaluation.uuid}/items/?kind=exact", mia, width=NARROW, scheme="dark")

    page.get_by_role("link", name="explain").first.click()

    expect(page.get_by_role("heading", name="Span", exact=True)).to_be_visible()
    shuts_nobody_out(page, "words-spans")
