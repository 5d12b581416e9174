"""Asking how a model answers disturbed texts, and keeping what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import transaction

from lifecycle.evaluation import rules
from lifecycle.evaluation.actions.measuring import PARQUET
from lifecycle.evaluation.models import Evaluation, Robustness
from lifecycle.jobs.actions import enqueue
from lifecycle.jobs.models import Job
from lifecycle.jobs.rules import State
from registry.access.models import User
from registry.access.policy import require
from registry.artifacts import actions as artifacts
from registry.ledger.actions import record
from registry.ledger.rules import digest_of
from registry.ledger.verbs import Verb

KIND = "evaluation.probe"


@transaction.atomic
def probe(*, evaluation: Evaluation, actor: User) -> Job:
    """Queue the probes of an evaluation's model on its rows. While that job waits or runs, it is returned.

    Raises PermissionDenied or Refused (a text may have several classes).
    """
    require(actor, "evaluation.evaluate", evaluation.run)
    rules.check_one(evaluation.report)
    key, project = f"{KIND}:{evaluation.uuid}", evaluation.run.project
    if not Job.objects.filter(key=key, state__in=[State.QUEUED, State.RUNNING]).exists():
        record(actor, Verb.PROBES_REQUESTED, evaluation, project=project.uuid, run=evaluation.run.uuid, split=evaluation.split)
    return enqueue(KIND, actor=actor, project=project, args={"evaluation": str(evaluation.uuid)}, subject=evaluation, key=key)


def keep_probes(*, evaluation: Evaluation, result: dict[str, Any], flips: Path, actor: User | None) -> Robustness:
    """Keep what probes found for ever; the same result again is the same row. result: the engine's; flips: its Parquet file."""
    blob = artifacts.put_file(flips, media_type=PARQUET)
    report = rules.finite(rules.report_of(result))
    with transaction.atomic():
        found, created = Robustness.objects.get_or_create(
            evaluation=evaluation,
            report_digest=digest_of({"report": report, "flips": blob.digest}),
            defaults={"report": report, "flips": blob, "created_by": actor},
        )
        if created:
            record(
                actor, Verb.PROBES_RECORDED, found, project=evaluation.run.project.uuid, evaluation=evaluation.uuid,
                rows=report["rows"], root_digest=evaluation.root_digest, report_digest=found.report_digest,
            )  # fmt: skip
    return found
