"""What is clicked and chosen on the pages of an evaluation, where its task has its own: figures open rows,
rows become a queue.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from lifecycle.ground.compute import warm
from lifecycle.ground.compute.child import Result
from lifecycle.modeling.evaluation import actions, queries
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.modeling.evaluation.task_types.generation.rows import ENTRY as ROWS
from lifecycle.modeling.evaluation.task_types.multi_label.page import most_mistaken
from lifecycle.modeling.evaluation.task_types.spans.rows import every
from tests.support.browser import is_accessible, loaded_on_a_phone, settled
from tests.support.generation import chat_snapshot, make_decoder, make_generation_run
from tests.support.jobs import run_ok
from tests.support.probes import items_of, measured
from tests.support.spans import spans_snapshot
from tests.support.training import make_run

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


# ── Multi label ─────────────────────────────────────────────────────────────
def test_what_a_label_misses_opens_its_rows(opened, project, mia):
    evaluation = measured("multi_label", project, mia)
    worst = max(evaluation.report["per_class"], key=lambda each: each["missed"])
    page = opened(f"/evaluations/{evaluation.uuid}/", mia)

    page.locator(f'main a[href*="true={worst["label"]}&wrong=1"]').first.click()

    expect(page.locator("#items tbody tr")).to_have_count(worst["missed"])


def test_a_threshold_of_another_label_is_chosen(opened, project, mia):
    evaluation = measured("multi_label", project, mia)
    page = opened(f"/evaluations/{evaluation.uuid}/threshold/", mia)

    expect(page.locator("select[name=label]")).to_have_value(most_mistaken(evaluation.report))
    page.locator("select[name=label]").select_option("login")
    expect(page).to_have_url(re.compile("label=login"))
    page.locator('a[href*="goal=recall"]').click()

    expect(page).to_have_url(re.compile("goal=recall"))
    expect(page.locator("select[name=label]")).to_have_value("login")


def test_the_words_of_a_label_are_chosen(opened, project, mia, monkeypatch):
    evaluation = measured("multi_label", project, mia)
    item = items_of(evaluation)[0]
    one = {"log_odds": 2.0, "empty": 0.1, "words": [{"start": 0, "end": 2, "effect": 1.5}], "found": 5}
    classes = [one | {"answer": "card", "given": True}, one | {"answer": "refund", "given": False}]
    monkeypatch.setattr(warm, "explain", lambda *_: {"classes": classes})
    actions.analyse(evaluation=evaluation, kind=Analysis.Kind.WORDS, actor=mia, item=item)
    run_ok("default")
    page = opened(f"/evaluations/{evaluation.uuid}/attribution/?item={item}", mia)

    page.locator('a[href*="for=refund"]').click()

    expect(page.locator('a[href*="for=refund"][aria-current]')).to_be_visible()


# ── Spans ───────────────────────────────────────────────────────────────────
@pytest.fixture
def spans_evaluation(project, mia):
    return queries.latest_evaluation(make_run(spans_snapshot(project, mia), mia, accuracy=0.5), "test")


def test_a_kind_of_mistake_opens_its_texts_with_both_spans_and_goes_to_a_queue(opened, spans_evaluation, mia):
    page = opened(f"/evaluations/{spans_evaluation.uuid}/", mia)

    page.locator('main a[href*="kind=boundary"]').first.click()

    expect(page.locator("#items mark.true.found").first).to_be_visible()
    page.locator("#items tbody input[name=item]").first.check()
    page.locator("#items form button, form:has(#items) button").last.click()
    expect(page).to_have_url(re.compile("item="))


def test_from_which_confidence_on_spans_are_kept_is_chosen_for_any_label_or_one(
    opened, spans_evaluation, mia
):
    page = opened(f"/evaluations/{spans_evaluation.uuid}/threshold/", mia)

    page.locator("input[name=target]").fill("0.6")
    page.locator("input[name=target]").press("Enter")
    settled(page)  # else its answer takes the place of the form in which the label is chosen
    page.locator("select[name=label]").select_option("wish")

    expect(page).to_have_url(re.compile("label=wish"))
    expect(page.locator("input[name=target]")).to_have_value("0.6")


def test_the_words_around_a_span_are_reached_from_its_row(opened, spans_evaluation, mia, monkeypatch):
    one = {"answer": "thing", "confidence": 0.9, "log_odds": 2.0, "empty": 0.1, "found": 5}
    parts = [one | {"start": 3, "end": 5, "words": [{"start": 0, "end": 2, "effect": 1.5}]}]
    monkeypatch.setattr(warm, "explain", lambda *_: {"parts": parts})
    for row in every(queries.rows_of(spans_evaluation)):
        if row.found:
            actions.analyse(evaluation=spans_evaluation, kind=Analysis.Kind.WORDS, actor=mia, item=row.item)
    run_ok("default")
    page = opened(f"/evaluations/{spans_evaluation.uuid}/items/?kind=exact", mia)

    page.locator('a[href*="/attribution/?item="]').first.click()

    expect(page.locator("mark.for").first).to_be_visible()


# ── Ranking ─────────────────────────────────────────────────────────────────
def test_mistakes_open_and_ticked_rows_become_a_queue_and_the_closest_are_chosen_without_a_button(
    opened, project, mia
):
    evaluation = measured("preference", project, mia)
    page = opened(f"/evaluations/{evaluation.uuid}/items/", mia)

    page.get_by_label("Order").select_option("close")
    page.wait_for_url(lambda url: "sort=close" in url)
    page.locator("#items tbody input[name=item]").first.check()
    page.locator("#items form button, form:has(#items) button").last.click()

    page.wait_for_url(lambda url: "/open/" in url and "item=" in url)


# ── Generation and chat ─────────────────────────────────────────────────────
def test_rows_are_found_by_a_score(opened, project, mia):
    evaluation = measured("generation", project, mia)
    found = queries.rows_of(evaluation)
    page = opened(f"/evaluations/{evaluation.uuid}/predictions/", mia)

    page.locator("input[name=high]").fill("0.5")
    page.locator("input[name=high]").press("Tab")

    expect(page.locator("#items tbody tr")).to_have_count(
        len(ROWS.find(found, {"sort": "rouge_l", "high": "0.5"}))
    )


def test_the_words_of_a_prompt_are_asked_for_from_its_row(opened, project, mia, monkeypatch):
    evaluation = measured("chat", project, mia)

    def run_child(ctx, verb, folder, on_events):
        words = [{"turn": 0, "start": 0, "end": 6, "effect": 2.5}]
        found = {
            "log_probability": -3.25,
            "empty": -14.5,
            "tokens": 7,
            "unit": "words",
            "size": 1,
            "words": words,
        }
        return Result("succeeded", data=found | {"found": 3, "taken": 1})

    monkeypatch.setattr("lifecycle.modeling.evaluation.child.run_child", run_child)
    page = opened(f"/evaluations/{evaluation.uuid}/predictions/", mia)

    page.locator('a[href*="/attribution/?item="]').first.click()
    ask = page.locator('main form[action*="/attribution/"] button')
    ask.click()
    expect(ask).to_have_count(0)
    run_ok("evaluation")
    page.reload()

    expect(page.locator("mark.for").first).to_be_visible()


def test_long_turns_open_on_demand_and_people_choose_between_two_dialogues(opened, project, ana, mia):
    long = {"role": "user", "content": "Tell me everything about the card, the office and the order. " * 30}
    asked = [long, {"role": "assistant", "content": "Which one?\n\n1. the card\n2. the office"}]
    more = [
        [*asked, {"role": "user", "content": f"the card {n}"}, {"role": "assistant", "content": "call us"}]
        for n in range(12)
    ]
    snapshot, base = chat_snapshot(project, mia, copies=8, more=more), make_decoder(project, mia)
    runs = [
        make_generation_run(snapshot, mia, base, quality=share, seed=seed)
        for seed, share in ((1, 0.2), (2, 0.9))
    ]
    first, second = (queries.latest_evaluation(run, "test") for run in runs)
    side = actions.ask_people(first=first, second=second, actor=mia, pairs=10)
    run_ok("default")
    side = actions.open_side_by_side(side_id=side.uuid, actor=mia)
    page = opened(f"/evaluations/{first.uuid}/predictions/", mia)

    fold = page.locator("tbody tr details").first
    expect(fold.locator("p").first).to_be_hidden()
    fold.locator("summary").click()
    expect(fold.locator("p").first).to_be_visible()

    for name, bench in loaded_on_a_phone(
        opened, {"dialogue-bench": f"/labeling/{side.queue.uuid}/bench/"}, ana
    ):
        for each in bench.locator("details:has(p.written) summary").all()[:3]:
            each.click()
        is_accessible(bench, name)
