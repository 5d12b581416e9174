"""The REST API of base models, runs, and evaluations."""

from __future__ import annotations

import uuid

import pytest

from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.training.models import Run
from tests.support.training import make_run

JSON = {"content_type": "application/json"}


@pytest.mark.postgres
def test_a_run_is_launched_read_stopped_and_resumed(client_for, snapshot, base, mia):
    client, key = client_for(mia), str(uuid.uuid4())
    body = {
        "dataset_version": str(snapshot.uuid),
        "base": str(base.uuid),
        "strategy": "head",
        "options": {"epochs": 3},
        "key": key,
    }

    made = client.post("/api/v1/runs/", body, **JSON)
    again = client.post("/api/v1/runs/", body, **JSON)

    assert made.status_code == again.status_code == 201
    assert made.json()["uuid"] == again.json()["uuid"]
    url = f"/api/v1/runs/{made.json()['uuid']}/"
    assert client.get(url).json()["spec"]["epochs"] == 3
    assert client.post(f"{url}stop/").json()["state"] == "stopped"
    assert client.post(f"{url}resume/").json()["state"] == "queued"
    assert client.get(f"{url}points/?chart=loss").json()["x"] == [[], []]
    assert [row["number"] for row in client.get("/api/v1/runs/").json()["results"]] == [1]


def test_a_setting_out_of_range_is_named_and_nothing_starts(client_for, snapshot, base, mia):
    body = {"dataset_version": str(snapshot.uuid), "base": str(base.uuid), "options": {"batch_size": 0}}

    answer = client_for(mia).post("/api/v1/runs/", body, **JSON)

    assert answer.status_code == 422
    assert answer.json()["fields"] == {"batch_size": ["Must be from 1 to 4096, got 0."]}
    assert not Run.objects.exists()


def test_strangers_and_readers_cannot_launch_or_stop(client_for, waiting, ana, otto):
    run, body = waiting, {"dataset_version": str(waiting.snapshot.uuid), "base": str(waiting.base.uuid)}

    assert client_for(otto).get(f"/api/v1/runs/{run.uuid}/").status_code == 404
    assert client_for(otto).post("/api/v1/runs/", body, **JSON).status_code == 404
    assert client_for(ana).post("/api/v1/runs/", body, **JSON).status_code == 404
    assert client_for(ana).post(f"/api/v1/runs/{run.uuid}/stop/").status_code == 403
    assert list(Run.objects.values_list("state", flat=True)) == ["queued"]


def test_base_models_are_listed_and_a_folder_outside_is_refused(client_for, project, base, mia, ana):
    body = {"project": str(project.uuid), "kind": "folder", "path": "/etc"}

    (row,) = client_for(mia).get("/api/v1/base-models/").json()["results"]
    refused = client_for(mia).post("/api/v1/base-models/", body, **JSON)

    assert row["root_digest"] == base.folder.root_digest
    assert refused.status_code == 422
    assert list(refused.json()["fields"]) == ["path"]
    assert client_for(ana).post("/api/v1/base-models/", body, **JSON).status_code == 403


@pytest.mark.postgres
def test_evaluations_are_started_read_and_compared(client_for, snapshot, mia, otto):
    first, second = make_run(snapshot, mia, accuracy=0.5), make_run(snapshot, mia, accuracy=1.0, seed=2)
    a, b = evaluations.latest_evaluation(first, "test"), evaluations.latest_evaluation(second, "test")
    client = client_for(mia)

    job = client.post(f"/api/v1/runs/{first.uuid}/evaluate/", {"split": "test"}, **JSON)
    report = client.get(f"/api/v1/evaluations/{a.uuid}/").json()["report"]
    found = client.get(f"/api/v1/evaluations/compare/?a={a.uuid}&b={b.uuid}").json()

    assert job.status_code == 202
    assert Job.objects.filter(kind="evaluation.evaluate", state="queued").count() == 1
    assert report == a.report
    assert found["rows"] == a.rows
    assert found["metrics"]["accuracy"]["verdict"] == "better"
    assert client_for(otto).get(f"/api/v1/evaluations/compare/?a={a.uuid}&b={b.uuid}").status_code == 404
    assert len(client.get(f"/api/v1/evaluations/?run={first.uuid}").json()["results"]) == 2
