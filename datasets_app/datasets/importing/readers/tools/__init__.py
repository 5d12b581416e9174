"""What labeling tools export as JSON: doccano, Label Studio, Prodigy, Argilla; annotations and predictions.

Each conversion flattens an object: the text is named "text", everything else keeps its name and becomes
metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from datasets_app.datasets.importing.readers.jsons import Found, Pairs, keys, objects, row_of
from datasets_app.datasets.importing.readers.shapes import Header, Reading, Row
from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.importing.readers.tools.argilla import from_argilla
from datasets_app.datasets.importing.readers.tools.doccano import from_doccano
from datasets_app.datasets.importing.readers.tools.label_studio import from_label_studio, is_short
from datasets_app.datasets.importing.readers.tools.parts import Parsed, Unfit
from datasets_app.datasets.importing.readers.tools.prodigy import from_prodigy
from datasets_app.datasets.importing.report import Problem

TOOLS = ("labelstudio", "doccano", "prodigy", "argilla")
FIX = "Export it from the tool again, or remove the object."
STAYS = "No action needed: it stays in the file and is included in exports in the same format."
CONVERT: dict[str, Callable[[Pairs, Member], Parsed]] = {
    "doccano": from_doccano,
    "labelstudio": lambda found, member: from_label_studio(found),
    "prodigy": lambda found, member: from_prodigy(found),
    "argilla": lambda found, member: from_argilla(found),
}


def header(member: Member, reading: Reading) -> Header:
    """The columns of the first objects."""
    return keys(found for found in rows(member, reading) if isinstance(found, Row))


def records(member: Member, reading: Reading) -> Iterator[Found]:
    """The unconverted objects of one file, with their line numbers or positions in the list."""
    yield from objects(member, reading.encoding, as_list=as_list(member, reading))


def as_list(member: Member, reading: Reading) -> bool:
    """Whether a file is one list of objects, not an object a line."""
    return member.head(256).decode(reading.encoding, "ignore").lstrip("\ufeff \t\r\n").startswith("[")


def rows(member: Member, reading: Reading) -> Iterator[Row | Problem]:
    """A row for each object, and one notice for each kind of ignored content."""
    where = "Object" if as_list(member, reading) else "Line"
    convert, reported = CONVERT[reading.parser], set[str]()
    for number, found in records(member, reading):
        if isinstance(found, Problem):
            yield found
            continue
        try:
            parsed = convert(found, member)
        except Unfit as unfit:
            yield Problem(number, unfit.code, f"{where} {number:,} {unfit.sentence}", FIX)
            continue
        for what in parsed.ignored:
            if what not in reported:
                reported.add(what)
                sentence = f"{where} {number:,} {what}; these are ignored in the whole file."
                yield Problem(number, "left_out", sentence, STAYS, notice=True)
        row = row_of(number, parsed.values, where)
        yield row if isinstance(row, Problem) else row._replace(raw=parsed.raw)


def recognise(found: Pairs) -> str:
    """The tool that wrote an object, or the empty text."""
    if (
        is_short(found)
        or isinstance(found.get("data"), Pairs)
        and any(isinstance(found.get(key), list) for key in ("annotations", "completions", "predictions"))
    ):
        return "labelstudio"
    if "text" in found and ("answer" in found or "_task_hash" in found or "_input_hash" in found):
        return "prodigy"
    nested = isinstance(found.get("fields"), Pairs) and any(
        isinstance(found.get(key), Pairs) for key in ("responses", "suggestions")
    )
    if nested or any(key.endswith(".responses") for key in found):
        return "argilla"
    lists = ("label", "labels", "cats", "entities")
    return (
        "doccano"
        if ("text" in found or "data" in found) and any(isinstance(found.get(key), list) for key in lists)
        else ""
    )
