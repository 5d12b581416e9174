"""Launching a run on a snapshot whose texts may have any number of classes."""

from __future__ import annotations

import json

import pytest

from datasets_app.datasets.models import Dataset
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.jobs.models import Job
from lifecycle.refusals import Refused
from lifecycle.task_types.by_key.types import LEARNED, TYPES
from lifecycle.training import actions
from lifecycle.training.models import Run
from lifecycle.training.queries import learnt_task
from registry.ledger.models import Event
from tests.support.datasets import import_texts, make_dataset
from tests.support.snapshots import freeze
from tests.support.training import several_snapshot


@pytest.fixture
def snapshot(project, mia):
    return several_snapshot(project, mia)


def test_the_spec_says_the_task_and_the_rows_carry_lists(snapshot, mia, base, tmp_path):
    run = actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert (run.spec["task"], run.spec["labels"]) == ("multi_label", ["card", "login", "refund"])
    count = snapshots.write_split(snapshot, "train", tmp_path / "train.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert count == len(rows) == snapshot.counts["splits"]["train"]
    assert all(set(row) == {"id", "cluster", "text", "labels"} for row in rows)
    assert [] in [row["labels"] for row in rows]
    assert ["card", "refund"] in [row["labels"] for row in rows]


CARD, NONE = ["card"], []


@pytest.mark.parametrize(
    ("train", "validation", "sentence"),
    [
        ([NONE, NONE], CARD, "no training row has card"),
        ([CARD, CARD], NONE, "every training row has card"),
        ([CARD, NONE], ["card", "refund"], "no training row has refund"),
    ],
)
def test_what_could_not_be_learnt_is_refused_by_its_class(train, validation, sentence, project, mia, base):
    dataset = make_dataset(project, mia, task="multi_label")
    rows = [(f"text {at}", json.dumps(train[at % 2]), "train") for at in range(8)]
    rows += [(f"{split} {at}", json.dumps(validation), split) for split in ("validation", "test") for at in range(3)]
    import_texts(dataset, rows, mia, header=("text", "label", "split"))
    snapshot = freeze(dataset, mia)

    with pytest.raises(Refused, match=f"{sentence}. A label needs training texts with and without it."):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert not Run.objects.exists()
    assert not Job.objects.filter(kind="training.train").exists()
    assert not Event.objects.filter(verb="training.launched").exists()


@pytest.mark.parametrize("task", TYPES)
def test_the_engine_learns_every_task_that_a_dataset_may_have(task):
    assert learnt_task(Snapshot(dataset=Dataset(task=task))) in LEARNED


def test_the_form_and_the_run_show_it(snapshot, finished, mia, client_for):
    client = client_for(mia)

    form = client.get(f"/runs/launch/?snapshot={snapshot.uuid}")
    assert form.status_code == 200
    assert "validation, multi-label" in " ".join(form.content.decode().split())

    page = client.get(f"/runs/{finished.uuid}/").content.decode()
    assert "Subset accuracy" in page
    assert ">Accuracy<" not in page
    assert "Multi-label" in page


def test_the_api_launches_it(snapshot, mia, base, client_for):
    sent = {"snapshot": str(snapshot.uuid), "base": str(base.uuid), "strategy": "head"}

    answer = client_for(mia).post("/api/v1/runs/", sent, content_type="application/json")

    assert answer.status_code == 201, answer.content
    assert answer.json()["spec"]["task"] == "multi_label"
