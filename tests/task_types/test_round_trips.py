"""A version of every type, exported in each of its formats, is imported as the same items, labels, splits,
and label names, whatever its texts contain; what a format drops is reported.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from io import BytesIO

import pytest

from datasets_app.datasets.models import Dataset
from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.schemas.queries.labels import latest_schema, names_in, value_of
from datasets_app.snapshots.formats import formats_for
from datasets_app.snapshots.rules import ExportFormat
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.by_key.types import TYPES
from lifecycle.runtime.task_types.values import rename
from tests.support.datasets import import_file, make_dataset
from tests.support.exports import exported
from tests.support.snapshots import freeze
from tests.task_types.examples import HOSTILE

pytestmark = pytest.mark.django_db
BARE = dict.fromkeys(("ids", "groups", "times", "metadata"), (len(HOSTILE) + 1) // 2)
JOINED = {"joined": (len(HOSTILE) + 2) // 3}
LOSSES: dict[tuple[str, str], dict[str, int]] = {
    ("single_label", "fasttext"): {"breaks": 4, "like_label": 1, **BARE},
    ("multi_label", "fasttext"): {"breaks": 4, "like_label": 1, **BARE},
    ("spans", "conll"): {"spacing": 9, **BARE},
    ("generation", "xlsx"): {"returns": 4},  # of texts and responses
    ("generation", "prompts"): JOINED,
    ("generation", "summaries"): JOINED,
}
# unpaired preferences are rows of another task
KINDS = [(key, kind) for key in TYPES for kind in formats_for(key, ()) if kind != ExportFormat.UNPAIRED]
Kept = Callable[[str], str]


def sheet(text: str) -> str:
    """A text as a sheet keeps it."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def one_line(text: str) -> str:
    """A text as fastText keeps it."""
    return re.sub(r"[\r\n]+", " ", text.removeprefix("\ufeff"))


def tokens(text: str) -> str:
    """A text, or the start of one, as CoNLL keeps it."""
    return re.sub(r"[\s\ufeff]+", " ", text).lstrip()


KEPT: dict[str, Kept] = {"xlsx": sheet, "fasttext": one_line, "conll": tokens}


def kept_value(value: Value, text: str, kept: Kept) -> Value:
    """A value as a format keeps it beside its text: what was written, and the places of spans."""
    if "spans" in value:
        places = [
            (len(kept(text[: each["start"]])), len(kept(text[: each["end"]]))) for each in value["spans"]
        ]
        return {
            "spans": [
                {**each, "start": start, "end": end}
                for each, (start, end) in zip(value["spans"], places, strict=True)
            ]
        }
    return {name: kept(each) if name == "text" else each for name, each in value.items()}


def rows_of(dataset: Dataset, lost: dict[str, int], kept: Kept = str) -> dict[str, tuple]:
    """By text the content, label, split, and other columns of each item, but for what is lost."""
    names = names_in(latest_schema(dataset))
    values = {row.item_id: rename(value_of(row), names) for row in current_decisions(dataset)}
    found = {}
    for item in dataset.items.select_related("assignment"):
        content = None if "joined" in lost else item.content
        split = item.split or item.assignment.split
        more = () if "ids" in lost else (item.external_id, item.group, item.event_time, item.metadata)
        if not ("like_label" in lost and item.text.startswith("__label__")):
            text = item.text if item.content else kept(item.text)
            found[text] = (content, kept_value(values[item.pk], item.text, kept), split, *more)
    return found


def parts(content: bytes) -> dict[str, list[bytes]]:
    """The lines of the text files of a ZIP, sorted; none of a table."""
    if not content.startswith(b"PK"):
        return {}
    packed = zipfile.ZipFile(BytesIO(content))
    names = [name for name in packed.namelist() if name.endswith((".jsonl", ".ft", ".conll"))]
    return {name: sorted(packed.read(name).split(b"\n")) for name in names}


@pytest.mark.parametrize(("key", "kind"), KINDS)
def test_an_export_is_imported_as_the_same_rows_but_for_reported_losses(hostile, ana, mia, key, kind):
    first, rows = hostile.dataset, hostile.counts["rows"]
    lost = LOSSES.get((key, kind.value), {"returns": 2} if kind == ExportFormat.XLSX else {})
    expected = rows_of(first, lost, KEPT.get(kind.value, str))

    made, content = exported(hostile, mia, kind)
    second = make_dataset(first.project, ana, task=key)
    upload = import_file(second, ana, content, made.file_name)

    assert {each["code"]: each["count"] for each in made.losses} == lost
    assert (made.rows, made.dropped) == (rows - lost.get("like_label", 0), sum(lost.values()))
    assert (upload.rows_new, upload.rows_failed) == (made.rows, 0)
    assert rows_of(second, lost) == expected
    assert sorted(names_in(latest_schema(second)).values()) == sorted(names_in(hostile.schema).values())
    if "joined" not in lost and (lines := parts(content)):
        assert parts(exported(freeze(second, mia), mia, kind)[1]) == lines


def test_every_type_has_rows_with_every_text(hostile, key):
    assert hostile.counts["rows"] == len(HOSTILE)
