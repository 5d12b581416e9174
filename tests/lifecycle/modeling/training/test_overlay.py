"""Overlaid curves of several runs, and the settings in which they differ."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lifecycle.modeling.training import charts, overlay_page
from tests.support.generation import generation_snapshot, make_decoder, make_generation_run
from tests.support.spans import spans_snapshot
from tests.support.training import make_run, repeated

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def runs(finished, snapshot, base, mia):
    other = make_run(snapshot, mia, base=base, strategy="full", splits=(), seed=3, accuracy=0.7, epochs=2)
    return [finished, other]


def address(*runs, **more):
    return "/runs/overlay/?" + "&".join(
        [*(f"run={run.uuid}" for run in runs), *(f"{name}={value}" for name, value in more.items())]
    )


def test_the_curves_of_each_run_are_drawn_in_the_requested_order(client_for, mia, runs):
    first, second = runs

    context = client_for(mia).get(address(second, first, metric="macro_f1")).context

    assert [line["run"] for line in context["runs"]] == [second, first]
    assert [(trace["name"], trace["x"]) for trace in context["chart"].figure["data"]] == [
        ("Run 2", [20, 40, 60]),
        ("Run 1", [20, 40, 60]),
    ]
    assert [trace["line"]["color"] for trace in context["chart"].figure["data"]] == ["$c1", "$c2"]
    assert context["chart"].lead == "Run 2 reaches the highest value,"


def test_settings_are_shown_where_they_differ_and_counted_where_they_are_the_same(client_for, mia, runs):
    context = client_for(mia).get(address(*runs)).context

    differing = dict(context["differing"])
    assert differing["strategy"] == ["LoRA", "Full fine-tuning"]
    assert differing["epochs"] == [str(run.spec["epochs"]) for run in runs]
    assert differing["epochs"][1] == "2"
    assert "seed" not in differing
    assert context["same"] > 10


def test_missing_results_are_shown_as_not_measured(client_for, mia, runs, waiting):
    reached = dict(client_for(mia).get(address(runs[0], waiting)).context["reached"])

    assert reached["State"] == ["Succeeded", "Queued"]
    assert reached["Macro-F1, best"][1] == "Not measured"
    assert reached["Core time"][1] == "Not measured"


def test_only_what_the_tasks_of_the_runs_have_is_shown(client_for, mia, project, runs):
    written = make_generation_run(
        generation_snapshot(project, mia), mia, make_decoder(project, mia), splits=()
    )
    marked = make_run(spans_snapshot(project, mia), mia, splits=())
    client = client_for(mia)

    def scores(*some):
        context = client.get(address(*some)).context
        curves = [name for name, _ in context["metrics"] if name in ("macro_f1", "micro_f1", "perplexity")]
        return [name for name, _ in context["reached"][1:-4]], curves

    assert scores(written) == (["Perplexity, best", "Validation loss"], ["perplexity"])
    assert scores(marked) == (
        ["Micro-F1, best", "Macro-F1", "ECE", "Validation loss"],
        ["macro_f1", "micro_f1"],
    )
    assert scores(runs[0]) == (["Macro-F1, best", "Accuracy", "ECE", "Validation loss"], ["macro_f1"])
    both = dict(client.get(address(written, runs[0])).context["reached"])
    assert both["Perplexity, best"] == [f"{written.metrics['perplexity']:.3f}", "Not measured"]


@pytest.mark.postgres
def test_a_run_is_added_and_removed_by_the_url(client_for, mia, runs):
    first, second = runs

    page = client_for(mia).get(address(first), **HTMX)

    text = page.content.decode()
    assert "<html" not in text
    assert f'<option value="{second.uuid}">Run 2, Full fine-tuning' in text
    assert f'<option value="{first.uuid}">' not in text
    assert 'hx-get="/runs/overlay/?metric=validation_loss"' in text


def test_hidden_and_unknown_runs_are_left_out(client_for, mia, otto, runs):
    mine = client_for(mia).get(f"{address(runs[0], runs[0])}&run={uuid.uuid4()}&run=nonsense&metric=nonsense")
    theirs = client_for(otto).get(address(*runs))

    assert [line["run"] for line in mine.context["runs"]] == [runs[0]]
    assert mine.context["metric"] == "validation_loss"
    assert theirs.context["runs"] == []
    assert theirs.context["others"] == []
    assert (mine.content.count(b'class="empty"'), theirs.content.count(b'class="empty"')) == (0, 1)


def test_six_runs_are_the_maximum_and_take_as_many_queries_as_two(client_for, mia, runs):
    many = [*runs, *repeated(runs[0], 5)]
    client = client_for(mia)

    def statements(*some):
        client.get(address(*some))
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(address(*some))
        return len(captured), answer

    few, _ = statements(*many[:5])
    all_of_them, answer = statements(*many)
    assert len(answer.context["runs"]) == overlay_page.MOST
    assert answer.context["others"] == []
    assert all_of_them <= few


def test_a_chart_without_values_has_a_note():
    assert (
        charts.overlay("Accuracy", [("Run 1", [])]).alt
        == "No values yet. They appear with the first steps of these runs."
    )


def test_losses_have_a_log_axis_and_the_caption_names_the_lowest():
    chart = charts.overlay(
        "Validation loss", [("Run 1", [(1, 2.0), (2, 1.0)]), ("Run 2", [(1, 0.5)])], lower_is_better=True
    )

    assert chart.alt == "Run 2 reaches the lowest value, 0.500."
    assert chart.figure["layout"]["yaxis"]["type"] == "log"
    assert chart.rows == [["Run 1", 1, "2"], ["Run 1", 2, "1"], ["Run 2", 1, "0.5"]]


def test_the_caption_names_the_lowest_perplexity():
    chart = charts.overlay(
        "Perplexity, validation",
        [("Run 1", [(1, 9.0), (2, 8.0)]), ("Run 2", [(1, 12.0)])],
        lower_is_better=True,
    )

    assert chart.alt == "Run 1 reaches the lowest value, 8.000."
    assert chart.figure["layout"]["yaxis"].get("type") != "log"
    assert {"perplexity", "validation_loss", "train_loss"} <= overlay_page.LOWER
    assert not {"macro_f1", "accuracy", "pair_accuracy"} & overlay_page.LOWER
