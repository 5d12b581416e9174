"""Upload, accept, and discard a file of corrected labels."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from datasets_app.datasets.actions.receive import clean_name, store, temp_file
from datasets_app.datasets.models import Dataset
from datasets_app.exchange.correcting import Outcome
from datasets_app.exchange.models.corrections import Correction
from datasets_app.exchange.queries import corrections as reading
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

CHECK, WRITE = "exchange.look_through", "exchange.correct"
State = Correction.State


def upload_corrections(
    *, dataset: Dataset, actor: User, content: Iterable[bytes], file_name: str
) -> Correction:
    """Store a file of corrected labels, and enqueue a job that lists its planned changes. No label changes
    yet.

    Raises PermissionDenied, or Refused for a file that is empty, too large, or of an unknown format.
    """
    policy.require(actor, "labeling.adjudicate", dataset)
    with temp_file(content) as path:
        blob = store(path)
    with transaction.atomic():
        correction = Correction.objects.create(
            dataset=dataset, blob=blob, file_name=clean_name(file_name), uploaded_by=actor
        )
        enqueue(CHECK, correction, actor)
    return correction


def enqueue(kind: str, correction: Correction, actor: User) -> Job:
    """Enqueue the job of a file; a file has at most one of each kind."""
    args = {"correction": str(correction.uuid)}
    return jobs.enqueue(
        kind,
        actor=actor,
        project=correction.dataset.project,
        args=args,
        subject=correction,
        key=f"{kind}:{correction.uuid}",
    )


@transaction.atomic
def accept_corrections(*, correction_id: UUID, actor: User, take_moved: bool = False) -> Job:
    """Write the changes of a file as labels under this person's responsibility.

    take_moved: also overwrite labels changed after the export. Raises PermissionDenied, Refused (nothing
    would change), or Conflict (not checked, already accepted, another file is being written, labels were
    removed since the upload).
    """
    rows = Correction.objects.select_for_update(of=("self",), no_key=True).select_related(
        "dataset__project", "blob", "uploaded_by"
    )
    correction = rows.get(uuid=correction_id)
    Dataset.objects.select_for_update(of=("self",), no_key=True).get(pk=correction.dataset_id)
    policy.require(actor, "labeling.adjudicate", correction)
    if correction.state != State.LOOKED:
        raise Conflict(
            f"This file is {correction.get_state_display().lower()}.", next_step="Reload the page."
        )
    if (other := reading.writing_now(correction.dataset)) is not None:
        raise Conflict(
            f"Labels from {other.file_name} are still being written.",
            next_step="Wait until that finishes, then accept this file.",
        )
    check_current(correction)
    counts = correction.report["look"]["counts"]
    if not counts.get(Outcome.CHANGED, 0) and not (take_moved and counts.get(Outcome.MOVED, 0)):
        raise Refused("This file changes no labels.", next_step="Correct labels in it, then upload it again.")
    correction.state, correction.take_moved = State.WRITING, take_moved
    correction.accepted_by, correction.accepted_at = actor, timezone.now()
    correction.report = {"look": correction.report["look"]}
    correction.save(update_fields=["state", "take_moved", "accepted_by", "accepted_at", "report"])
    job = enqueue(WRITE, correction, actor)
    ledger.record(
        actor,
        Verb.CORRECTIONS_ACCEPTED,
        correction,
        project=correction.dataset.project.uuid,
        dataset=correction.dataset.uuid,
        file=correction.blob.digest,
        uploaded_by=correction.uploaded_by.uuid,
        take_moved=take_moved,
    )
    return job


def check_current(correction: Correction) -> None:
    """Raise Conflict if labels were merged, split, or retired after the file was checked."""
    if reading.is_overtaken(correction):
        message = (
            "Labels were merged, split, or retired after this file was checked, so it would now change"
            " different items."
        )
        raise Conflict(message, next_step="Discard it, then upload it again.")


@transaction.atomic
def discard_corrections(*, correction_id: UUID, actor: User) -> Correction:
    """Discard a file that needs review. Labels written before a cancelled write stay. Safe to repeat.

    Raises PermissionDenied (neither uploader nor ML lead), or Conflict (being checked or written, written, or
    unreadable).
    """
    rows = Correction.objects.select_for_update(of=("self",), no_key=True).select_related("dataset__project")
    correction = rows.get(uuid=correction_id)
    policy.require(actor, "labeling.read_corrections", correction)
    if not reading.may_discard(actor, correction):
        raise PermissionDenied("Only the uploader or an ML lead can discard a file.")
    if correction.state == State.DISCARDED:
        return correction
    if correction.state != State.LOOKED:
        raise Conflict(
            f"This file is {correction.get_state_display().lower()}.", next_step="Reload the page."
        )
    correction.state, correction.ended_at = State.DISCARDED, timezone.now()
    correction.save(update_fields=["state", "ended_at"])
    ledger.record(
        actor,
        Verb.CORRECTIONS_DISCARDED,
        correction,
        project=correction.dataset.project.uuid,
        dataset=correction.dataset.uuid,
        file=correction.blob.digest,
        uploaded_by=correction.uploaded_by.uuid,
    )
    return correction
