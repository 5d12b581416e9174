"""The dry run: how a file would be parsed and what an import would create. Nothing is imported."""

from __future__ import annotations

import time
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from datasets_app.datasets import ports, queries
from datasets_app.datasets.importing import dry_run, label_config, label_values, mapping, readers, sniffing
from datasets_app.datasets.importing.label_values import LabelValues
from datasets_app.datasets.importing.readers import Misfit, Reading
from datasets_app.datasets.importing.report import Problem, Report
from datasets_app.datasets.models import Dataset, Upload
from datasets_app.datasets.rules import MOVES, SPLITS, UploadState
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.rules import check_move
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.columns import Role
from lifecycle.runtime.task_types.inputs import clean
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

NEW_SHOWN = 20  # labels of a file that the dataset doesn't have
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
        message = f"{contradicting!r} is unknown. Choose first or undecided."
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


def examine(
    upload: Upload, choices: dict[str, Any], tick: dry_run.Tick | None = None
) -> tuple[Reading, dict[str, str], Report]:
    """The parsing settings, the role of each column, and the report."""
    with artifacts.local_copy(upload.blob.digest) as path:
        reading, misfit = find_reading(
            path, upload.file_name, choices, lists=not formats_of(upload.dataset.task).takes_lists
        )
        if misfit is not None:
            return reading, {}, undecoded(reading.encoding, misfit)
        columns = readers.header(path, reading).columns
        roles = choices["mapping"]
        if roles is None:
            roles = mapping.propose(columns, dry_run.first_rows(path, reading, 200), upload.dataset.task)
        roles = {column: roles.get(column, str(Role.IGNORE)) for column in columns}
        values = values_of(upload, roles, choices.get("label_values"))
        report = dry_run.examine(
            path,
            reading,
            roles,
            upload.default_split,
            tick,
            upload.dataset.task,
            upload.contradicting,
            values,
        )
        if reading.parser == "labelstudio":
            read_config(readers.open_source(path).config, roles, upload.dataset.task, report)
    compare(upload.dataset, report)
    return reading, roles, report


def values_of(upload: Upload, roles: dict[str, str], chosen: dict[str, str] | None) -> LabelValues:
    """What the values of the label column become. chosen: None to keep earlier choices for the same
    column.
    """
    label = [column for column, role in roles.items() if role == Role.LABEL]
    before = [column for column, role in upload.mapping.items() if role == Role.LABEL]
    if chosen is None:
        chosen = upload.label_values if label == before else {}
    importer, task = ports.label_importer(), upload.dataset.task
    known = importer.known_names(upload.dataset) if importer and label_values.are_mapped(task) else ()
    return LabelValues(task, {clean(value): target for value, target in chosen.items()}, known)


def read_config(text: str, roles: dict[str, str], task: str, report: Report) -> None:
    """Add the mapped question's labels, in their order, from the labeling configuration next to the data;
    report mismatches.
    """
    if not text:
        return
    try:
        found = label_config.controls(text)
    except label_config.Unreadable as error:
        report.add(
            Problem(
                0,
                "config",
                str(error),
                "No action needed: labels are added in alphabetical order.",
                notice=True,
            )
        )
        return
    question = next((column for column, role in roles.items() if role == Role.LABEL), "")
    control = next((each for each in found if each.name == question), found[0])
    report.config, report.classes = text, list(control.classes)
    if control.task != task:
        other, own = (type_of(each).title.lower() for each in (control.task, task))
        message = f"The configuration is for another task: {other}. This dataset's task: {own}."
        report.add(
            Problem(
                0,
                "config",
                message,
                "If that's unintended, upload the file to a dataset with that task.",
                notice=True,
            )
        )


def compare(dataset: Dataset, report: Report) -> None:
    """Add to the report the accounts of its people, and its new labels, each with the most similar existing
    one.
    """
    importer = ports.label_importer()
    if importer is None:
        return
    report.accounts = importer.accounts(dataset, list(report.people))
    known = list(importer.known_names(dataset))
    for name in sorted(set(report.labels) - set(known))[:NEW_SHOWN] if known else ():
        near = get_close_matches(name, known, n=1)
        message = f"{name!r} isn't a label of this dataset yet. Accepting the file adds it."
        report.add(
            Problem(
                0,
                "new_label",
                message,
                f"Did you mean {near[0]!r}?" if near else "No action needed if that's right.",
                notice=True,
            )
        )


def find_reading(
    path: Path, file_name: str, choices: dict[str, Any], *, lists: bool
) -> tuple[Reading, Misfit | None]:
    """The parsing settings, or the first invalid bytes for the encoding. lists: as in `sniffing.propose`."""
    if kind := sniffing.binary_kind(path):
        return (
            Reading(
                "", kind, "", has_header=kind in readers.WITH_HEADER and choices["has_header"] is not False
            ),
            None,
        )
    encoding, misfit = choices["encoding"], None
    if encoding:
        misfit = readers.first_unreadable(path, encoding)
    else:
        encoding, misfit = readers.find_encoding(path)
    if misfit is not None:
        return Reading(encoding, choices["parser"], choices["delimiter"]), misfit
    return choose(path, file_name, encoding, choices, lists=lists), None


def choose(path: Path, file_name: str, encoding: str, choices: dict[str, Any], *, lists: bool) -> Reading:
    """The proposed parsing settings, overridden by a person's choices."""
    found = sniffing.propose(path, file_name, encoding, lists=lists)
    parser = choices["parser"] or found.parser
    if parser in readers.BINARY:
        message = f"The file is text, not {readers.PARSERS[parser]}."
        raise Refused(message, fields={"parser": [message]})
    if parser not in readers.WITH_HEADER:
        return Reading(encoding, parser, "", has_header=False)
    delimiter = "\t" if parser == "tsv" else choices["delimiter"] or found.delimiter or ","
    has_header = found.has_header if choices["has_header"] is None else choices["has_header"]
    if found.parser not in readers.WITH_HEADER and choices["has_header"] is None:
        has_header = True
    return Reading(encoding, parser, delimiter, has_header)


def undecoded(encoding: str, misfit: Misfit) -> Report:
    """The report of a file with invalid bytes for the encoding."""
    report = Report()
    name = readers.ENCODINGS.get(encoding, "UTF-8")
    fix = "Choose the encoding in which the file was saved, or save it as UTF-8."
    sentence = f"Line {misfit.line:,} isn't valid {name}."
    report.add(Problem(misfit.line, "encoding", sentence, fix, blocks=True, member=misfit.member))
    return report


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
