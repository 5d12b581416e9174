"""The dry run: how a file would be read and what would come of it. Nothing appears anywhere."""

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

NEW_SHOWN = 20  # classes of a file that the dataset lacks
AT_ONCE_BYTES = 4_000_000  # larger files are looked at by a job
CANCEL_SECONDS = 0.5  # between two looks whether the job is still wanted
AT_ONCE_SECONDS = 1.0  # of a processor; a job restarts what takes longer


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

    contradicting: of `Upload.Contradicting`; None to leave it as it is. mapping: of columns, as in `set_mapping`; None to have it proposed.
    label_values: what values of the label column become: the name of a class, or empty for no label. Those that are not named become the
    class that they obviously are, else themselves. None to leave them as they were, unless the label column is another one.
    wait: stay until it is done, however long it takes: for files that the product itself made.
    Raises PermissionDenied, Refused for an unknown choice, or Conflict once the upload is being imported, or if another person chose a
    different split or label handling during the check.
    """
    choices: dict[str, Any] = {"encoding": encoding, "parser": parser, "delimiter": delimiter, "has_header": has_header, "mapping": mapping}
    choices["label_values"] = label_values
    check_choices(choices, default_split, contradicting)
    return look(upload_id, actor, choices, default_split, contradicting, wait=wait)


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
    """Choose what each column is used for, and look again. Columns that are not named are left out.

    label_values, wait, raises: as `inspect`.
    """
    upload = Upload.objects.get(uuid=upload_id)
    choices: dict[str, Any] = {field: getattr(upload, field) for field in ("encoding", "parser", "delimiter", "has_header")}
    choices |= {"mapping": mapping, "label_values": label_values}
    check_choices(choices, default_split, contradicting)
    return look(upload_id, actor, choices, default_split, contradicting, wait=wait)


def check_choices(choices: dict[str, Any], default_split: str | None, contradicting: str | None) -> None:
    """Raises Refused, naming the field, for a choice that does not exist."""
    known = {"encoding": readers.ENCODINGS, "parser": readers.PARSERS, "delimiter": readers.DELIMITERS}
    for field, options in known.items():
        if choices[field] and choices[field] not in options:
            told = f"Unknown {field} {choices[field]!r}. Choose one of {', '.join(map(repr, options))}."
            raise Refused(told, fields={field: [told]})
    if default_split and default_split not in SPLITS:
        told = f"{default_split!r} isn't a split. Choose one of {', '.join(SPLITS)}."
        raise Refused(told, fields={"default_split": [told]})
    if contradicting and contradicting not in Upload.Contradicting.values:
        told = f"{contradicting!r} is unknown. Choose first or undecided."
        raise Refused(told, fields={"contradicting": [told]})


def look(
    upload_id: UUID, actor: User, choices: dict[str, Any], default_split: str | None, contradicting: str | None, *, wait: bool
) -> Upload:
    """Dry-run a file now, or in a job where it is large or slow."""
    with transaction.atomic():
        upload = held(upload_id, actor)
        if told := label_values.wrong_target(upload.dataset.task, choices.get("label_values") or {}):
            raise Refused(told, fields={"label_values": [told]})
        chosen = {"default_split": default_split, "contradicting": contradicting}
        fields = [name for name, value in chosen.items() if value not in (None, getattr(upload, name))]
        for name in fields:
            setattr(upload, name, chosen[name])
        if fields:
            upload.save(update_fields=fields)
            note_reader(upload, actor)
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
    """Have a job look at the upload, from its beginning."""
    upload = held(upload_id, actor)
    args = {"upload": str(upload.uuid), "choices": choices, "split": upload.default_split, "contradicting": upload.contradicting}
    key = f"datasets.inspect:{upload.uuid}:{digest_of(args)[:16]}"
    jobs.enqueue("datasets.inspect", actor=actor, project=upload.dataset.project, args=args, subject=upload, key=key)
    return upload


def held(upload_id: UUID, actor: User) -> Upload:
    """The upload, locked until the caller's transaction ends. Raises PermissionDenied or Conflict."""
    upload = Upload.objects.select_for_update(of=("self",), no_key=True).select_related("dataset__project", "blob").get(uuid=upload_id)
    policy.require(actor, "datasets.upload", upload)
    check_open(upload)
    return upload


def check_open(upload: Upload) -> None:
    """Raises Conflict unless the upload can still be looked at and changed."""
    if upload.state not in (UploadState.RECEIVED, UploadState.INSPECTED, UploadState.FAILED):
        raise Conflict(f"This upload is {upload.get_state_display().lower()} and can't be changed.", next_step="Reload the page.")


def run_inspection(ctx: JobContext) -> None:
    """The job of a dry run that takes long."""
    upload = Upload.objects.select_related("dataset__project", "blob").get(uuid=ctx.args["upload"])
    if upload.state not in (UploadState.RECEIVED, UploadState.INSPECTED, UploadState.FAILED):
        return
    if (upload.default_split, upload.contradicting) != (ctx.args["split"], ctx.args["contradicting"]):
        return  # another job looks at it as it was asked for since

    next_look = 0.0

    def look() -> None:
        nonlocal next_look
        if time.monotonic() >= next_look:
            ctx.raise_if_cancelled()
            next_look = time.monotonic() + CANCEL_SECONDS

    def tick(rows: int, total: int | None) -> None:
        ctx.progress(rows, total, stage="Checking the file", unit="rows")

    with readers.watched(look):
        found = examine(upload, ctx.args["choices"], tick)
    with suppress(Conflict):  # as above: it was accepted, or is looked at by another, since
        write_findings(upload, ctx.job.created_by, ctx.args["choices"], *found)


def examine(upload: Upload, choices: dict[str, Any], tick: dry_run.Tick | None = None) -> tuple[Reading, dict[str, str], Report]:
    """How the file is read, what its columns are used for, and the report."""
    with artifacts.local_copy(upload.blob.digest) as path:
        reading, misfit = find_reading(path, upload.file_name, choices, lists=not formats_of(upload.dataset.task).takes_lists)
        if misfit is not None:
            return reading, {}, undecoded(reading.encoding, misfit)
        columns = readers.header(path, reading).columns
        roles = choices["mapping"]
        if roles is None:
            roles = mapping.propose(columns, dry_run.first_rows(path, reading, 200), upload.dataset.task)
        roles = {column: roles.get(column, str(Role.IGNORE)) for column in columns}
        values = values_of(upload, roles, choices.get("label_values"))
        report = dry_run.examine(path, reading, roles, upload.default_split, tick, upload.dataset.task, upload.contradicting, values)
        if reading.parser == "labelstudio":
            read_config(readers.open_source(path).config, roles, upload.dataset.task, report)
    compare(upload.dataset, report)
    return reading, roles, report


def values_of(upload: Upload, roles: dict[str, str], chosen: dict[str, str] | None) -> LabelValues:
    """What the values of the label column become. chosen: None to keep what was chosen before of the same column."""
    label = [column for column, role in roles.items() if role == Role.LABEL]
    before = [column for column, role in upload.mapping.items() if role == Role.LABEL]
    if chosen is None:
        chosen = upload.label_values if label == before else {}
    importer, task = ports.label_importer(), upload.dataset.task
    known = importer.known_names(upload.dataset) if importer and label_values.are_mapped(task) else ()
    return LabelValues(task, {clean(value): target for value, target in chosen.items()}, known)


def read_config(text: str, roles: dict[str, str], task: str, report: Report) -> None:
    """Take the classes of the question that was taken, in their order, from the configuration beside the data; report what doesn't fit."""
    if not text:
        return
    try:
        found = label_config.controls(text)
    except label_config.Unreadable as error:
        report.add(Problem(0, "config", str(error), "No action needed: labels are added in alphabetical order.", notice=True))
        return
    asked = next((column for column, role in roles.items() if role == Role.LABEL), "")
    control = next((each for each in found if each.name == asked), found[0])
    report.config, report.classes = text, list(control.classes)
    if control.task != task:
        theirs, own = (type_of(each).title.lower() for each in (control.task, task))
        told = f"The configuration is for another task: {theirs}. This dataset's task: {own}."
        report.add(Problem(0, "config", told, "If that's unintended, upload the file to a dataset with that task.", notice=True))


def compare(dataset: Dataset, report: Report) -> None:
    """Add to the report what is known here: the accounts of its people, and which of its classes would be new, with the nearest one."""
    importer = ports.label_importer()
    if importer is None:
        return
    report.accounts = importer.accounts(dataset, list(report.people))
    known = list(importer.known_names(dataset))
    for name in sorted(set(report.labels) - set(known))[:NEW_SHOWN] if known else ():
        near = get_close_matches(name, known, n=1)
        told = f"{name!r} isn't a label of this dataset yet. Accepting the file adds it."
        report.add(
            Problem(0, "new_label", told, f"Did you mean {near[0]!r}?" if near else "No action needed if that's right.", notice=True)
        )


def find_reading(path: Path, file_name: str, choices: dict[str, Any], *, lists: bool) -> tuple[Reading, Misfit | None]:
    """How the file is read, or where its bytes do not fit the encoding. lists: as in `sniffing.propose`."""
    if kind := sniffing.binary_kind(path):
        return Reading("", kind, "", has_header=kind in readers.WITH_HEADER and choices["has_header"] is not False), None
    encoding, misfit = choices["encoding"], None
    if encoding:
        misfit = readers.first_unreadable(path, encoding)
    else:
        encoding, misfit = readers.find_encoding(path)
    if misfit is not None:
        return Reading(encoding, choices["parser"], choices["delimiter"]), misfit
    return choose(path, file_name, encoding, choices, lists=lists), None


def choose(path: Path, file_name: str, encoding: str, choices: dict[str, Any], *, lists: bool) -> Reading:
    """The proposed reading, with everything that a person chose put in its place."""
    found = sniffing.propose(path, file_name, encoding, lists=lists)
    parser = choices["parser"] or found.parser
    if parser in readers.BINARY:
        told = f"The file is text, not {readers.PARSERS[parser]}."
        raise Refused(told, fields={"parser": [told]})
    if parser not in readers.WITH_HEADER:
        return Reading(encoding, parser, "", has_header=False)
    delimiter = "\t" if parser == "tsv" else choices["delimiter"] or found.delimiter or ","
    has_header = found.has_header if choices["has_header"] is None else choices["has_header"]
    if found.parser not in readers.WITH_HEADER and choices["has_header"] is None:
        has_header = True
    return Reading(encoding, parser, delimiter, has_header)


def undecoded(encoding: str, misfit: Misfit) -> Report:
    """The report of a file whose bytes do not fit the encoding."""
    report = Report()
    name = readers.ENCODINGS.get(encoding, "UTF-8")
    mend = "Choose the encoding in which the file was saved, or save it as UTF-8."
    sentence = f"Line {misfit.line:,} isn't valid {name}."
    report.add(Problem(misfit.line, "encoding", sentence, mend, blocks=True, member=misfit.member))
    return report


@transaction.atomic
def write_findings(
    upload: Upload, actor: User | None, choices: dict[str, Any], reading: Reading, roles: dict[str, str], report: Report
) -> Upload:
    """Keep what the dry run found. upload: as it was examined. actor: who chose how the file is read.

    Raises Conflict when the upload has moved on meanwhile, or if its settings were changed: the newer check is kept.
    """
    fresh = Upload.objects.select_for_update(of=("self",), no_key=True).select_related("dataset__project", "blob").get(pk=upload.pk)
    check_open(fresh)
    check_move("upload", MOVES, UploadState(fresh.state), UploadState.INSPECTED)
    if (fresh.default_split, fresh.contradicting) != (upload.default_split, upload.contradicting):
        raise Conflict("The parsing settings changed while you were reviewing.", next_step="Reload the page, then choose again.")
    before, was_read = queries.seen_digest(fresh), bool(fresh.mapping)
    fresh.encoding, fresh.parser, fresh.delimiter = reading.encoding, reading.parser, reading.delimiter
    fresh.has_header, fresh.mapping, fresh.report = reading.has_header, roles, {"dry_run": report.as_json()}
    fresh.label_values, fresh.state = report.decided, UploadState.INSPECTED
    fresh.save(update_fields=["encoding", "parser", "delimiter", "has_header", "mapping", "label_values", "report", "state"])
    has_chosen = was_read or any(value not in (None, "") for value in choices.values())  # who drops what was chosen chooses too
    if queries.seen_digest(fresh) != before and has_chosen:
        note_reader(fresh, actor)
    return fresh


def note_reader(upload: Upload, actor: User | None) -> None:
    """The event of changing another person's parsing settings: they then share responsibility for its labels."""
    if actor is not None and actor.pk != upload.uploaded_by_id:
        project = upload.dataset.project.uuid
        ledger.record(actor, Verb.UPLOAD_READ, upload, project=project, file=upload.blob.digest, read_as=queries.seen_digest(upload))
