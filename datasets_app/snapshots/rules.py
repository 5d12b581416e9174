"""Rows of a dataset version, reasons for exclusion, counts, and digests. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from django.db.models import TextChoices

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)
STRICT = {TRAIN: 0, VALIDATION: 1, TEST: 2}


class Reason(TextChoices):
    """Why a labeled row is excluded from a version."""

    LEAK = "leak", "Duplicate of a row in test or validation"
    CONTRADICTION = "contradiction", "Same text with another label"
    REMOVED = "removed", "Label no longer in the schema"


class ExportFormat(TextChoices):
    """Export formats of a dataset version."""

    CSV = "csv", "CSV"
    XLSX = "xlsx", "Excel"
    JSONL = "jsonl", "JSONL"
    PARQUET = "parquet", "Parquet"
    HUGGING_FACE = "hf", "Hugging Face folder"
    FASTTEXT = "fasttext", "fastText"
    CONLL = "conll", "CoNLL"
    CHAT = "chat", "Chat messages"
    SHARE_GPT = "sharegpt", "ShareGPT"
    PROMPT = "prompts", "Prompts and completions"
    ALPACA = "alpaca", "Alpaca"
    SUMMARIES = "summaries", "Summaries"
    TRL = "trl", "Preference pairs (TRL)"
    OPENAI = "openai", "Preference pairs (OpenAI)"
    UNPAIRED = "unpaired", "Unpaired preferences"
    RANKINGS = "rankings", "Rankings"


class Row(NamedTuple):
    """A labeled item. kept: its split in an earlier version; declared: the split in its file; empty if none.

    label: the name of its label; except in single-label tasks, the value as JSON with label names. classes:
    then its distinct label names, () for none.
    """

    item: str
    item_uuid: str
    decision: str
    decision_uuid: str
    label: str
    normal: str
    group: str
    kept: str
    declared: str
    classes: tuple[str, ...] | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """The label names that the row counts for."""
        return (self.label,) if self.classes is None else self.classes


class Anchor(NamedTuple):
    """An item with a split in an earlier version that isn't among the rows now: its text and group still
    constrain others.
    """

    normal: str
    group: str
    kept: str


class Placed(NamedTuple):
    """A row with its split."""

    row: Row
    split: str
    cluster: str


class Case(NamedTuple):
    """An excluded row, and the row of its cluster that caused it. against: empty if that row isn't in this
    version.
    """

    item_uuid: str
    reason: str
    split: str
    against: str
    against_split: str


def leaked_rows(placed: Iterable[Placed]) -> int:
    """Test rows whose text or cluster is also in train: zero by construction, re-counted for the report."""
    train = {key for each in placed if each.split == TRAIN for key in (each.cluster, each.row.normal)}
    return sum(
        1 for each in placed if each.split == TEST and (each.cluster in train or each.row.normal in train)
    )


def counts(placed: Iterable[Placed]) -> dict[str, object]:
    """{"rows", "splits": {split: rows}, "labels": {label: {split: rows}}}, labels in order."""
    splits: Counter[str] = Counter()
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for each in placed:
        splits[each.split] += 1
        for name in each.row.named:
            labels[name][each.split] += 1
    return {
        "rows": splits.total(),
        "splits": {split: splits[split] for split in SPLITS},
        "labels": {label: {split: labels[label][split] for split in SPLITS} for label in sorted(labels)},
    }


def digests(placed: Iterable[Placed], schema_digest: str, filters_digest: str = "") -> tuple[str, str]:
    """The digest of the version, over its rows in order, the schema, and the filters of its slice; and the
    digest of its test rows.

    filters_digest: "" for all labeled items.
    """
    whole, test = hashlib.sha256(f"schema {schema_digest}\n".encode()), hashlib.sha256()
    if filters_digest:
        whole.update(f"filters {filters_digest}\n".encode())
    for each in placed:
        line = f"{each.row.item} {each.row.decision} {each.split}\n".encode()
        whole.update(line)
        if each.split == TEST:
            test.update(line)
    return whole.hexdigest(), test.hexdigest()


def check_shares(shares: Mapping[str, int]) -> dict[str, list[str]]:
    """Errors of the shares by field; empty if valid."""
    errors: dict[str, list[str]] = {}
    for split in SPLITS:
        if not 0 <= shares.get(split, -1) <= 100:
            errors[split] = [f"The share of {split} must be a whole percentage from 0 to 100."]
    if not errors and sum(shares[split] for split in SPLITS) != 100:
        total = sum(shares[split] for split in SPLITS)
        errors[TRAIN] = [f"The three shares add up to {total} %; they must add up to 100 %."]
    return errors


def why_not(placed: Sequence[Placed], left_out: Counter[str]) -> tuple[str, str] | None:
    """Why these rows can't form a version, as a sentence and what to do; None if they can."""
    if not placed:
        return (
            f"All {left_out.total():,} labeled rows are excluded.",
            "Resolve the contradicting labels, or correct the splits in the file.",
        )
    one_class = placed[0].row.classes is None  # single-label: two labels are required
    if one_class and len({each.row.label for each in placed}) == 1:
        return (
            "All rows have the same label, so a model can't be trained.",
            "Label rows with a second label, then create a version.",
        )
    splits = Counter(each.split for each in placed)
    for split in SPLITS:
        if not splits[split]:
            return f"The {split} split would be empty.", f"Label more rows, or give {split} a larger share."
    if one_class and len({each.row.label for each in placed if each.split == TRAIN}) == 1:
        return (
            "All train rows have the same label.",
            "Label more rows with other labels, then create a version.",
        )
    return None
