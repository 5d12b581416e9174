"""Pages of runs and base models, for each role, with and without htmx."""

from __future__ import annotations

import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import BaseModel, Run
from lifecycle.runtime.engine.strategy import INNER
from tests.support.jobs import run_jobs
from tests.support.training import make_run, repeated

HTMX = {"HTTP_HX_REQUEST": "true"}


def test_a_finished_run_shows_its_best_values_and_its_provenance(client_for, snapshot, finished, mia):
    run = finished

    answer = client_for(mia).get(f"/runs/{run.uuid}/")

    page = answer.content.decode()
    assert (answer.context["run"], run.standing, answer.context["active"]) == (run, "Succeeded", False)
    assert f"{run.metrics['macro_f1']:.3f}" in page
    assert snapshot.digest in page
    assert run.artifact.root_digest in page
    assert f"/evaluations/run/{run.uuid}/" in page
    assert 'hx-trigger="every 2s"' not in page.split('id="evaluation"')[0]


def test_a_waiting_run_polls_and_can_be_stopped_but_not_registered(client_for, waiting, mia):
    client = client_for(mia)

    answer = client.get(f"/runs/{waiting.uuid}/")
    part = client.get(f"/runs/{waiting.uuid}/live/", **HTMX)

    page, acts = answer.content.decode(), answer.context["acts"]
    assert (answer.context["active"], answer.context["job"].state) == (True, "queued")
    assert f'hx-get="/runs/{waiting.uuid}/live/" hx-trigger="every 2s"' in page
    assert (acts["stop"], bool(acts["register"])) == ("", True)
    assert 'commandfor="stop-run" command="show-modal"' in page
    assert f'href="{acts["register_url"]}"' not in page
    assert part.status_code == 200
    assert b'<section id="findings"' in part.content
    assert b"<html" not in part.content


def test_the_live_part_of_an_ended_run_loads_the_whole_page(client_for, finished, mia):
    answer = client_for(mia).get(f"/runs/{finished.uuid}/live/", **HTMX)

    assert answer["HX-Redirect"] == f"/runs/{finished.uuid}/"


def test_the_page_of_a_stranger_is_404_and_a_reader_cannot_stop(client_for, waiting, ana, otto):
    run = waiting

    assert client_for(otto).get(f"/runs/{run.uuid}/").status_code == 404
    assert client_for(otto).post(f"/runs/{run.uuid}/stop/").status_code == 404
    assert client_for(ana).get(f"/runs/{run.uuid}/").status_code == 200
    assert client_for(ana).post(f"/runs/{run.uuid}/stop/").status_code == 403
    assert client_for(ana).post(f"/runs/{run.uuid}/resume/").status_code == 403
    run.refresh_from_db()
    assert run.state == Run.State.QUEUED


@pytest.mark.postgres
def test_stop_and_resume_from_the_page(client_for, waiting, mia):
    run, client = waiting, client_for(mia)

    assert client.post(f"/runs/{run.uuid}/stop/").status_code == 302
    run.refresh_from_db()
    assert run.state == Run.State.STOPPED
    assert client.post(f"/runs/{run.uuid}/resume/", **HTMX)["HX-Redirect"] == f"/runs/{run.uuid}/"
    run.refresh_from_db()
    assert run.state == Run.State.QUEUED


def test_points_come_after_a_step_and_name_the_next_address_while_the_run_is_on(client_for, waiting, mia):
    run = waiting
    actions.begin(run.uuid)
    run.refresh_from_db()
    event = {"seq": 0, "at": "2026-11-24T12:00:00+00:00", "kind": "metric", "total_steps": 9, "epoch": 1.0}
    actions.record_events(
        run,
        [
            event | {"step": step, "values": {"train_loss": 1 / step, "validation_loss": 2.0}}
            for step in (1, 2, 3)
        ],
    )

    answer = client_for(mia).get(f"/runs/{run.uuid}/points/?chart=loss&after=1").json()

    drawn = answer.pop("chart")
    assert (drawn["lead"], drawn["figure"]["data"][0]["x"]) == ("Validation loss is", [1, 2, 3])
    assert drawn["figure"]["layout"]["xaxis"]["range"] == [0, 9]
    assert answer == {
        "traces": [0, 1],
        "x": [[2, 3], [2, 3]],
        "y": [[0.5, 1 / 3], [2.0, 2.0]],
        "next": f"/runs/{run.uuid}/points/?chart=loss&after=3",
    }
    assert client_for(mia).get(f"/runs/{run.uuid}/points/?chart=nothing").status_code == 404


def test_the_query_count_of_the_list_does_not_grow_with_runs(client_for, snapshot, finished, mia):
    client = client_for(mia)
    client.get("/runs/")
    with CaptureQueriesContext(
        connection,
    ) as one:
        client.get("/runs/")
    for seed in range(4):
        make_run(snapshot, mia, seed=seed + 2, splits=())
    with CaptureQueriesContext(connection) as many:
        page = client.get("/runs/")

    assert len(many) == len(one)
    assert page.content.count(b'class="spark"') == 5


def test_the_list_pages_by_key(client_for, waiting, mia):
    repeated(waiting, 30)
    client = client_for(mia)

    first = client.get("/runs/")
    key = Run.objects.order_by("-id")[29].pk
    second = client.get(f"/runs/?before={key}")

    assert [line.run.number for line in first.context["lines"]] == list(range(31, 1, -1))
    assert f'href="?before={key}"' in first.content.decode()
    assert [line.run for line in second.context["lines"]] == [waiting]


# ── Launch form ─────────────────────────────────────────────────────────────
def form_data(snapshot, base, **changes):
    values = {
        "dataset_version": snapshot.uuid,
        "base": base.uuid,
        "strategy": "lora",
        "key": uuid.uuid4(),
        "epochs": 4,
        "batch_size": 16,
        "rank": 8,
        "learning_rate": 0.002,
        "head_learning_rate": 0.01,
        "max_tokens": 64,
        "pooling": "mean",
        "weight_decay": 0.01,
        "warmup_fraction": 0.06,
        "processes": 1,
        "evaluations_per_epoch": 1,
        "patience": 0,
        "precision": "auto",
        "alpha": 16,
        "dropout": 0.1,
        "seed": 1,
        "note": "first",
        "frozen_layers": 0,
        "schedule": "linear",
        "accumulation": 1,
        "max_gradient_norm": 1,
        "label_smoothing": 0,
        "focal_gamma": 0,
        "operating_class": "",
        "operating_point": "f1",
        "operating_target": 0.9,
    }
    return values | changes


def test_the_form_gives_a_reason_for_each_setting_and_the_size_of_each_strategy(client_for, base, mia):
    answer = client_for(mia).get("/runs/launch/")

    page, suggested = answer.content.decode(), answer.context["suggestion"].choices
    assert [name for name, each in suggested.items() if not each.reason] == []
    assert escape(suggested["learning_rate"].reason) in page
    assert page.count('type="radio" name="strategy"') == 6
    assert [line.value for line in answer.context["strategies"] if not line.trainable] == []
    assert page.count('data-l="trainable parameters"') == 6


@pytest.mark.parametrize(
    ("strategy", "names"),
    [
        ("lora", ["rank", "alpha", "dora", "rank_stabilised", "dropout", "frozen_layers"]),
        ("fast_lora", ["rank", "alpha", "dora", "rank_stabilised", "dropout", "frozen_layers"]),
        ("adapter", ["width", "dropout", "frozen_layers"]),
        ("ia3", ["frozen_layers"]),
        ("full", ["frozen_layers"]),
        ("head", []),
    ],
)
def test_the_form_has_the_settings_of_the_strategy(strategy, names, client_for, snapshot, base, mia):
    form = (
        client_for(mia)
        .get("/runs/launch/", {"dataset_version": snapshot.uuid, "base": base.uuid, "strategy": strategy})
        .context["form"]
    )

    assert [name for name in form.fields if name in INNER] == names


def test_a_run_page_shows_the_reduced_batch_after_running_out_of_memory(client_for, snapshot, base, mia):
    run = make_run(snapshot, mia, base=base, splits=(), batch_size=32)
    whole = client_for(mia).get(f"/runs/{run.uuid}/").content.decode()
    Run.objects.filter(pk=run.pk).update(result=run.result | {"batch": {"batch_size": 8, "accumulation": 4}})

    parts = client_for(mia).get(f"/runs/{run.uuid}/").content.decode()
    batch = client_for(mia).get(f"/api/v1/runs/{run.uuid}/").json()["batch"]

    assert "batch 32</bdi></dd>" in whole
    assert "batch 32</bdi></dd>" not in parts
    assert re.search(r"batch 32, 8\b[^<]*</bdi></dd>", parts)
    assert batch == {"batch_size": 8, "accumulation": 4}


def test_a_run_page_shows_which_base_weights_are_unchanged(client_for, snapshot, base, mia):
    run = actions.launch(
        snapshot=snapshot,
        base=base,
        strategy="fast_lora",
        actor=mia,
        options={"dora": True, "accumulation": 2, "schedule": "cosine"},
    )

    page = client_for(mia).get(f"/runs/{run.uuid}/").content.decode()

    assert "r=8, alpha 16, dropout 0.1, DoRA, lowest 1 layers frozen, cached" in page
    assert "head 0.01, cosine, batch 16 × 2" in page


def test_the_form_starts_one_run_however_often_it_is_sent(client_for, snapshot, base, mia):
    data = form_data(snapshot, base)
    client = client_for(mia)

    first, second = client.post("/runs/launch/", data), client.post("/runs/launch/", data)

    assert Run.objects.count() == 1
    assert first["Location"] == second["Location"] == f"/runs/{Run.objects.get().uuid}/"
    assert Run.objects.get().spec["epochs"] == 4
    assert Run.objects.get().note == "first"


def test_a_form_resent_with_other_settings_warns_and_starts_on_the_next_submit(
    client_for, snapshot, base, mia
):
    data, client = form_data(snapshot, base), client_for(mia)
    client.post("/runs/launch/", data)

    back = client.post("/runs/launch/", data | {"learning_rate": 0.001}, **HTMX)

    form = back.context["form"]
    assert back.status_code == 422
    assert (len(form.non_field_errors()), list(form.errors)) == (1, ["__all__"])
    assert form["key"].value() != str(data["key"])
    assert f'name="key" value="{form["key"].value()}"' in back.content.decode()
    assert (form["learning_rate"].value(), Run.objects.count()) == ("0.001", 1)
    client.post("/runs/launch/", data | {"learning_rate": 0.001, "key": form["key"].value()})
    assert list(Run.objects.order_by("id").values_list("spec__learning_rate", flat=True)) == [0.002, 0.001]


@pytest.mark.postgres
def test_a_value_out_of_range_is_an_error_of_its_field_and_starts_nothing(client_for, snapshot, base, mia):
    answer = client_for(mia).post("/runs/launch/", form_data(snapshot, base, rank=1000), **HTMX)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["rank"]
    assert 'id="id_rank_error"' in answer.content.decode()
    assert Run.objects.count() == 0


def test_an_analyst_sees_no_snapshot_to_train_on(client_for, snapshot, base, ana):
    answer = client_for(ana).post("/runs/launch/", form_data(snapshot, base))

    assert (answer.status_code, answer.context["snapshots"], "form" in answer.context) == (422, [], False)
    assert Run.objects.count() == 0


# ── Base models ─────────────────────────────────────────────────────────────
def test_base_models_are_listed_with_their_facts(client_for, base, mia):
    page = client_for(mia).get("/runs/bases/").content.decode()

    assert "tiny-base" in page
    assert "apache-2.0" in page
    assert base.folder.root_digest in page


@pytest.mark.postgres
def test_a_hub_model_is_refused_with_a_message_while_offline(client_for, project, mia, settings):
    settings.HF_HUB_OFFLINE = True

    answer = client_for(mia).post(
        f"/runs/bases/{project.uuid}/hub/", {"hub_id": "owner/name", "revision": "a" * 40}
    )

    assert answer.status_code == 422
    assert len(answer.context["hub_form"].non_field_errors()) == 1
    assert BaseModel.objects.count() == 0
    assert run_jobs() == []
