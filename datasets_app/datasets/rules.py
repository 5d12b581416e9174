"""States of an upload, and digests of texts. Pure."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cache
from json.encoder import encode_basestring
from typing import Any

from django.db.models import TextChoices

from lifecycle.runtime.refusals import Refused


class UploadState(TextChoices):
    """An upload's items are visible to others only once it's imported."""

    RECEIVED = "received", "Received"
    INSPECTED = "inspected", "Needs review"
    IMPORTING = "importing", "Importing"
    IMPORTED = "imported", "Imported"
    FAILED = "failed", "Failed"
    DISCARDED = "discarded", "Discarded"


MOVES = {
    UploadState.RECEIVED: {UploadState.INSPECTED, UploadState.FAILED, UploadState.DISCARDED},
    UploadState.INSPECTED: {UploadState.INSPECTED, UploadState.IMPORTING, UploadState.DISCARDED},
    UploadState.IMPORTING: {UploadState.IMPORTED, UploadState.FAILED, UploadState.INSPECTED},
    UploadState.FAILED: {UploadState.INSPECTED, UploadState.IMPORTING, UploadState.DISCARDED},
}


SPLITS = ("train", "validation", "test")
CELL_LIMIT = 1_000_000  # characters of any one cell
LABELS_LIMIT = 1_000  # different labels of one file
PLACES = {
    "parquet": "Row",
    "xlsx": "Row",
    "json": "Object",
    "json_columns": "Row",
    "labelstudio": "Object",
}  # what a row's position counts, by parser


def place(parser: str) -> str:
    """The word for a row's position in a file of this type: Line, Row or Object."""
    return PLACES.get(parser, "Line")


COMMIT_SECONDS = 0.05  # of one commit on SQLite, which has one writer at a time
FEWEST = 100


def next_batch(size: int, seconds: float, most: int) -> int:
    """The number of rows of the next commit, after one of `size` rows that took `seconds`: at least FEWEST,
    at most `most`.
    """
    fitting = int(size * COMMIT_SECONDS / seconds) if seconds > 0 else most
    return min(most, max(min(FEWEST, most), min(fitting, 2 * size)))


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the texts of a file come from, from the uploader. generator: what made synthetic texts."""

    origin: str = ""
    collected_from: date | None = None
    collected_until: date | None = None
    collected_how: str = ""
    licence: str = ""
    consent: str = ""
    synthetic: bool = False
    generator: str = ""

    def checked(self) -> Provenance:
        """The same, with values stripped. Raises Refused, naming the field, if two values contradict each
        other.
        """
        words: dict[str, Any] = {
            field.name: value.strip()
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), str)
        }
        found = replace(self, **words)
        if found.collected_from and found.collected_until and found.collected_until < found.collected_from:
            message = "The last day is before the first."
            raise Refused(message, fields={"collected_until": [message]})
        if found.synthetic and not found.generator:
            message = "Enter the program or model that made the synthetic texts."
            raise Refused(message, fields={"generator": [message]})
        if found.generator and not found.synthetic:
            message = (
                "Only synthetic texts have a generator: mark the file as synthetic, or leave the generator"
                " empty."
            )
            raise Refused(message, fields={"generator": [message]})
        return found

    def document(self) -> dict[str, str | bool]:
        """For the audit log: given values only; days in ISO 8601."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in values.items()
            if value
        }


@cache
def punctuation() -> re.Pattern[str]:
    """Runs of punctuation, but for a single mark between two digits: 1.5 is not 15. Begins with the marks,
    which is twice as fast.
    """
    marks = "".join(
        re.escape(chr(point)) for point in range(0x10000) if unicodedata.category(chr(point)).startswith("P")
    )
    return re.compile(rf"[{marks}](?:[{marks}]+|(?<!\d.)|(?!\d))")


def content_digest(text: str, content: Mapping[str, Any] | None = None) -> str:
    """sha256, in hex, of the canonical JSON of an item's content: its dialogue or responses where it has any,
    else its text.
    """
    if content:
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()
    return hashlib.sha256(f'{{"text":{encode_basestring(text)}}}'.encode()).hexdigest()


def normal_form(text: str) -> str:
    """The text after NFKC and case folding, without punctuation but within numbers, with single blanks. Marks
    alone are kept.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(punctuation().sub("", folded).split()) or " ".join(folded.split())


def normal_digest(text: str) -> str:
    """sha256, in hex, of the normal form: equal for texts that differ only in case, punctuation or blanks."""
    return hashlib.sha256(normal_form(text).encode("utf-8")).hexdigest()
