"""An endpoint whose live version was trained on a real snapshot, with a week of predictions and feedback on
them.
"""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.utils import timezone

from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions as evaluation
from lifecycle.runtime.task_types.single_label import measures as single_label
from lifecycle.runtime.task_types.single_label import predictions
from monitoring.retraining import actions
from monitoring.retraining.models import Proposal
from monitoring.retraining.queries import proposals
from monitoring.traffic import actions as traffic_actions
from monitoring.traffic.actions.feedback import Entry
from monitoring.traffic.models import Prediction
from registry.catalog import actions as catalog
from registry.catalog.models import Endpoint, ModelVersion
from registry.ground.access.models import User
from registry.ground.access.roles import Role
from tests.support import endpoints, labeling, registry, training
from tests.support.jobs import run_ok
from tests.support.people import make_person, make_project

# of some 70 test rows so many are wrong that a model which is always right is clearly better
LIVE_ACCURACY = 0.87
ANSWERS = 30  # texts of the window: the first ten were called wrong


def make_live() -> Endpoint:
    """An endpoint on which 1.0.0 is live: right in LIVE_ACCURACY of the cases, trained by Mia on three
    imported classes.
    """
    project = make_project()
    crew = endpoints.Crew(project)
    snapshot = training.make_snapshot(project, crew.mia, copies=20)
    run = training.make_run(snapshot, crew.mia, splits=())
    make_evaluation_on(run, snapshot, "test", LIVE_ACCURACY, wrong_first=True)
    model = registry.make_model(project, crew.mia)
    catalog.register(model=model, run=run, semver="1.0.0", actor=crew.mia, stated=registry.STATED)
    run_ok("default")
    endpoint = registry.make_endpoint(model, crew.mia, slug="support-inbox-prod")
    endpoints.deploy(project, endpoint, ModelVersion.objects.get(model=model))
    return Endpoint.objects.get(pk=endpoint.pk)


@pytest.fixture
def lars(project):
    """A lead."""
    return make_person("lars", project=project, role=Role.LEAD)


@pytest.fixture
def lena(project):
    """Another lead."""
    return make_person("lena", project=project, role=Role.LEAD)


@pytest.fixture
def endpoint(project, mia, ravi, lee, gita, omar) -> Endpoint:
    """1.0.0 is live."""
    return make_live()


@pytest.fixture
def snapshot(endpoint) -> Snapshot:
    """What the live version learned from."""
    return Snapshot.objects.get()


@pytest.fixture
def traffic(endpoint, mia) -> list[Prediction]:
    """Thirty answers of yesterday, oldest first, the first ten called wrong."""
    return make_traffic(endpoint, mia)


def make_traffic(endpoint: Endpoint, mia: User) -> list[Prediction]:
    """Thirty answers of yesterday with their texts, ten of which Mia called wrong. Returns the predictions,
    oldest first.
    """
    at = timezone.now() - timedelta(hours=20)
    moments = [(at + timedelta(minutes=n)).isoformat(timespec="milliseconds") for n in range(ANSWERS)]
    lines = [
        endpoints.spool_line(endpoint, (f"new wish number {n} please", "card", 0.4 + n / 100), at=moment)
        for n, moment in enumerate(moments)
    ]
    endpoints.write_segment(*lines)
    traffic_actions.ingest()
    found = list(Prediction.objects.order_by("at", "id"))
    report_wrong(endpoint, found[:10], mia)
    return found


def report_wrong(endpoint, predictions, user, label="refund"):
    """Give feedback that these predictions should have been `label`."""
    words = [Entry(each.uuid, False, label, "truth") for each in predictions]
    traffic_actions.record_many(entries=words, actor=user)


@pytest.fixture
def proposed(endpoint, traffic, mia) -> Proposal:
    """Mia's proposal with few labels asked for; nothing was done with it yet."""
    return propose(endpoint, mia)


@pytest.fixture
def collected(proposed) -> Proposal:
    """Its texts are in a queue."""
    return collect(proposed)


@pytest.fixture
def approved(collected, lee) -> Proposal:
    """Lee has approved it."""
    return approve(collected, lee)


@pytest.fixture
def labeled(approved, ana) -> Proposal:
    """Ana has answered the queue."""
    label_queue(approved, ana)
    return approved


@pytest.fixture
def training_now(labeled) -> Proposal:
    """The snapshot is made, and the run waits for its worker."""
    return advance(labeled)


@pytest.fixture
def no_better(training_now) -> Proposal:
    """The new model is as good as the live one; the policy lets that pass by its value, whatever so few rows
    show.
    """
    registry.publish_by_value()
    return end_training(training_now, accuracy=LIVE_ACCURACY)


@pytest.fixture
def requested(training_now) -> Proposal:
    """The new model is better, and its promotion is asked for."""
    end_training(training_now, accuracy=1.0)
    return advance(advance(training_now))


def propose(endpoint: Endpoint, mia: User) -> Proposal:
    """Mia asks for few labels."""
    return actions.propose(
        endpoint_id=endpoint.uuid,
        actor=mia,
        note="Refund mails are read as card mails.",
        min_labels=8,
        queue_items=15,
    )


def seen(proposal: Proposal) -> str:
    """What a person who reads the page now is bound to."""
    fresh = Proposal.objects.select_related("endpoint__alias").get(pk=proposal.pk)
    return proposals.seen_digest(fresh, fresh.endpoint.alias)


def collect(proposal: Proposal) -> Proposal:
    """Advance until the queue is open."""
    actions.advance(proposal.uuid)
    run_ok("default")
    return actions.advance(proposal.uuid)


def approve(proposal: Proposal, lead) -> Proposal:
    return actions.approve(
        proposal_id=proposal.uuid, actor=lead, seen=seen(proposal), reason="The mails have changed."
    )


def label_queue(proposal: Proposal, user, *, number: int | None = None, label: str = "refund") -> None:
    """One analyst answers the queue, or the first `number` of its items."""
    proposal.refresh_from_db()
    items = labeling.queue_items(proposal.queue)[:number]
    labeling.label_items(proposal.queue, {user: [label] * len(items)}, items)


def advance(proposal: Proposal) -> Proposal:
    """Take what steps can be taken, and run the jobs that wait, but no training."""
    actions.advance(proposal.uuid)
    run_ok("default")
    return actions.advance(proposal.uuid)


def train(proposal: Proposal, *, accuracy: float = 1.0) -> Proposal:
    """From the gate to the evaluations of both models on the new snapshot, without the seconds that training
    takes.
    """
    return end_training(advance(proposal), accuracy=accuracy)


def end_training(proposal: Proposal, *, accuracy: float) -> Proposal:
    """The run that waits ends well, and both models are measured."""
    training.finish_run(proposal.run, accuracy=accuracy)
    measure(proposal, accuracy=accuracy)
    return actions.advance(proposal.uuid)


def measure(proposal: Proposal, *, accuracy: float) -> None:
    """Both models are measured on the test rows of the new snapshot; the evaluation jobs are settled."""
    found = Proposal.objects.select_related("run", "snapshot__dataset", "live__run").get(pk=proposal.pk)
    make_evaluation_on(found.run, found.snapshot, "test", accuracy)
    make_evaluation_on(found.live.run, found.snapshot, "test", LIVE_ACCURACY, wrong_first=True)
    Job.objects.filter(kind="evaluation.evaluate", state="queued").update(
        state="succeeded", finished_at=timezone.now()
    )


def make_evaluation_on(run, snapshot, split, accuracy, *, wrong_first=False):
    """An evaluation of a run on any snapshot, from made-up answers: wrong on its first or its last rows, and
    rather sure of all.
    """
    labels = tuple(run.spec["labels"])
    rows = list(snapshots.rows_of(snapshot, split))
    truth = np.array([labels.index(row.label) for row in rows], dtype=np.int64)
    wrong = round(len(rows) * (1 - accuracy))
    places = np.arange(len(rows))
    missed = places < wrong if wrong_first else places >= len(rows) - wrong
    picked = np.where(missed, (truth + 1) % len(labels), truth)
    shares = np.full((len(rows), len(labels)), 0.06 / (len(labels) - 1))
    shares[places, picked] = 0.94
    made = predictions.Predictions(labels, tuple(row.item for row in rows), truth, shares)
    report = single_label.ENTRY.report(made, count=200)
    result = {
        "format": 1,
        "status": "succeeded",
        "error": None,
        "temperature": 1.0,
        **report,
        "baselines": {},
    }
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "predictions.parquet"
        predictions.ENTRY.write(path, made, split)
        return evaluation.keep(
            run=run, split=split, result=result, predictions=path, actor=None, snapshot=snapshot
        )
