"""The dry run: check a file now or in a job, and save what was found. Nothing is imported."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db import transaction

from datasets_app.datasets import queries
from datasets_app.datasets.actions.examining import examine
from datasets_app.datasets.importing import label_values, readers
from datasets_app.datasets.importing.readers import Reading
from datasets_app.datasets.importing.report import Report
from datasets_app.datasets.models import Upload
from datasets_app.datasets.rules import MOVES, SPLITS, UploadState
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.rules import check_move
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

AT_ONCE_BYTES = 4_000_000  # larger files are checked by a job
CANCEL_SECONDS = 0.5  # between two checks for cancellation
AT_ONCE_SECONDS = 1.0  # of CPU time; slower checks restart in a job


def inspect(
    *,
    upload_id: UUID,
    actor: User,
    encoding: str = "",
    parser: str = "",
    delimiter: str = "",
    has_header: bool | None = None,
    default_split: str | None = None,
    contradicting: str | None = None,
    mapping: dict[str, str] | None = None,
    label_values: dict[str, str] | None = None,
    wait: bool = False,
) -> Upload:
    """Check an upload and propose parsing settings; given ones count as chosen. Slow files are left to a job.

    contradicting: of `Upload.Contradicting`; None to leave it as it is. mapping: of columns, as in
    `set_mapping`; None to have it proposed. label_values: the label name of each value of the label column;
    empty for no label. Other values become the label that they obviously match, else a label of their own
    name. None to keep earlier choices, unless the label column changed.
    wait: block until it's done, for files that the product itself created.
    Raises PermissionDenied, Refused for an unknown choice, or Conflict once the upload is being imported, or
    if another person chose a different split or label handling during the check.
    """
    choices: dict[str, Any] = {
        "encoding": encoding,
        "parser": parser,
        "delimiter": delimiter,
        "has_header": has_header,
        "mapping": mapping,
    }
    choices["label_values"] = label_values
    check_choices(choices, default_split, contradicting)
    return dry_run_upload(upload_id, actor, choices, default_split, contradicting, wait=wait)


def set_mapping(
    *,
    upload_id: UUID,
    actor: User,
    mapping: dict[str, str],
    default_split: str | None = None,
    contradicting: str | None = None,
    label_values: dict[str, str] | None = None,
    wait: bool = False,
) -> Upload:
    """Set the column mapping and check the file again. Columns that aren't named are ignored.

    label_values, wait, raises: as `inspect`.
    """
    upload = Upload.objects.get(uuid=upload_id)
    choices: dict[str, Any] = {
        field: getattr(upload, field) for field in ("encoding", "parser", "delimiter", "has_header")
    }
    choices |= {"mapping": mapping, "label_values": label_values}
    check_choices(choices, default_split, contradicting)
    return dry_run_upload(upload_id, actor, choices, default_split, contradicting, wait=wait)


def check_choices(choices: dict[str, Any], default_split: str | None, contradicting: str | None) -> None:
    """Raises Refused, naming the field, for a choice that does not exist."""
    known = {"encoding": readers.ENCODINGS, "parser": readers.PARSERS, "delimiter": readers.DELIMITERS}
    for field, options in known.items():
        if choices[field] and choices[field] not in options:
            message = f"Unknown {field} {choices[field]!r}. Choose one of {', '.join(map(repr, options))}."
            raise Refused(message, fields={field: [message]})
    if default_split and default_split not in SPLITS:
        message = f"{default_split!r} isn't a split. Choose one of {', '.join(SPLITS)}."
        raise Refused(message, fields={"default_split": [message]})
    if contradicting and contradicting not in Upload.Contradicting.values:
        message = f"{contradicting!r} is unknown. Choose first or unlabeled."
        raise Refused(message, fields={"contradicting": [message]})


def dry_run_upload(
    upload_id: UUID,
    actor: User,
    choices: dict[str, Any],
    default_split: str | None,
    contradicting: str | None,
    *,
    wait: bool,
) -> Upload:
    """Dry-run a file now, or in a job where it is large or slow."""
    with transaction.atomic():
        upload = locked(upload_id, actor)
        if message := label_values.wrong_target(upload.dataset.task, choices.get("label_values") or {}):
            raise Refused(message, fields={"label_values": [message]})
        chosen = {"default_split": default_split, "contradicting": contradicting}
        fields = [name for name, value in chosen.items() if value not in (None, getattr(upload, name))]
        for name in fields:
            setattr(upload, name, chosen[name])
        if fields:
            upload.save(update_fields=fields)
            record_reader(upload, actor)
    if wait:
        return write_findings(upload, actor, choices, *examine(upload, choices))
    try:
        if upload.size > AT_ONCE_BYTES:
            raise readers.TooSlow
        with readers.within(AT_ONCE_SECONDS):
            found = examine(upload, choices)
    except readers.TooSlow:
        return leave_to_job(upload_id, actor, choices)
    return write_findings(upload, actor, choices, *found)


@transaction.atomic
def leave_to_job(upload_id: UUID, actor: User, choices: dict[str, Any]) -> Upload:
    """Start a job that checks the upload from its beginning."""
    upload = locked(upload_id, actor)
    args = {
        "upload": str(upload.uuid),
        "choices": choices,
        "split": upload.default_split,
        "contradicting": upload.contradicting,
    }
    key = f"datasets.inspect:{upload.uuid}:{digest_of(args)[:16]}"
    jobs.enqueue(
        "datasets.inspect", actor=actor, project=upload.dataset.project, args=args, subject=upload, key=key
    )
    return upload


def locked(upload_id: UUID, actor: User) -> Upload:
    """The upload, locked until the caller's transaction ends. Raises PermissionDenied or Conflict."""
    upload = (
        Upload.objects.select_for_update(of=("self",), no_key=True)
        .select_related("dataset__project", "blob")
        .get(uuid=upload_id)
    )
    policy.require(actor, "datasets.upload", upload)
    check_open(upload)
    return upload


def check_open(upload: Upload) -> None:
    """Raises Conflict unless the upload can still be checked and changed."""
    if upload.state not in (UploadState.RECEIVED, UploadState.INSPECTED, UploadState.FAILED):
        raise Conflict(
            f"This upload is {upload.get_state_display().lower()} and can't be changed.",
            next_step="Reload the page.",
        )


def run_inspection(ctx: JobContext) -> None:
    """The job of a slow dry run."""
    upload = Upload.objects.select_related("dataset__project", "blob").get(uuid=ctx.args["upload"])
    if upload.state not in (UploadState.RECEIVED, UploadState.INSPECTED, UploadState.FAILED):
        return
    if (upload.default_split, upload.contradicting) != (ctx.args["split"], ctx.args["contradicting"]):
        return  # another job checks it with newer settings

    next_check = 0.0

    def check() -> None:
        nonlocal next_check
        if time.monotonic() >= next_check:
            ctx.raise_if_cancelled()
            next_check = time.monotonic() + CANCEL_SECONDS

    def tick(rows: int, total: int | None) -> None:
        ctx.progress(rows, total, stage="Checking the file", unit="rows")

    with readers.watched(check):
        found = examine(upload, ctx.args["choices"], tick)
    with suppress(Conflict):  # as above: accepted, or being checked by another job
        write_findings(upload, ctx.job.created_by, ctx.args["choices"], *found)


@transaction.atomic
def write_findings(
    upload: Upload,
    actor: User | None,
    choices: dict[str, Any],
    reading: Reading,
    roles: dict[str, str],
    report: Report,
) -> Upload:
    """Save the results of the dry run. upload: as it was examined. actor: who chose the parsing settings.

    Raises Conflict if the upload's state or settings changed meanwhile: the newer check is kept.
    """
    fresh = (
        Upload.objects.select_for_update(of=("self",), no_key=True)
        .select_related("dataset__project", "blob")
        .get(pk=upload.pk)
    )
    check_open(fresh)
    check_move("upload", MOVES, UploadState(fresh.state), UploadState.INSPECTED)
    if (fresh.default_split, fresh.contradicting) != (upload.default_split, upload.contradicting):
        raise Conflict(
            "The parsing settings changed while you were reviewing.",
            next_step="Reload the page, then choose again.",
        )
    before, was_read = queries.seen_digest(fresh), bool(fresh.mapping)
    fresh.encoding, fresh.parser, fresh.delimiter = reading.encoding, reading.parser, reading.delimiter
    fresh.has_header, fresh.mapping, fresh.report = reading.has_header, roles, {"dry_run": report.as_json()}
    fresh.label_values, fresh.state = report.decided, UploadState.INSPECTED
    fresh.save(
        update_fields=[
            "encoding",
            "parser",
            "delimiter",
            "has_header",
            "mapping",
            "label_values",
            "report",
            "state",
        ]
    )
    # dropping choices is a choice, too
    has_chosen = was_read or any(value not in (None, "") for value in choices.values())
    if queries.seen_digest(fresh) != before and has_chosen:
        record_reader(fresh, actor)
    return fresh


def record_reader(upload: Upload, actor: User | None) -> None:
    """Record a change of another person's parsing settings: the actor then shares responsibility for the
    labels.
    """
    if actor is not None and actor.pk != upload.uploaded_by_id:
        project = upload.dataset.project.uuid
        ledger.record(
            actor,
            Verb.UPLOAD_PARSING_CHANGED,
            upload,
            project=project,
            file=upload.blob.digest,
            read_as=queries.seen_digest(upload),
        )
