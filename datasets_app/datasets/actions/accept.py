"""Accepting or discarding an upload, and what happens when its import fails or is cancelled."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from datasets_app.datasets import ports, queries
from datasets_app.datasets.actions.inspection import record_reader
from datasets_app.datasets.models import Dataset, Upload
from datasets_app.datasets.rules import MOVES, SPLITS, UploadState
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.rules import check_move
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb


@transaction.atomic
def accept_upload(
    *,
    upload_id: UUID,
    actor: User,
    labels_as: str = Upload.Labels.DECISIONS,
    default_split: str | None = None,
    origin: str = "",
    seen: str = "",
    by_system: bool = False,
) -> Job:
    """Have an inspected upload imported by a job. Its items appear together when the job is done.

    labels_as: whether labels of the file become decisions, adjudicated by the actor, or suggestions.
    default_split: of rows without a split in the file; empty for none, None for the dry run's. seen: the
    digest (queries.seen_digest) that the page showed. by_system: the product selected these texts on the
    actor's behalf.
    Raises PermissionDenied, Refused (something blocks the file), or Conflict (changed since, or another
    import runs in the dataset).
    """
    upload = (
        Upload.objects.select_for_update(of=("self",), no_key=True)
        .select_related("dataset__project", "blob", "uploaded_by")
        .get(uuid=upload_id)
    )
    Dataset.objects.select_for_update(of=("self",), no_key=True).get(pk=upload.dataset_id)
    policy.require(actor, "datasets.upload", upload)
    check_move("upload", MOVES, UploadState(upload.state), UploadState.IMPORTING)
    check_acceptable(upload, labels_as, default_split, seen)
    upload.state, upload.labels_as = UploadState.IMPORTING, labels_as
    if default_split is not None and default_split != upload.default_split:
        upload.default_split = default_split
        # kept if the import is cancelled, and another person may accept the file then
        record_reader(upload, actor)
    upload.origin = origin.strip()[:200] or upload.origin
    upload.accepted_by, upload.accepted_at = actor, timezone.now()
    upload.save(update_fields=["state", "labels_as", "default_split", "origin", "accepted_by", "accepted_at"])
    job = jobs.enqueue(
        "datasets.import",
        actor=actor,
        project=upload.dataset.project,
        args={"upload": str(upload.uuid)},
        subject=upload,
        key=f"datasets.import:{upload.uuid}",
    )
    ledger.record(
        actor,
        Verb.UPLOAD_ACCEPTED,
        upload,
        project=upload.dataset.project.uuid,
        dataset=upload.dataset.uuid,
        file=upload.blob.digest,
        mapping=digest_of(upload.mapping),
        labels_as=labels_as,
        default_split=upload.default_split,
        rows=upload.report["dry_run"]["ok"],
        read_as=queries.seen_digest(upload),
        uploaded_by=upload.uploaded_by.uuid,
        provenance=upload.provenance.document(),
        **({"label_values": upload.label_values} if upload.label_values else {}),
        **({"by_system": True} if by_system else {}),
    )
    return job


def check_acceptable(upload: Upload, labels_as: str, default_split: str | None, seen: str) -> None:
    """Raises Refused or Conflict if the upload can't be imported as requested."""
    found = upload.report.get("dry_run", {})
    if seen and seen != queries.seen_digest(upload):
        raise Conflict(
            "The parsing settings changed while you were reviewing.",
            next_step="Review the dry run again, then accept it.",
        )
    if found.get("blocked", True):
        first = next((problem for problem in found.get("problems", []) if problem["blocks"]), None)
        raise Refused(
            first["sentence"] if first else "The file hasn't been checked yet.",
            next_step=first["fix"] if first else "Check it first.",
        )
    if labels_as not in Upload.Labels.values:
        raise Refused(
            "Labels can be imported as resolved labels or as pre-labels.",
            fields={"labels_as": ["Choose resolved labels or pre-labels."]},
        )
    if default_split and default_split not in SPLITS:
        message = f"{default_split!r} isn't a split. Choose one of {', '.join(SPLITS)}."
        raise Refused(message, fields={"default_split": [message]})
    if found["labels"] and ports.label_importer() is None:
        raise Refused("No installed app imports labels.", next_step="Map the label column to metadata.")
    if running := queries.importing_now(upload.dataset_id):
        raise Conflict(
            f"{running.file_name} is being imported into this dataset.",
            next_step="Wait until that finishes, then accept this file.",
        )


@transaction.atomic
def discard_upload(*, upload_id: UUID, actor: User) -> Upload:
    """Discard an upload that isn't imported; its file stays in the store. Raises PermissionDenied or
    Conflict.
    """
    upload = (
        Upload.objects.select_for_update(of=("self",), no_key=True)
        .select_related("dataset__project", "blob")
        .get(uuid=upload_id)
    )
    policy.require(actor, "datasets.upload", upload)
    if upload.state == UploadState.IMPORTING:
        raise Conflict("This upload is being imported.", next_step="Cancel the import first.")
    check_move("upload", MOVES, UploadState(upload.state), UploadState.DISCARDED)
    upload.state = UploadState.DISCARDED
    upload.save(update_fields=["state"])
    ledger.record(
        actor, Verb.UPLOAD_DISCARDED, upload, project=upload.dataset.project.uuid, file=upload.blob.digest
    )
    return upload


def import_failed(job: Job) -> None:
    """The import failed for good: save the error and start a job that deletes its items. Called in the job's
    last transaction.
    """
    reset_upload(job, UploadState.FAILED, {"message": job.error, "next_step": job.next_step})


def import_cancelled(job: Job) -> None:
    """The import was cancelled: the upload waits for acceptance again. Called in the job's last
    transaction.
    """
    reset_upload(
        job,
        UploadState.INSPECTED,
        {"message": "The import was cancelled; nothing was imported.", "next_step": ""},
    )


def reset_upload(job: Job, state: UploadState, error: dict[str, str]) -> None:
    """Move an importing upload back, and have its hidden items removed."""
    upload = (
        Upload.objects.select_for_update(of=("self",), no_key=True)
        .select_related("dataset__project")
        .get(uuid=job.args["upload"])
    )
    if upload.state != UploadState.IMPORTING:
        return
    upload.state = state
    upload.report = {**upload.report, "error": error}
    upload.save(update_fields=["state", "report"])
    jobs.enqueue(
        "datasets.clean_up",
        actor=None,
        project=upload.dataset.project,
        args={"upload": str(upload.uuid)},
        subject=upload,
    )
