"""The REST API of sweeps."""

from __future__ import annotations

import uuid

from lifecycle.modeling.training import search
from lifecycle.modeling.training.models import Run, Sweep
from tests.support.sweeps import SPACE, make_sweep, run_trials


def post(client, path, body):
    return client.post(path, body, content_type="application/json")


def test_a_sweep_is_started_read_and_cancelled(client_for, snapshot, base, mia):
    client = client_for(mia)
    body = {
        "dataset_version": str(snapshot.uuid),
        "base": str(base.uuid),
        "space": SPACE,
        "trials": 5,
        "key": str(uuid.uuid4()),
    }

    made, again = (post(client, "/api/v1/sweeps/", body) for _ in range(2))
    sweep = run_trials(Sweep.objects.get(), 0.7, "pruned", 0.9)
    read = client.get(f"/api/v1/sweeps/{sweep.uuid}/").json()
    cancelled = post(client, f"/api/v1/sweeps/{sweep.uuid}/cancel/", {}).json()

    assert (made.status_code, made.json()["uuid"]) == (201, again.json()["uuid"])
    assert (made.json()["state"], made.json()["trials"], made.json()["ended"], made.json()["best"]) == (
        "running",
        5,
        0,
        None,
    )
    assert (read["ended"], read["best"], read["importance"]) == (3, 0.9, None)
    assert [(row["trial"], row["state"], row["macro_f1"]) for row in read["results"]] == [
        (1, "succeeded", 0.7),
        (2, "pruned", None),
        (3, "succeeded", 0.9),
        (4, "queued", None),
    ]
    assert read["results"][0]["settings"] == search.suggest(
        search.read_space(SPACE), [], sampler="tpe", seed=1, number=1
    )
    assert read["results"][1]["evaluations"] == [0.2]
    assert (cancelled["state"], Run.objects.get(trial=4).state) == ("cancelled", "stopped")


def test_invalid_settings_are_named_and_start_nothing(client_for, snapshot, base, mia, ana):
    body = {
        "dataset_version": str(snapshot.uuid),
        "base": str(base.uuid),
        "space": {"rank": {"choices": [8, 1000]}},
    }

    wrong = post(client_for(mia), "/api/v1/sweeps/", body)
    reader = post(client_for(ana), "/api/v1/sweeps/", body | {"space": SPACE})

    assert (wrong.status_code, wrong.json()["fields"]) == (
        422,
        {"rank": ["Must be from 1 to 256, got 1000."]},
    )
    assert reader.status_code == 404
    assert not Sweep.objects.exists()


def test_runs_are_listed_without_trials_unless_filtered_by_sweep(client_for, snapshot, base, waiting, mia):
    alone, sweep = waiting, run_trials(make_sweep(snapshot, mia, base=base), 0.7)
    client = client_for(mia)

    def listed(**query) -> list:
        return [
            (row["number"], row["sweep"], row["trial"])
            for row in client.get("/api/v1/runs/", query).json()["results"]
        ]

    assert listed() == [(alone.number, None, None)]
    assert listed(sweep=str(sweep.uuid)) == [(3, str(sweep.uuid), 2), (2, str(sweep.uuid), 1)]
    assert listed(number=2) == [(2, str(sweep.uuid), 1)]
    assert [row["number"] for row in client.get("/api/v1/sweeps/", {"number": 1}).json()["results"]] == [1]
