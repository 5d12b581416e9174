"""The formats in which a snapshot goes out: which tasks each holds, how it is written, and what it cannot hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets_app.snapshots.formats import conll, dialogues, fasttext, folders, preferences, tables
from datasets_app.snapshots.formats.entries import LOSSES, About, Entry, Tally, in_words
from datasets_app.snapshots.formats.packing import json_lines
from datasets_app.snapshots.rules import ExportFormat
from lifecycle.task_types.by_key.types import type_of

Writer = Callable[[Path, Iterator[Entry], Tally, About], None]
ANY = ("single_label", "multi_label", "spans", "free_text", "chat", "preference", "ranking")
ZIP = "application/zip"
WHOLE = "Everything; structures as JSON."
BESIDE = "A file for each split, with ids, groups, times and other keys beside."


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file. media: its type. ending: of its name. tasks: of the datasets that it holds. holds: what it keeps and what not.

    most: rows that it can hold, 0 for any number. classes: the only ones that it holds where each text has one class; empty for any.
    """

    media: str
    ending: str
    tasks: tuple[str, ...]
    write: Writer
    holds: str
    most: int = 0
    classes: tuple[str, ...] = ()

    def fits(self, task: str, classes: Sequence[str]) -> bool:
        """Whether it holds what is decided in a snapshot of this task with these classes."""
        return task in self.tasks and (not type_of(task).one_label or not self.classes or set(classes) <= set(self.classes))


FORMATS: Mapping[ExportFormat, Format] = {
    ExportFormat.CSV: Format("text/csv", "csv", ANY, tables.write_csv, f"{WHOLE} Cells like formulas get an apostrophe."),
    ExportFormat.XLSX: Format(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx", ANY, tables.write_xlsx,
        "As CSV, but for cells over 32,767 characters, control characters and carriage returns.", most=tables.SHEET_ROWS,
    ),
    ExportFormat.JSONL: Format("application/x-ndjson", "jsonl", ANY, tables.write_jsonl, WHOLE),
    ExportFormat.PARQUET: Format("application/vnd.apache.parquet", "parquet", ANY, tables.write_parquet, WHOLE),
    ExportFormat.HUGGING_FACE: Format(
        ZIP, "hf.zip", ANY, folders.write,
        "A folder with a README. Texts as Parquet with named classes; spans both as they are and as tokens with tags. Dialogues, pairs and "
        "rankings as JSONL.",
    ),
    ExportFormat.FASTTEXT: Format(
        ZIP, "fasttext.zip", ("single_label", "multi_label"), fasttext.write, "Texts on one line and classes, a file for each split.",
    ),
    ExportFormat.CONLL: Format(
        ZIP, "conll.zip", ("spans",), conll.write, "Tokens and tags, a file for each split; of overlapping spans the longest.",
    ),
    ExportFormat.CHAT: Format(ZIP, "chat.zip", ("chat",), json_lines(dialogues.chat), f"The decided dialogue. {BESIDE}"),
    ExportFormat.SHARE_GPT: Format(ZIP, "sharegpt.zip", ("chat",), json_lines(dialogues.share_gpt), f"The decided dialogue. {BESIDE}"),
    ExportFormat.PROMPT: Format(
        ZIP, "prompts.zip", ("chat", "free_text"), json_lines(dialogues.prompt_completion),
        f"The last turn of a dialogue is its completion. {BESIDE}",
    ),
    ExportFormat.ALPACA: Format(
        ZIP, "alpaca.zip", ("free_text",), json_lines(dialogues.alpaca), f"Instruction, input and output. {BESIDE}"
    ),
    ExportFormat.SUMMARIES: Format(ZIP, "summaries.zip", ("free_text",), json_lines(dialogues.summary), f"Document and summary. {BESIDE}"),
    ExportFormat.TRL: Format(
        ZIP, "trl.zip", ("preference",), json_lines(preferences.trl), f"The better response as chosen; no ties, no two bad ones. {BESIDE}"
    ),
    ExportFormat.OPENAI: Format(
        ZIP, "openai.zip", ("preference",), json_lines(preferences.openai),
        f"The better response as preferred output; no ties, no two bad ones, none without a prompt; texts become messages. {BESIDE}",
    ),
    ExportFormat.UNPAIRED: Format(
        ZIP, "unpaired.zip", ("preference", "single_label"), json_lines(preferences.unpaired),
        f"Each response with true or false; a pair becomes two rows, both false where both are bad. {BESIDE}", classes=("false", "true"),
    ),
    ExportFormat.RANKINGS: Format(
        ZIP, "rankings.zip", ("ranking",), json_lines(preferences.ranking), f"Responses and their order. {BESIDE}",
    ),
}  # fmt: skip

__all__ = ["FORMATS", "LOSSES", "About", "Entry", "Format", "Tally", "formats_for", "in_words"]


def formats_for(task: str, classes: Sequence[str]) -> list[ExportFormat]:
    """The formats that hold what is decided in a snapshot of this task with these classes."""
    return [name for name, each in FORMATS.items() if each.fits(task, classes)]
