"""Launching a run on a snapshot in whose texts parts are marked."""

from __future__ import annotations

import json

import pytest

from datasets_app.snapshots import queries as snapshots
from lifecycle.jobs.models import Job
from lifecycle.refusals import Refused
from lifecycle.training import actions
from lifecycle.training.models import Run
from tests.support.datasets import import_texts, make_dataset
from tests.support.marks import marked_snapshot, spans_in
from tests.support.snapshots import freeze


@pytest.fixture
def snapshot(project, mia):
    return marked_snapshot(project, mia)


def test_the_spec_says_the_task_and_the_rows_carry_spans(snapshot, mia, base, tmp_path):
    run = actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert (run.spec["task"], sorted(run.spec["labels"])) == ("spans", ["thing", "wish"])
    count = snapshots.write_split(snapshot, "train", tmp_path / "train.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert count == len(rows) == snapshot.counts["splits"]["train"]
    assert all(row["spans"] == spans_in(row["text"]) for row in rows)
    assert any(not row["spans"] for row in rows)


def test_a_class_that_marks_nothing_in_the_training_rows_is_refused(project, mia, base):
    dataset = make_dataset(project, mia, task="spans")
    rows = [(f"my card {at}", json.dumps(spans_in("my card")), "train") for at in range(8)]
    rows += [(f"refund {split} {at}", json.dumps(spans_in("refund")), split) for split in ("validation", "test") for at in range(3)]
    import_texts(dataset, rows, mia, header=("text", "spans", "split"))
    snapshot = freeze(dataset, mia)

    with pytest.raises(Refused, match="You can't train on"):
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia)

    assert not Run.objects.exists()
    assert not Job.objects.filter(kind="training.train").exists()


def test_pooling_is_refused_since_every_token_is_read_by_itself(snapshot, mia, base):
    with pytest.raises(Refused) as refused:
        actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=mia, options={"pooling": "cls"})

    assert refused.value.fields == {"pooling": ["Must be mean for spans, which use token vectors directly."]}
    assert not Run.objects.exists()


def test_the_form_and_the_run_show_it(snapshot, finished, mia, client_for):
    client = client_for(mia)

    form = client.get(f"/runs/launch/?snapshot={snapshot.uuid}")
    assert form.status_code == 200
    assert "validation, spans" in " ".join(form.content.decode().split())
    assert "pooling" not in form.content.decode().lower()

    page = client.get(f"/runs/{finished.uuid}/").content.decode()
    assert "Micro-F1 of spans, best" in page
    assert "Accuracy, best" not in page
