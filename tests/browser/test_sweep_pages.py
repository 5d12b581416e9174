"""A search for settings is started on its form and read on its page, by everybody."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lifecycle.modeling.training.models import Sweep
from tests.support.browser import is_accessible, loaded_on_a_phone
from tests.support.sweeps import make_sweep, run_trials
from tests.support.training import make_base, make_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SCORES = (0.71, 0.84, 0.79, "pruned", 0.88, 0.9, "failed", 0.86, 0.91, 0.9, 0.89, 0.92)


@pytest.fixture
def snapshot(project, mia):
    return make_snapshot(project, mia)


def test_a_sweep_is_started_from_the_form_and_cancelled_on_its_page(opened, snapshot, mia):
    make_base(snapshot.dataset.project, mia)
    page = opened("/runs/sweeps/new/", mia)

    page.get_by_label("Bottleneck adapters").check()
    expect(page.get_by_label("Adapter width")).to_have_value("24, 48, 96")
    page.get_by_label("Trials", exact=True).fill("4")
    page.get_by_label("Adapter width").fill("8, 12")
    page.get_by_role("button", name="Start sweep").click()
    expect(page.get_by_text("0 of 4 trials finished")).to_be_visible()
    page.get_by_role("button", name="Cancel sweep").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel sweep").click()
    expect(page.get_by_text("0 of 4 trials had been started.")).to_be_visible()

    sweep = Sweep.objects.get()
    assert (sweep.strategy, sweep.space["width"], sweep.state) == (
        "adapter",
        {"choices": [8, 12]},
        "cancelled",
    )


def test_the_pages_of_each_state_fit_and_can_be_read_by_everybody(opened, snapshot, mia):
    states = {
        "empty": make_sweep(snapshot, mia),
        "running": run_trials(make_sweep(snapshot, mia, trials=12, warmup_trials=1), *SCORES[:6]),
        "done": run_trials(
            make_sweep(snapshot, mia, trials=12, warmup_trials=1, note="Which rate?"), *SCORES
        ),
        "failed": run_trials(make_sweep(snapshot, mia, trials=9), "failed", "failed", "failed"),
    }
    paths = {f"sweep-{name}": f"/runs/sweeps/{sweep.uuid}/" for name, sweep in states.items()}
    paths |= {"sweep-new": "/runs/sweeps/new/", "sweep-list": "/runs/sweeps/", "sweep-runs": "/runs/"}

    for name, page in loaded_on_a_phone(opened, paths, mia):
        is_accessible(page, name)


def test_the_best_settings_fill_the_launch_form(opened, snapshot, mia):
    sweep = run_trials(make_sweep(snapshot, mia, trials=2), 0.7, 0.9)
    page = opened(f"/runs/sweeps/{sweep.uuid}/", mia)

    page.get_by_role("link", name="Use these settings").click()

    rank = sweep.trials.get(trial=2).spec["strategy"]["rank"]
    expect(page.get_by_label("LoRA rank")).to_have_value(str(rank))
    expect(page.get_by_text("As in Run 2.").first).to_be_visible()
