"""Asking for a further computation on an evaluation, and keeping what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from lifecycle.evaluation import queries, rules
from lifecycle.evaluation.actions import clustering, explaining, leaking
from lifecycle.evaluation.models import Analysis, Evaluation
from lifecycle.jobs.actions import enqueue
from lifecycle.jobs.context import JobContext
from lifecycle.jobs.models import Job
from lifecycle.jobs.rules import State
from lifecycle.refusals import Conflict
from registry.access.models import User
from registry.access.policy import require
from registry.ledger.actions import record
from registry.ledger.rules import digest_of
from registry.ledger.verbs import Verb


@dataclass(frozen=True, slots=True)
class Computation:
    """One kind of analysis. needs: what the person may do who asks. check: raises Refused. compute: returns the report, in a job.

    Both get the evaluation and the digest of the item that it is about, "" where it is about the whole.
    """

    label: str
    needs: str
    check: Callable[[Evaluation, str], None]
    compute: Callable[[JobContext, Evaluation, str], dict[str, Any]]


COMPUTATIONS = {
    Analysis.Kind.CLUSTERS: Computation("Group the errors of a model", "evaluation.evaluate", clustering.check, clustering.compute),
    Analysis.Kind.MEMBERSHIP: Computation("Try to tell training rows", "evaluation.evaluate", leaking.check, leaking.compute),
    Analysis.Kind.WORDS: Computation(
        "Find the words that speak for an answer", "datasets.read_samples", explaining.check, explaining.compute
    ),
}


@transaction.atomic
def analyse(*, evaluation: Evaluation, kind: Analysis.Kind, actor: User, item: str = "") -> Job:
    """Queue an analysis. While the same one waits, that one is returned.

    item: digest of the item that it is about, "" for the whole evaluation. Raises PermissionDenied, Conflict (it is there already) or
    Refused (it cannot be computed).
    """
    computation = COMPUTATIONS[kind]
    require(actor, computation.needs, evaluation)
    rules.check_one(evaluation.report)
    computation.check(evaluation, item)
    if queries.analysis(evaluation, kind, item) is not None:
        raise Conflict(f"Known already: {kind.label} of {evaluation.run} on {evaluation.split}. What was found never changes.")
    key = f"analyse:{evaluation.uuid}:{kind.value}:{item}"
    if not Job.objects.filter(key=key, state__in=[State.QUEUED, State.RUNNING]).exists():
        record(actor, Verb.ANALYSIS_REQUESTED, evaluation, project=evaluation.run.project.uuid, kind=kind.value, item=item or None)
    args = {"evaluation": str(evaluation.uuid), "item": item}
    return enqueue(job_kind(kind), actor=actor, project=evaluation.run.project, args=args, subject=evaluation, key=key)


def job_kind(kind: Analysis.Kind) -> str:
    """The kind of job that makes an analysis of this kind."""
    return f"evaluation.{kind.value}"


def runner(kind: Analysis.Kind) -> Callable[[JobContext], None]:
    """The job: compute, then keep; a job that runs twice keeps one."""

    def run(ctx: JobContext) -> None:
        evaluation = queries.whole(ctx.args["evaluation"])
        report = rules.finite(COMPUTATIONS[kind].compute(ctx, evaluation, ctx.args["item"]))
        ctx.raise_if_cancelled()
        with transaction.atomic():
            ctx.hold()
            found, created = Analysis.objects.get_or_create(
                evaluation=evaluation, kind=kind, item=ctx.args["item"], defaults={"report": report, "created_by": ctx.job.created_by}
            )
            if created:
                record(
                    ctx.job.created_by, Verb.ANALYSIS_RECORDED, found, project=evaluation.run.project.uuid, evaluation=evaluation.uuid,
                    kind=kind.value, item=found.item or None, report_digest=digest_of(report),
                )  # fmt: skip

    return run
