"""Compare two evaluations that are too large for a request, in a job that stores the result."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from django.db import transaction

from lifecycle.ground.jobs.actions import enqueue
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import compare, queries
from lifecycle.modeling.evaluation.models import Comparison, Evaluation
from lifecycle.runtime.refusals import Conflict
from registry.ground.access.models import User
from registry.ground.access.policy import require


@transaction.atomic
def start_comparison(*, a: Evaluation, b: Evaluation, actor: User) -> Job:
    """Queue the comparison of two evaluations. If the same one is queued or running, return that job.

    Raises PermissionDenied, Conflict (it needs no job, or exists already), or Refused (different datasets or
    tasks).
    """
    for each in (a, b):
        require(actor, "evaluation.view", each)
    compare.check_dataset(a, b)
    if compare.is_ready(a, b):
        raise Conflict(f"{b.run} against {a.run} is already computed.", next_step="Open the comparison.")
    args = {"a": str(a.uuid), "b": str(b.uuid)}
    key = f"compare:{a.uuid}:{b.uuid}"
    return enqueue("evaluation.compare", actor=actor, project=b.run.project, args=args, subject=b, key=key)


def run_comparison(ctx: JobContext) -> None:
    """The job: compute, then store. The figures are bit-identical to those computed in a request; running it
    twice stores one.
    """
    a, b = queries.whole(ctx.args["a"]), queries.whole(ctx.args["b"])

    def report_progress(done: int, total: int) -> None:
        ctx.raise_if_cancelled()
        ctx.progress(done, total, stage="Resampling", unit="resamples")

    ctx.progress(0, stage="Reading predictions")
    report = compare.computed(a, b, report_progress)
    ctx.raise_if_cancelled()
    ctx.progress(0, stage="Listing changed items")
    found = columns(a, b, report)
    with transaction.atomic():
        ctx.hold()
        Comparison.objects.get_or_create(a=a, b=b, defaults=found | {"created_by": ctx.job.created_by})


def compare_uncached(a: Evaluation, b: Evaluation) -> dict[str, Any]:
    """The comparison, as `compare.computed` returns it, for decisions: nothing stored or cached is read,
    since anyone who can write to the database may have forged it. A comparison too large for a request is
    stored for its page, unless one exists. Raises Refused if the two can't be compared.
    """
    report = compare.computed(a, b)
    if not compare.is_ready(a, b):
        Comparison.objects.get_or_create(a=a, b=b, defaults=columns(a, b, report))
    return report


def columns(a: Evaluation, b: Evaluation, report: dict[str, Any]) -> dict[str, Any]:
    """The fields of a Comparison. report: from `compare.computed`."""
    changed: list[Any] = [] if a.task_type.writes_text else compare.changed_items(a, b)[: compare.LISTED]
    return {"report": compare.kept_as(report), "changed": [list(astuple(each)) for each in changed]}
