"""The cost of a run, on its page and in the API."""

from __future__ import annotations

import pytest
from django.utils.html import escape

from lifecycle.modeling.training import actions, queries
from lifecycle.modeling.training.models import Run
from tests.support.training import make_run, settle


@pytest.fixture
def run(finished):
    return finished


def test_core_time_is_priced_by_the_hour(run, settings):
    settings.PRICE_PER_CORE_HOUR, settings.CURRENCY = 0.08, "EUR"

    cost = queries.cost_of(run)

    assert (cost["seconds"], cost["cpu_seconds"], cost["peak_memory_mb"]) == (12.5, 22.5, 300.0)
    assert (cost["price"], cost["currency"]) == (pytest.approx(22.5 / 3600 * 0.08), "EUR")


def test_a_run_page_shows_its_cost_by_stage(run, client_for, mia, settings):
    settings.PRICE_PER_CORE_HOUR, settings.CURRENCY = 0.08, "EUR"

    cost = client_for(mia).get(f"/runs/{run.uuid}/").context["cost"]

    assert [(label, text.replace("\N{NO-BREAK SPACE}", " ")) for label, text in cost] == [
        ("Preparation", "2 s, 2 s core time"),
        ("Training", "10 s, 20 s core time"),
        ("Core time", "22 s"),
        ("Peak memory", "315 MB"),
        ("Price", "under 0.01 EUR"),
        ("Energy", "Not measured: no power meter"),
    ]


def test_without_a_price_the_cost_is_not_measured(run, client_for, mia, settings):
    settings.PRICE_PER_CORE_HOUR = None

    answer = client_for(mia).get(f"/runs/{run.uuid}/")

    shown = dict(answer.context["cost"])["Price"]
    assert "PRICE_PER_CORE_HOUR" in shown
    assert f"<dd>{escape(shown)}</dd>" in answer.content.decode()
    assert client_for(mia).get(f"/api/v1/runs/{run.uuid}/").json()["cost"]["price"] is None


def test_an_unfinished_or_unmeasured_run_has_no_cost(waiting, run, mia, client_for):
    going, old = waiting, run
    old.result = {name: value for name, value in old.result.items() if name not in ("cpu_seconds", "stages")}
    old.save(update_fields=["result"])

    assert [client_for(mia).get(f"/api/v1/runs/{run.uuid}/").json()["cost"] for run in (going, old)] == [
        None,
        None,
    ]
    assert [client_for(mia).get(f"/runs/{run.uuid}/").context["cost"] for run in (going, old)] == [[], []]


def test_a_failed_run_has_a_cost_and_a_resumed_one_is_not_done(waiting, mia, client_for):
    run = waiting
    actions.begin(run.uuid)
    spent = {"seconds": 3.0, "cpu_seconds": 6.0, "stages": {"prepare": {"seconds": 3.0, "cpu_seconds": 6.0}}}
    actions.fail(run.uuid, "nan_loss", "The loss was no longer a number.", "Lower the rates.", spent)
    run.refresh_from_db()

    answer = client_for(mia).get(f"/runs/{run.uuid}/")
    settle(run)
    again = actions.resume(run_id=run.uuid, actor=mia)

    assert (queries.cost_of(run)["cpu_seconds"], queries.cost_of(again)) == (6.0, None)
    assert queries.cost_of(run)["peak_memory_mb"] is None
    assert not any(each.isdigit() for each in dict(answer.context["cost"])["Peak memory"])


def test_inference_cost_is_projected_per_graph_from_validation(run, client_for, mia, settings):
    settings.PRICE_PER_CORE_HOUR, settings.CURRENCY = 0.36, "EUR"
    paces = {
        "int8": {"rows": 500, "seconds": 1.0, "cpu_seconds": 1.0},
        "fp32": {"rows": 500, "seconds": 2.0, "cpu_seconds": 4.0},
    }
    run.result = run.result | {"inference": paces}
    run.save(update_fields=["result"])

    inference = client_for(mia).get(f"/api/v1/runs/{run.uuid}/").json()["cost"]["inference"]
    shown = dict(client_for(mia).get(f"/runs/{run.uuid}/").context["cost"])

    assert inference == {
        "fp32": {"rows": 500, "cpu_seconds": 8000.0, "price": pytest.approx(0.8)},
        "int8": {"rows": 500, "cpu_seconds": 2000.0, "price": pytest.approx(0.2)},
    }
    assert list(shown)[-3:] == ["Cost per 1 M predictions, fp32", "Cost per 1 M predictions, int8", "Energy"]
    assert (
        shown["Cost per 1 M predictions, fp32"].replace("\N{NO-BREAK SPACE}", " ")
        == "2 h 13 min core time, projected from 500 validation texts; 0.80 EUR"
    )


def test_a_gpu_run_shows_the_gpu_its_memory_and_that_it_has_no_price(run, client_for, mia, settings):
    settings.PRICE_PER_CORE_HOUR, settings.CURRENCY = 0.08, "EUR"
    environment = {"device": "Made-up 80GB, CUDA 12.8"}
    Run.objects.filter(pk=run.pk).update(
        result=run.result | {"peak_gpu_memory_mb": 2048.0, "environment": environment}
    )

    context = client_for(mia).get(f"/runs/{run.uuid}/").context

    cost = {label: text.replace("\N{NO-BREAK SPACE}", " ") for label, text in context["cost"]}
    assert (cost["Peak memory, GPU"], cost["Price"]) == ("2.1 GB", "under 0.01 EUR; GPU not included")
    assert {each["label"]: each["text"] for each in context["provenance"]}[
        "Device"
    ] == "Made-up 80GB, CUDA 12.8"


@pytest.mark.parametrize(("choice", "text"), [("auto", "first available"), ("cuda", "a GPU"), ("cpu", "CPU")])
def test_a_queued_run_shows_the_requested_device(snapshot, base, mia, client_for, choice, text):
    run = make_run(snapshot, mia, base=base, succeeded=False, device=choice)

    rows = client_for(mia).get(f"/runs/{run.uuid}/").context["provenance"]

    assert {each["label"]: each["text"] for each in rows}["Device"] == text
