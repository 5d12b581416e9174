"""Start an analysis of an evaluation and store its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction

from lifecycle.ground.jobs.actions import enqueue
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import Queue, State
from lifecycle.modeling.evaluation import queries, rules
from lifecycle.modeling.evaluation.actions import clustering, disturbing, explaining, leaking
from lifecycle.modeling.evaluation.findings import Finding
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.runtime.refusals import Conflict
from registry.ground.access.models import User
from registry.ground.access.policy import require
from registry.ground.ledger.actions import record
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb


@dataclass(frozen=True, slots=True)
class Computation:
    """One kind of analysis. needs: the permission of the actor. check: raises Refused. compute: returns the
    result, in a job of the queue.

    Both get the evaluation and the digest of its item; "" for the whole evaluation.
    """

    label: str
    needs: str
    check: Callable[[Evaluation, str], None]
    compute: Callable[[JobContext, Evaluation, str], Finding]
    queue: Queue = Queue.DEFAULT


COMPUTATIONS = {
    Analysis.Kind.CLUSTERS: Computation(
        "Cluster errors", "evaluation.evaluate", clustering.check, clustering.compute
    ),
    Analysis.Kind.MEMBERSHIP: Computation(
        "Run membership-inference test",
        "evaluation.evaluate",
        leaking.check,
        leaking.compute,
        Queue.EVALUATION,
    ),
    Analysis.Kind.ROBUSTNESS: Computation(
        "Run robustness test", "evaluation.evaluate", disturbing.check, disturbing.compute, Queue.EVALUATION
    ),
    Analysis.Kind.WORDS: Computation(
        "Explain prediction", "datasets.read_samples", explaining.check, explaining.compute
    ),
}


@transaction.atomic
def analyse(*, evaluation: Evaluation, kind: Analysis.Kind, actor: User, item: str = "") -> Job:
    """Queue an analysis. If the same one is queued, return that job.

    item: digest of an item; "" for the whole evaluation. Raises PermissionDenied, Conflict (it exists
    already), or Refused (it can't be computed).
    """
    computation = COMPUTATIONS[kind]
    require(actor, computation.needs, evaluation)
    computation.check(evaluation, item)
    if queries.analysis(evaluation, kind, item) is not None:
        raise Conflict(
            f"The {kind.label} of {evaluation.run} on {evaluation.split} already exists and never changes."
        )
    key = f"analyse:{evaluation.uuid}:{kind.value}:{item}"
    if not Job.objects.filter(key=key, state__in=[State.QUEUED, State.RUNNING]).exists():
        record(
            actor,
            Verb.ANALYSIS_REQUESTED,
            evaluation,
            project=evaluation.run.project.uuid,
            kind=kind.value,
            item=item or None,
        )
    args = {"evaluation": str(evaluation.uuid), "item": item}
    name = job_kind(kind, written=evaluation.task_type.writes_text)
    return enqueue(name, actor=actor, project=evaluation.run.project, args=args, subject=evaluation, key=key)


def job_kind(kind: Analysis.Kind, *, written: bool = False) -> str:
    """The job kind of an analysis. written: of a decoder, whose word attribution takes minutes and a training
    worker.
    """
    return queries.WRITTEN_WORDS if written and kind == Analysis.Kind.WORDS else f"evaluation.{kind.value}"


def runner(kind: Analysis.Kind) -> Callable[[JobContext], None]:
    """The job: compute, then store. Running it twice stores one result."""

    def run(ctx: JobContext) -> None:
        evaluation = queries.whole(ctx.args["evaluation"])
        finding = COMPUTATIONS[kind].compute(ctx, evaluation, ctx.args["item"])
        ctx.raise_if_cancelled()
        with transaction.atomic():
            ctx.hold()
            keep_finding(evaluation, kind, finding, item=ctx.args["item"], actor=ctx.job.created_by)

    return run


@transaction.atomic
def keep_finding(
    evaluation: Evaluation, kind: Analysis.Kind, finding: Finding, *, item: str = "", actor: User | None
) -> Analysis:
    """Store a result permanently. If there is one already, that stays."""
    report = rules.finite(finding.report)
    found, created = Analysis.objects.get_or_create(
        evaluation=evaluation,
        kind=kind,
        item=item,
        defaults={"report": report, "rows": finding.rows, "created_by": actor},
    )
    if created:
        record(
            actor,
            Verb.ANALYSIS_RECORDED,
            found,
            project=evaluation.run.project.uuid,
            evaluation=evaluation.uuid,
            kind=kind.value,
            item=item or None,
            report_digest=digest_of(report),
            rows_digest=finding.rows.digest if finding.rows else None,
        )
    return found
