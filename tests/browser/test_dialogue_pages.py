"""The pages of a run that learns dialogues: they fit, can be read by everybody, and earlier turns open on demand."""

from __future__ import annotations

from itertools import chain

import pytest
from playwright.sync_api import expect

from lifecycle.evaluation import actions, queries
from tests.lifecycle.training.test_launch_chat import TOOLS
from tests.support.browser import loaded_on_a_phone, shuts_nobody_out
from tests.support.jobs import run_ok
from tests.support.written import chat_snapshot, make_decoder, make_written_run

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "Tell me everything about the card, the office and the order. " * 30


@pytest.fixture
def runs(project, mia):
    asked = [{"role": "user", "content": LONG}, {"role": "assistant", "content": "Which one?\n\n1. the card\n2. the office"}]
    more = [[*asked, {"role": "user", "content": f"the card {n}"}, {"role": "assistant", "content": "call us"}] for n in range(12)]
    more += [[{"role": "user", "content": f"where {n}"}, *TOOLS[1:]] for n in range(12)]
    snapshot, base = chat_snapshot(project, mia, copies=8, more=more), make_decoder(project, mia)
    return [make_written_run(snapshot, mia, base, quality=share, seed=seed) for seed, share in ((1, 0.2), (2, 0.9))]


def test_the_turns_before_a_question_open_on_demand(opened, runs, mia):
    evaluation = queries.latest_evaluation(runs[0], "test")
    page = opened(f"/evaluations/{evaluation.uuid}/answers/", mia)
    first = page.locator("tbody tr").first
    expect(first.get_by_text("please", exact=True)).to_be_hidden()

    first.get_by_text("turns before").click()

    expect(first.locator("details p").first).to_be_visible()


def test_the_pages_fit_and_can_be_read_by_everybody(opened, runs, ana, mia):
    first, second = (queries.latest_evaluation(run, "test") for run in runs)
    side = actions.ask_people(first=first, second=second, actor=mia, pairs=10)
    run_ok("default")
    side = actions.open_side_by_side(side_id=side.uuid, actor=mia)
    paths = {
        "dialogue-launch": f"/runs/launch/?snapshot={runs[0].snapshot.uuid}",
        "dialogue-run": f"/runs/{runs[0].uuid}/",
        "dialogue-evaluation": f"/evaluations/{first.uuid}/",
        "dialogue-answers": f"/evaluations/{first.uuid}/answers/",
        "dialogue-compare": f"/evaluations/compare/?a={first.uuid}&b={second.uuid}",
    }
    bench = {"dialogue-bench": f"/labeling/{side.queue.uuid}/bench/"}

    for name, page in chain(loaded_on_a_phone(opened, paths, mia), loaded_on_a_phone(opened, bench, ana)):
        for fold in page.locator("details:has(p.written) summary").all()[:3]:
            fold.click()
        shuts_nobody_out(page, name)
