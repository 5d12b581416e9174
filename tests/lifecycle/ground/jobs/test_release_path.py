"""What a release waits for never waits behind training: it is in another queue, which another worker
serves.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from lifecycle.ground.jobs import actions, queries, registry, rules
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import Priority, Queue
from lifecycle.modeling.evaluation import actions as evaluation
from tests.support import training

ROOT = Path(__file__).parents[4]


@pytest.mark.postgres
def test_a_queued_evaluation_starts_while_one_run_trains_and_others_wait(project, mia):
    snapshot = training.make_snapshot(project, mia)
    finished = training.make_run(snapshot, mia, splits=())
    for _ in range(2):
        training.make_run(snapshot, mia, succeeded=False, strategy="full")
    Job.objects.filter(queue=Queue.TRAINING).update(priority=Priority.URGENT)
    trains = actions.claim("training")
    job = evaluation.evaluate(run=finished, split="test", actor=mia)

    assert (trains.kind, queries.places([job.pk])) == ("training.train", {job.pk: 1})
    started = actions.claim("evaluation")

    assert started == job
    runs = Job.objects.filter(kind="training.train").exclude(state="succeeded").order_by("state")
    assert list(runs.values_list("state", flat=True)) == ["queued", "running"]
    assert actions.claim("evaluation") is None


def test_in_the_queue_of_training_is_nothing_but_training():
    assert {name for name, kind in registry._kinds.items() if kind.queue == Queue.TRAINING} == {
        "training.train",
        "training.estimate",
    }


def test_a_worker_that_trains_serves_no_other_queue_and_every_queue_is_served():
    lines = [shlex.split(line.partition(":")[2]) for line in (ROOT / "Procfile").read_text().splitlines()]
    served = [words[words.index("worker") + 1 :] for words in lines if "worker" in words]
    units = (ROOT / "deploy" / "README.md").read_text()

    assert sorted(queue for queues in served for queue in queues) == sorted(Queue.values)
    assert ["training"] in served
    assert all(f"manage.py worker {' '.join(queues)}`" in units for queues in served)


def test_one_model_is_measured_at_a_time():
    assert set(rules.SLOTS) == set(Queue)
    assert rules.SLOTS[Queue.EVALUATION] == rules.SLOTS[Queue.TRAINING] == 1
