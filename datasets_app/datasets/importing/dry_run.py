"""Read a whole file without saving anything and report what an import would do. Pure but for reading the
file.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from datasets_app.datasets.importing import mapping as mappings
from datasets_app.datasets.importing import readers
from datasets_app.datasets.importing.label_values import LabelValues
from datasets_app.datasets.importing.mapping import Draft, Mapper
from datasets_app.datasets.importing.readers import Reading, Row
from datasets_app.datasets.importing.recognising import misfit, recognise
from datasets_app.datasets.importing.report import PEOPLE_LIMIT, Problem, Report
from datasets_app.datasets.rules import place
from lifecycle.runtime.task_types.answers import canonical
from lifecycle.runtime.task_types.by_key.types import DEFAULT
from lifecycle.runtime.task_types.values import labels_of, words

FIRST = 20
REPEATS_LIMIT = 200_000  # texts up to which repeats are counted; with more, only the import counts them
CONTRADICTIONS = 5  # shown
REPORTED = b""  # for a text whose second form was reported
TICK = 1_000
Tick = Callable[[int, int | None], None]
ROWS_LIMIT = 20_000_000


def read_drafts(
    path: Path,
    reading: Reading,
    mapping: Mapping[str, str],
    default_split: str,
    task: str = DEFAULT,
    values: LabelValues | None = None,
) -> Iterator[Draft | Problem]:
    """Every row of the file as a draft or a problem; used by the import and the dry run."""
    mapper = Mapper(mapping, default_split, reading.parser, task, values)
    for row in readers.read_rows(path, reading):
        found = mapper.draft(row) if isinstance(row, Row) else row
        if isinstance(found, Draft):
            yield from mapper.remarks(found)
        if isinstance(found, Draft) and found.labeling and found.labeling.unread:
            yield unread_problem(found, mapper.place)
        yield found


def first_rows(path: Path, reading: Reading, count: int = FIRST) -> list[Row]:
    """The first readable rows, among ten times as many."""
    found = islice(readers.read_rows(path, reading), 10 * count)
    return list(islice((row for row in found if isinstance(row, Row)), count))


def examine(
    path: Path,
    reading: Reading,
    mapping: Mapping[str, str],
    default_split: str = "",
    tick: Tick | None = None,
    task: str = DEFAULT,
    contradicting: str = "",
    values: LabelValues | None = None,
) -> Report:
    """The report of a dry run. The encoding is known to fit. task: of the dataset.

    contradicting: the choice for equal texts with different labels, as `Upload.Contradicting`; without one
    they block. values: the mapping of label values.
    tick: called regularly with the rows read and their estimated total.
    """
    report, values = Report(), values or LabelValues(task, {})
    header = readers.header(path, reading)
    report.columns = list(header.columns)
    layout = recognise(header.columns, first_rows(path, reading))
    report.layout = layout.name if layout else ""
    other_task = misfit(layout, task)
    guessed = first_row(header.columns, reading)
    for problem in (
        *header.problems,
        *(each for each in (other_task, guessed) if each),
        *mappings.check(mapping, header.columns, task),
    ):
        report.add(problem)
    if report.blocked:
        return report
    seen: dict[bytes, Seen] = {}
    forms: dict[bytes, bytes] = {}
    total = readers.about_rows(path, reading) if tick else None
    for found in read_drafts(path, reading, mapping, default_split, task, values):
        if isinstance(found, Problem) and found.notice:
            report.add(found)
            continue
        report.rows += 1
        if report.rows > ROWS_LIMIT:
            report.add(too_many())
            break
        if isinstance(found, Problem):
            report.failed += 1
            report.add(found)
        else:
            count_draft(report, found, seen, forms)
        if tick and report.rows % TICK == 0:
            tick(report.rows, max(total, report.rows) if total else None)
    report.values, report.decided = dict(values.found), values.decided()
    if not report.ok:
        report.add(nothing(report.rows))
    if report.contradicting and not contradicting:
        report.add(conflict_problem(report, place(reading.parser)))
    return report


def first_row(columns: Sequence[str], reading: Reading) -> Problem | None:
    """A notice if none of the column names is known: the first row may be data."""
    if not reading.has_header or mappings.names_known(columns):
        return None
    sentence = f"The first row is used as column names: {', '.join(repr(each[:40]) for each in columns[:5])}."
    return Problem(
        1, "header", sentence, 'If it\'s a data row, clear "The first row names the columns".', notice=True
    )


@dataclass(slots=True)
class Seen:
    """A text that was read. line, member, annotation (canonical): of its first annotated row. several:
    another row has a different one.
    """

    line: int = 0
    member: str = ""
    annotation: str = ""
    several: bool = False


def count_draft(report: Report, draft: Draft, seen: dict[bytes, Seen], forms: dict[bytes, bytes]) -> None:
    """Add a valid row to the report. seen: earlier texts. forms: keys of earlier texts that aren't ASCII, by
    their NFC form.
    """
    report.ok += 1
    labeling = draft.labeling
    report.labeled += bool(draft.value or labeling and (labeling.answers or labeling.guesses))
    for person in (each.person for each in (labeling.answers if labeling else ())):
        report.add_person(person, draft.line)
    report.models.update(
        each.model
        for each in (labeling.guesses if labeling else ())
        if len(report.models) < PEOPLE_LIMIT or each.model in report.models
    )
    for name in draft.names:
        report.add_label(name, draft.line)
    if draft.split:
        report.splits[draft.split] += 1
    if report.repeated is None:
        return
    key = text_key(draft.text)
    report.repeated += key in seen
    compare_label(report, draft, seen.setdefault(key, Seen()))
    if not draft.text.isascii():
        compare_form(report, draft, forms, key)
    if len(seen) > REPEATS_LIMIT:
        report.repeated = None
        seen.clear()
        forms.clear()


def compare_label(report: Report, draft: Draft, first: Seen) -> None:
    """Count a text if its annotation differs from that of its first annotated row."""
    if draft.value is None:
        return
    annotation = canonical(draft.value)
    if not first.annotation:
        first.line, first.member, first.annotation = draft.line, draft.member, annotation
    elif annotation != first.annotation and not first.several:
        first.several = True
        report.contradicting += 1
        if len(report.contradictions) < CONTRADICTIONS:
            both = ((first.line, first.member, first.annotation), (draft.line, draft.member, annotation))
            report.contradictions.append(
                {
                    "rows": [
                        {"line": line, "member": name, "label": shown(label)} for line, name, label in both
                    ]
                }
            )


def shown(annotation: str) -> str:
    """A canonical annotation as display text."""
    value = json.loads(annotation)
    return words(value, {name: name for name in labels_of(value)})[:120]


def text_key(text: str) -> bytes:
    """The key of a text: a 16-byte digest."""
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()


def compare_form(report: Report, draft: Draft, forms: dict[bytes, bytes], key: bytes) -> None:
    """Report a text that looks like an earlier one but uses other characters, such as é and e with a
    combining accent.
    """
    composed = text_key(unicodedata.normalize("NFC", draft.text))
    if forms.setdefault(composed, key) not in (key, REPORTED):
        forms[composed] = REPORTED
        sentence = (
            f"The text at {draft.line:,} looks the same as an earlier text but uses different Unicode"
            " characters (NFC and NFD)."
        )
        report.add(
            Problem(
                draft.line,
                "twins",
                sentence,
                "Normalize the file to NFC; otherwise both are kept.",
                member=draft.member,
                notice=True,
            )
        )


def conflict_problem(report: Report, where: str) -> Problem:
    """Ask how to handle equal texts with different labels; only the uploader can know."""
    texts = "1 text has" if report.contradicting == 1 else f"{report.contradicting:,} texts have"
    at = [
        f"{row['label'][:40]!r} in {where.lower()} {row['line']:,}"
        for row in report.contradictions[0]["rows"]
    ]
    sentence = f"{texts} conflicting labels, such as {at[0]} and {at[1]}."
    fix = (
        "If several people labeled each text, map the annotator column. Otherwise keep the first label or"
        " leave these texts unlabeled."
    )
    return Problem(0, "contradicting", sentence, fix, blocks=True)


def unread_problem(draft: Draft, place: str) -> Problem:
    """A notice for predictions that can't be parsed for the task; the row is imported without them."""
    count = draft.labeling.unread if draft.labeling else 0
    sentence = (
        f"{place} {draft.line:,} has {count:,} {'prediction' if count == 1 else 'predictions'} that can't be"
        " parsed for this task."
    )
    return Problem(
        draft.line,
        "unread",
        sentence,
        "No action needed: they're not imported.",
        member=draft.member,
        notice=True,
    )


def too_many() -> Problem:
    """A problem for more rows than an upload may have."""
    return Problem(
        0, "rows", f"The file has more than {ROWS_LIMIT:,} rows.", "Split it into several files.", blocks=True
    )


def nothing(rows: int) -> Problem:
    """A problem for a file without rows to import."""
    sentence = (
        "The file has no rows below the column names."
        if not rows
        else f"None of the {rows:,} rows can be imported."
    )
    return Problem(
        0,
        "empty",
        sentence,
        "Check the first problems, the parser, the delimiter, and the text column.",
        blocks=True,
    )
