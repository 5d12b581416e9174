"""What the dry run finds: how a file would be parsed and what an import would create."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from datasets_app.datasets import ports
from datasets_app.datasets.importing import dry_run, label_config, label_values, mapping, readers, sniffing
from datasets_app.datasets.importing.label_values import LabelValues
from datasets_app.datasets.importing.readers import Misfit, Reading
from datasets_app.datasets.importing.report import Problem, Report
from datasets_app.datasets.models import Dataset, Upload
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.columns import Role
from lifecycle.runtime.task_types.inputs import clean
from registry.ground.artifacts import actions as artifacts

NEW_SHOWN = 20  # labels of a file that the dataset doesn't have


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
