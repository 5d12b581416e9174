"""Ten-step dry runs, and storing their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.rules import FINAL
from lifecycle.modeling.training.actions.launch import (
    DEVICES,
    check_base,
    check_kind,
    check_snapshot,
    make_spec,
)
from lifecycle.modeling.training.models import BaseModel, Estimate
from lifecycle.runtime.engine.estimate import Profile, Rows, sample_rows
from lifecycle.runtime.engine.estimate import estimate as scale
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access.models import Project, User
from registry.ground.access.policy import require
from registry.ground.ledger.actions import record
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

KIND = "training.estimate"
OPEN_MAX = 3  # per user and project
ROWS_MAX = 20_000


@transaction.atomic
def estimate(
    *,
    snapshot: Snapshot,
    base: BaseModel,
    strategy: str,
    actor: User,
    options: Mapping[str, Any] | None = None,
) -> Estimate:
    """Queue a dry run of what `launch` would train. If one with the same spec is queued or running, return
    it; no run is started.

    options: as in `launch`. Raises PermissionDenied, Refused (as `launch`), or NotReady (the base model's
    files are missing).
    """
    project = Project.objects.select_for_update(of=("self",), no_key=True).get(pk=snapshot.dataset.project_id)
    require(actor, "training.launch", snapshot)
    check_snapshot(snapshot)
    check_base(base, project, actor)
    check_kind(snapshot, base)
    spec = make_spec(snapshot, base, strategy, options or {})
    document = spec.to_json()
    digest = digest_of(document)
    waiting = (
        Estimate.objects.filter(snapshot=snapshot, base=base, spec_digest=digest)
        .exclude(job__state__in=FINAL)
        .first()
    )
    if waiting:
        return waiting
    if (
        Estimate.objects.filter(project=project, asked_by=actor).exclude(job__state__in=FINAL).count()
        >= OPEN_MAX
    ):
        raise Conflict(
            f"You already have {OPEN_MAX} dry runs queued or running in this project.",
            next_step="Wait for them or cancel one; they delay training.",
        )
    if (rows := sample_rows(spec, snapshot.counts["splits"]["train"])) > ROWS_MAX:
        text = (
            f"Ten steps with this batch size need {rows:,} rows; the limit is {ROWS_MAX:,}. Choose a smaller"
            " batch size."
        )
        raise Refused(text, fields={"batch_size": [text]})
    made = Estimate.objects.create(
        project=project,
        snapshot=snapshot,
        base=base,
        strategy=strategy,
        spec=document,
        spec_digest=digest,
        asked_by=actor,
    )
    made.job = jobs.enqueue(
        KIND,
        actor=actor,
        project=project,
        args={"estimate": str(made.uuid)},
        subject=made,
        key=f"estimate:{made.uuid}",
        device=DEVICES[spec.device],
    )
    made.save(update_fields=["job"])
    record(
        actor,
        Verb.RUN_ESTIMATED,
        made,
        project=project.uuid,
        snapshot=snapshot.uuid,
        base=base.uuid,
        spec_digest=digest,
    )
    return made


@transaction.atomic
def cancel_estimate(*, estimate_id: UUID, actor: User) -> Estimate:
    """Cancel a dry run. Raises PermissionDenied or Conflict (it has ended)."""
    found = Estimate.objects.select_related("job", "project", "snapshot__dataset").get(uuid=estimate_id)
    require(actor, "training.launch", found)
    if found.job is not None:
        jobs.cancel(found.job.uuid, actor)
        found.job.refresh_from_db()
    return found


def keep_estimate(found: Estimate, result: Mapping[str, Any], rehearsed: int = 0) -> Estimate:
    """Store the cost of the ten steps and of the whole run. result: from the engine. rehearsed: rehearsal
    rows of the whole run.
    """
    profile, splits = Profile.from_json(result), found.snapshot.counts["splits"]
    rows = Rows(splits["train"] + rehearsed, splits["validation"])
    found.profile = profile.to_json()
    found.figures = asdict(scale(profile, TrainSpec.from_json(found.spec), rows))
    return end(found)


def fail_estimate(found: Estimate, code: str, message: str, next_step: str) -> Estimate:
    """Record that a dry run failed. message, next_step: sentences for people. No effect on one that has
    ended.
    """
    if found.finished_at is not None:
        return found
    found.error = {"code": code, "message": message, "next_step": next_step}
    return end(found)


def end(found: Estimate) -> Estimate:
    """Record its end."""
    found.finished_at = timezone.now()
    found.save(update_fields=["profile", "figures", "error", "finished_at"])
    return found
