"""Pages of sweeps, for each role and state."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from lifecycle.modeling.training import actions, search, sweep_charts
from lifecycle.modeling.training.models import Run, Sweep
from lifecycle.modeling.training.search import Choices, Range
from lifecycle.modeling.training.sweep_charts import Mark
from lifecycle.runtime.task_types.single_label.measures import MACRO_F1
from tests.support.jobs import run_jobs
from tests.support.sweeps import make_sweep, run_trials
from tests.support.training import make_run

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def going(snapshot, base, mia) -> Sweep:
    """Sweep 1, with four of nine trials finished."""
    return run_trials(
        make_sweep(snapshot, mia, base=base, trials=9, warmup_trials=1), 0.7, "pruned", 0.9, "failed"
    )


@pytest.fixture
def finished(going, snapshot, base, mia) -> Sweep:
    """Sweep 2, with both trials finished."""
    return run_trials(make_sweep(snapshot, mia, base=base, trials=2), 0.7, 0.8)


@pytest.fixture
def ten(finished, snapshot, base, mia) -> Sweep:
    """Sweep 3, with enough scored trials for importances."""
    return run_trials(make_sweep(snapshot, mia, base=base, trials=10), *(0.5 + at / 100 for at in range(10)))


def page_of(client, sweep: Sweep) -> str:
    return client.get(f"/runs/sweeps/{sweep.uuid}/").content.decode()


@pytest.fixture
def shown(snapshot, base, mia) -> dict[str, object]:
    """The initial form's data as the browser sends it."""
    client = Client()
    client.force_login(mia)
    form = client.get("/runs/sweeps/new/", {"dataset_version": snapshot.uuid, "strategy": "lora"}).context[
        "form"
    ]
    values = {
        name: value
        for name in form.fields
        if (value := form[name].value()) is not None and value is not False
    }
    return {"dataset_version": snapshot.uuid, "base": base.uuid, "strategy": "lora"} | values


# ── The form ────────────────────────────────────────────────────────────────
def test_the_default_form_starts_one_sweep_if_sent_twice(client_for, shown, mia):
    client = client_for(mia)
    data = shown | {
        "epochs": "2",
        "trials": 7,
        "minutes": 90,
        "sampler": "random",
        "seed": 5,
        "note": "First",
    }

    first, second = (client.post("/runs/sweeps/new/", data) for _ in range(2))

    sweep = Sweep.objects.get()
    assert first["Location"] == second["Location"] == f"/runs/sweeps/{sweep.uuid}/"
    assert sweep.space == {
        "learning_rate": {"low": 0.0004, "high": 0.01, "log": True},
        "head_learning_rate": {"low": 0.002, "high": 0.05, "log": True},
        "batch_size": {"choices": [8, 16, 32]},
        "rank": {"choices": [4, 8, 16]},
    }
    assert (sweep.options["epochs"], sweep.options["dora"], sweep.options["pooling"]) == (2, False, "mean")
    assert (sweep.trials_wanted, sweep.minutes, sweep.sampler, sweep.seed, sweep.prunes, sweep.note) == (
        7,
        90,
        "random",
        5,
        True,
        "First",
    )


def test_a_form_resent_with_other_settings_warns_and_starts_on_the_next_submit(client_for, shown, mia):
    client = client_for(mia)
    client.post("/runs/sweeps/new/", shown)

    back = client.post("/runs/sweeps/new/", shown | {"trials": 7})

    form = back.context["form"]
    assert back.status_code == 422
    assert len(form.non_field_errors()) == 1
    assert form["key"].value() != str(shown["key"])
    assert Sweep.objects.count() == 1
    client.post("/runs/sweeps/new/", shown | {"trials": 7, "key": form["key"].value()})
    assert list(Sweep.objects.order_by("id").values_list("trials_wanted", flat=True)) == [20, 7]


def test_errors_are_shown_at_their_fields_and_start_nothing(client_for, shown, mia):
    client = client_for(mia)
    cases = {
        "rank": ("4, 1000", "Must be from 1 to 256, got 1000."),
        "batch_size": ("few", "“few” isn't a whole number."),
        "learning_rate": ("0.1 to 0.01", "low must be less than high, got 0.1 to 0.01."),
        "trials": (0, "Must be from 1 to 200, got 0."),
    }
    for name, (value, message) in cases.items():
        answer = client.post("/runs/sweeps/new/", shown | {name: value}, **HTMX)
        assert answer.status_code == 422
        assert message in " ".join(answer.context["form"].errors.get(name, [])), dict(
            answer.context["form"].errors
        )

    assert not Sweep.objects.exists()


def test_each_strategy_offers_its_search_space(client_for, base, mia):
    client = client_for(mia)

    offered = {
        strategy: list(client.get("/runs/sweeps/new/", {"strategy": strategy}).context["form"].space)
        for strategy in Run.Strategy.values
    }

    assert offered["full"] == ["learning_rate", "head_learning_rate", "batch_size", "warmup_fraction"]
    assert offered["adapter"] == ["learning_rate", "head_learning_rate", "batch_size", "width"]
    assert offered["head"] == ["head_learning_rate", "batch_size", "label_smoothing"]


def test_an_analyst_has_no_data_to_search_on(client_for, snapshot, base, ana):
    answer = client_for(ana).post(
        "/runs/sweeps/new/", {"dataset_version": snapshot.uuid, "base": base.uuid, "key": uuid.uuid4()}
    )

    assert (answer.status_code, answer.context["snapshots"], "form" in answer.context) == (422, [], False)
    assert not Sweep.objects.exists()


# ── A sweep's page ──────────────────────────────────────────────────────────
def test_a_new_sweep_describes_the_next_step(client_for, snapshot, mia):
    sweep = make_sweep(snapshot, mia)

    answer = client_for(mia).get(f"/runs/sweeps/{sweep.uuid}/")

    shown, page = answer.context, answer.content.decode()
    assert (shown["active"], shown["current"], shown["best"], shown["lines"]) == (True, None, None, [])
    assert shown["charts"] == {"scored": 0, "needed": 10}
    assert shown["figures"][-1].value is None
    assert '<progress value="0" max="3"' in page
    assert page.count('class="empty"') == 3
    assert f'hx-get="/runs/sweeps/{sweep.uuid}/live/?ended=0" hx-trigger="every 2s"' in page


def test_a_running_sweep_shows_its_best_and_polls_until_a_trial_has_ended(client_for, going, mia):
    client = client_for(mia)

    answer = client.get(f"/runs/sweeps/{going.uuid}/")
    same, later = (client.get(f"/runs/sweeps/{going.uuid}/live/?ended={ended}", **HTMX) for ended in (4, 3))

    best, pruned = Run.objects.get(trial=3), Run.objects.get(trial=2)
    page, charts = answer.content.decode(), answer.context["charts"]
    assert answer.context["figures"][1].sub.replace("\xa0", " ") == "2 succeeded, 1 failed, 1 pruned"
    assert (answer.context["best"], pruned.error["code"]) == (best, "pruned")
    assert escape(pruned.error["message"]) in page
    assert (charts["scored"], charts["needed"], charts["importance"]) == (2, 10, None)
    assert f'href="/runs/launch/?like={best.uuid}"' in page
    assert b"<html" not in same.content
    assert b'<progress value="4" max="9"' in same.content
    assert later["HX-Redirect"] == f"/runs/sweeps/{going.uuid}/"


def test_trials_are_sorted_by_score(client_for, going, mia):
    lines = client_for(mia).get(f"/runs/sweeps/{going.uuid}/").context["lines"]

    assert [(line.run.trial, line.score, line.best) for line in lines] == [
        (3, 0.9, True),
        (1, 0.7, False),
        (2, None, False),
        (4, None, False),
        (5, None, False),
    ]
    spec = lines[0].run.spec
    assert lines[0].settings == [
        ("Learning rate (encoder)", search.format_value(spec["learning_rate"])),
        ("Batch size", search.format_value(spec["batch_size"])),
        ("LoRA rank", search.format_value(spec["strategy"]["rank"])),
    ]


def test_an_ended_or_failed_sweep_shows_the_reason_and_stops_polling(
    client_for, finished, snapshot, base, mia
):
    failed = run_trials(make_sweep(snapshot, mia, base=base, trials=9), "failed", "failed", "failed")
    client = client_for(mia)

    running = page_of(client, make_sweep(snapshot, mia, base=base))

    pages = [page_of(client, sweep) for sweep in (finished, failed)]

    failed.refresh_from_db()
    best = finished.trials.get(trial=2)
    assert '<progress value="2" max="2"' in pages[0]
    assert f'href="{reverse("catalog:register_run", args=[best.uuid])}"' in pages[0]
    assert (finished.state, failed.state) == ("finished", "failed")
    assert f'role="alert"><strong>{failed.ending["message"]}</strong>' in pages[1]
    assert '/register/"' not in pages[1]
    assert ("/live/" in running, 'id="cancel-sweep"' in running) == (True, True)
    for page in pages:
        assert "/live/" not in page
        assert page.count('<button class="btn" type="button" aria-disabled="true" title="') == 1
        assert 'id="cancel-sweep"' not in page
    assert (
        client.get(f"/runs/sweeps/{finished.uuid}/live/?ended=2", **HTMX)["HX-Redirect"]
        == f"/runs/sweeps/{finished.uuid}/"
    )


def test_importance_is_drawn_from_ten_scored_trials_on(client_for, ten, mia):
    charts = client_for(mia).get(f"/runs/sweeps/{ten.uuid}/").context["charts"]

    assert sum(charts["importance"].figure["data"][0]["x"]) == pytest.approx(1)
    assert (
        charts["importance"].caption
        == "PED-ANOVA importance for reaching the best 5 of 10 scored trials, as shares."
    )


def test_the_query_count_of_the_page_does_not_grow_with_trials(
    client_for, going, finished, ten, snapshot, base, mia
):
    client = client_for(mia)
    few = run_trials(make_sweep(snapshot, mia, base=base, trials=9, warmup_trials=1), 0.7)
    live = "/runs/sweeps/{}/live/?ended={}"
    pairs = [
        [f"/runs/sweeps/{sweep.uuid}/" for sweep in (finished, ten)],
        [live.format(few.uuid, 1), live.format(going.uuid, 4)],
    ]
    for addresses in pairs:
        counts = []
        headers = HTMX if "live" in addresses[0] else {}
        client.get(addresses[0], **headers)
        for address in addresses:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(address, **headers).status_code == 200
            counts.append(len(captured))

        assert counts[0] == counts[1] > 5


def test_strangers_get_404_and_readers_cannot_cancel(client_for, snapshot, mia, ana, otto):
    sweep = run_trials(make_sweep(snapshot, mia))

    assert client_for(otto).get(f"/runs/sweeps/{sweep.uuid}/").status_code == 404
    assert client_for(otto).post(f"/runs/sweeps/{sweep.uuid}/cancel/").status_code == 404
    assert client_for(ana).get(f"/runs/sweeps/{sweep.uuid}/").status_code == 200
    assert client_for(ana).post(f"/runs/sweeps/{sweep.uuid}/cancel/").status_code == 403
    sweep.refresh_from_db()
    assert (sweep.state, Run.objects.get().state) == ("running", "queued")


@pytest.mark.postgres
def test_a_sweep_is_cancelled_from_its_page(client_for, snapshot, mia):
    sweep = run_trials(make_sweep(snapshot, mia))
    client = client_for(mia)

    answer = client.post(f"/runs/sweeps/{sweep.uuid}/cancel/")

    assert answer["Location"] == f"/runs/sweeps/{sweep.uuid}/"
    sweep.refresh_from_db()
    assert (sweep.state, sweep.trials.count()) == ("cancelled", 1)
    assert sweep.ending["message"] in page_of(client, sweep)
    assert Run.objects.get().state == "stopped"


# ── Lists, runs and the launch form ─────────────────────────────────────────
def test_trials_are_listed_under_their_sweep_and_not_among_runs(
    client_for, going, finished, snapshot, base, mia
):
    alone = make_run(snapshot, mia, base=base, succeeded=False)
    client = client_for(mia)

    runs, sweeps = (client.get(path) for path in ("/runs/", "/runs/sweeps/"))

    assert [line.run for line in runs.context["lines"]] == [alone]
    assert [(each, each.ended, each.best) for each, _ in sweeps.context["lines"]] == [
        (finished, 2, 0.8),
        (going, 4, 0.9),
    ]


def test_the_query_count_of_the_list_does_not_grow_with_sweeps(client_for, snapshot, mia):
    client = client_for(mia)
    empty = client.get("/runs/sweeps/")
    assert (empty.context["lines"], empty.content.count(b'class="empty"')) == ([], 1)
    make_sweep(snapshot, mia)
    client.get("/runs/sweeps/")
    with CaptureQueriesContext(connection) as one:
        client.get("/runs/sweeps/")
    for _ in range(3):
        make_sweep(snapshot, mia)
    run_jobs("default")
    with CaptureQueriesContext(connection) as many:
        client.get("/runs/sweeps/")

    assert len(many) == len(one)


def test_the_page_of_a_trial_links_to_its_sweep(client_for, going, mia):
    pruned = Run.objects.get(trial=2)

    answer = client_for(mia).get(f"/runs/{pruned.uuid}/")

    page = answer.content.decode()
    assert f'trial 2 of <a href="/runs/sweeps/{going.uuid}/">Sweep 1</a>' in page
    assert f'role="alert"><strong>{pruned.error["message"]}</strong>' in page
    assert "0.200" in pruned.error["message"]
    assert answer.context["acts"]["resume"]
    assert f'action="/runs/{pruned.uuid}/resume/"' not in page


def test_the_settings_of_a_run_prefill_the_launch_form(client_for, snapshot, base, mia):
    run = actions.launch(
        snapshot=snapshot,
        base=base,
        strategy="adapter",
        actor=mia,
        options={"width": 12, "learning_rate": 0.003, "epochs": 3},
    )
    client = client_for(mia)

    like = client.get("/runs/launch/", {"like": run.uuid}).context
    other = client.get("/runs/launch/", {"like": run.uuid, "strategy": "full"}).context
    unknown = client.get("/runs/launch/", {"like": "nothing"}).context

    assert (like["strategy"], like["form"]["width"].value(), like["form"]["learning_rate"].value()) == (
        "adapter",
        12,
        0.003,
    )
    assert like["form"].fields["epochs"].help_text == "As in Run 1."
    assert (other["strategy"], other["form"]["learning_rate"].value()) == ("full", 0.0002)
    assert unknown["strategy"] == "lora"


# ── Charts ──────────────────────────────────────────────────────────────────
SPACE = {"learning_rate": Range(0.0001, 0.01, log=True), "rank": Range(2, 10), "dora": Choices((False, True))}
LABELS = {"learning_rate": "Learning rate", "rank": "Rank", "dora": "DoRA"}


def mark(
    number: int, value: float, scored: bool = True, rate: float = 0.001, rank: int = 6, dora: bool = True
) -> Mark:
    return Mark(number, {"learning_rate": rate, "rank": rank, "dora": dora}, value, scored)


MARKS = [
    mark(1, 0.6),
    mark(2, 0.3, scored=False),
    mark(3, 0.9, rate=0.0001, rank=10, dora=False),
    mark(4, 0.8),
]


def test_the_history_shows_each_score_and_the_best_so_far():
    chart = sweep_charts.history(MARKS, MACRO_F1, wanted=6)

    best, scored, pruned = chart.figure["data"]
    assert (best["x"], best["y"]) == ([1, 3, 4, 4], [0.6, 0.9, 0.9, 0.9])
    assert (scored["x"], scored["y"], pruned["x"], pruned["y"]) == ([1, 3, 4], [0.6, 0.9, 0.8], [2], [0.3])
    assert chart.alt == "Trial 3 is the best, with a macro-F1 of 0.900 on validation."
    assert chart.rows == [
        [1, "0.6000", "0.6000", ""],
        [2, "0.3000", "", "pruned"],
        [3, "0.9000", "0.9000", ""],
        [4, "0.8000", "0.9000", ""],
    ]


def test_parallel_coordinates_place_each_value_on_its_own_axis():
    chart = sweep_charts.parallel(SPACE, LABELS, MARKS, MACRO_F1)

    lines = {trace["name"]: trace["y"] for trace in chart.figure["data"]}
    assert lines["best"] == [0.0, 1.0, 0.0, 1.0, None]
    assert lines["better half"] == pytest.approx([0.5, 0.5, 1.0, 0.5 / 0.6, None])
    assert lines["lower half"] == pytest.approx([0.5, 0.5, 1.0, 0.5, None])
    assert lines["pruned"] == pytest.approx([0.5, 0.5, 1.0, 0.0, None])
    assert chart.lead == "Best: Rate 0.0001; Rank 10; DoRA off."
    assert [note["text"] for note in chart.figure["layout"]["annotations"]] == [
        "0.0001",
        "0.01",
        "2",
        "10",
        "off",
        "on",
        "0.300",
        "0.900",
    ]
    assert chart.rows[0] == [1, "0.001", "6", "on", "0.6000"]


def test_importance_is_sorted_by_share():
    chart = sweep_charts.importance({"rank": 0.75, "dora": 0.25}, LABELS, trials=12)

    assert (chart.lead, chart.figure["data"][0]["y"], chart.figure["data"][0]["x"]) == (
        "Rank mattered most, 75\xa0%.",
        ["DoRA", "Rank"],
        [0.25, 0.75],
    )


@pytest.mark.postgres
def test_a_list_without_single_runs_links_to_sweeps(client_for, snapshot, mia):
    sweep = make_sweep(snapshot, mia)
    run_trials(sweep)

    answer = client_for(mia).get("/runs/")

    assert (answer.context["lines"], answer.context["only_trials"]) == ([], True)
    assert 'class="btn" href="/runs/sweeps/"' in answer.content.decode()
