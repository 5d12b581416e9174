"""Reading evaluations and what they hold, for this room's pages and for the rooms above."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.core.cache import cache
from django.db.models import QuerySet

from datasets_app.datasets.models import Item
from lifecycle.engine import predictions
from lifecycle.engine.predictions import Predictions
from lifecycle.evaluation.models import Evaluation
from lifecycle.jobs import queries as jobs
from lifecycle.jobs.models import Job
from lifecycle.training import queries as training
from lifecycle.training.models import Run
from lifecycle.training.ports import Reference
from registry.access import policy
from registry.access.policy import Person
from registry.artifacts import actions as artifacts

trainers_of = training.trainers_of


def evaluations(user: Person) -> QuerySet[Evaluation]:
    """The evaluations that the user may see, newest first."""
    related = ("run__project", "run__base", "snapshot__dataset", "predictions", "created_by")
    return policy.visible_to(user, Evaluation, "evaluation.view").select_related(*related).order_by("-id")


def get_evaluation(user: Person, uuid: UUID) -> Evaluation:
    """One evaluation that the user may see. Raises Http404."""
    return policy.get_visible(user, evaluations(user), "evaluation.view", uuid=uuid)


def latest_evaluation(run: Run, split: str) -> Evaluation | None:
    """The newest evaluation of a run on one split of its own snapshot."""
    rows = Evaluation.objects.filter(run=run, snapshot=run.snapshot_id, split=split)
    return rows.select_related("run", "snapshot__dataset", "predictions").order_by("-id").first()


def of_run(run: Run) -> list[Evaluation]:
    """The newest evaluation of a run on each split of its own snapshot, test first, then validation."""
    newest: dict[str, Evaluation] = {}
    for evaluation in Evaluation.objects.filter(run=run, snapshot=run.snapshot_id).select_related("snapshot__dataset").order_by("-id")[:50]:
        newest.setdefault(evaluation.split, evaluation)
    return sorted(newest.values(), key=lambda evaluation: (("test", "validation", "train") + (evaluation.split,)).index(evaluation.split))


def unfinished_job(run: Run) -> Job | None:
    """The evaluation of a run that still waits or runs."""
    return next((job for job in jobs.of_subject(run).filter(kind="evaluation.evaluate")[:10] if not job.is_finished), None)


def last_job(run: Run) -> Job | None:
    """The newest evaluation job of a run, in any state."""
    return jobs.of_subject(run).filter(kind="evaluation.evaluate").first()


def predictions_of(evaluation: Evaluation) -> Predictions:
    """Every item's answer, from the Parquet file, verified by its digest."""
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        return predictions.read(path)


def items_by_digest(evaluation: Evaluation, digests: Iterable[str]) -> dict[str, Item]:
    """The items of an evaluation's dataset, by digest, in one statement."""
    return {item.digest: item for item in Item.objects.filter(dataset=evaluation.snapshot.dataset_id, digest__in=list(digests))}


def comparable_with(evaluation: Evaluation, user: Person) -> QuerySet[Evaluation]:
    """Other evaluations on items of the same dataset and split, newest first: what it may be compared with."""
    same = evaluations(user).filter(snapshot__dataset=evaluation.snapshot.dataset_id, split=evaluation.split)
    return same.exclude(pk=evaluation.pk)


def baseline_reference(run: Run) -> Reference | None:
    """What TF-IDF with logistic regression reaches on the run's validation split, where that was measured."""
    key = f"evaluation:reference:{run.uuid}"
    known: Reference | None = cache.get(key)
    if known is None and (found := latest_evaluation(run, "validation")):
        measured = (found.report.get("baselines") or {}).get("tfidf_logreg")
        if measured:
            known = Reference("TF-IDF", {name: measured[name] for name in ("macro_f1", "accuracy") if name in measured})
            cache.set(key, known, 600)
    return known
