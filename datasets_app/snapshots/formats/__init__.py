"""Export formats of dataset versions: how each is written, and what it can't represent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets_app.snapshots.formats import folders, tables
from datasets_app.snapshots.formats.entries import LOSSES, About, in_words
from datasets_app.snapshots.formats.packing import by_split, write_lines
from datasets_app.snapshots.rules import ExportFormat
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.exports import Entry, Tally

Writer = Callable[[Path, Iterator[Entry], Tally, About], None]
ZIP = "application/zip"
WHOLE = "Everything; structures as JSON."
BESIDE = "One file per split, with IDs, groups, times, and other keys."


@dataclass(frozen=True, slots=True)
class Format:
    """One export format. media: its media type. ending: the file name extension. holds: what it contains.
    most: maximum rows, 0 for no limit. is_own: whether only tasks that write it themselves support it.
    """

    media: str
    ending: str
    write: Writer
    holds: str
    most: int = 0
    is_own: bool = False


def own(kind: ExportFormat, holds: str, name: str = "{split}.jsonl") -> Format:
    """A ZIP with a text file for each split, written by the task. name: the name of such a file."""

    def write(path: Path, entries: Iterator[Entry], tally: Tally, about: About) -> None:
        with by_split(path, name) as files:
            write_lines(files, entries, tally, formats_of(about.task).exports[kind].lines)

    return Format(ZIP, f"{kind}.zip", write, holds, is_own=True)


FORMATS: Mapping[ExportFormat, Format] = {
    ExportFormat.CSV: Format(
        "text/csv", "csv", tables.write_csv, f"{WHOLE} Formula-like cells get an apostrophe."
    ),
    ExportFormat.XLSX: Format(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx",
        tables.write_xlsx,
        "Like CSV, except cells over 32,767 characters, control characters, and carriage returns.",
        most=tables.SHEET_ROWS,
    ),
    ExportFormat.JSONL: Format("application/x-ndjson", "jsonl", tables.write_jsonl, WHOLE),
    ExportFormat.PARQUET: Format("application/vnd.apache.parquet", "parquet", tables.write_parquet, WHOLE),
    ExportFormat.HUGGING_FACE: Format(
        ZIP,
        "hf.zip",
        folders.write,
        "A folder with a README. Texts as Parquet with named labels; spans both as given and as tokens with"
        " tags. Chats, preferences, and rankings as JSONL.",
    ),
} | {
    kind: own(kind, holds, *name)
    for kind, holds, *name in (
        (ExportFormat.FASTTEXT, "Single-line texts with labels, one file per split.", "{split}.ft"),
        (
            ExportFormat.CONLL,
            "Tokens and tags, one file per split; only the longest of overlapping spans.",
            "{split}.conll",
        ),
        (ExportFormat.CHAT, f"The annotated chat. {BESIDE}"),
        (ExportFormat.SHARE_GPT, f"The annotated chat. {BESIDE}"),
        (ExportFormat.PROMPT, f"The last turn of a chat is the completion. {BESIDE}"),
        (ExportFormat.ALPACA, f"Instruction, input, and output. {BESIDE}"),
        (ExportFormat.SUMMARIES, f"Document and summary. {BESIDE}"),
        (
            ExportFormat.TRL,
            f"The better response as chosen; without ties and pairs with two bad responses. {BESIDE}",
        ),
        (
            ExportFormat.OPENAI,
            (
                "The better response as preferred output; without ties, pairs with two bad responses, and"
                f" pairs without a prompt; texts become messages. {BESIDE}"
            ),
        ),
        (
            ExportFormat.UNPAIRED,
            (
                "Each response with true or false; a pair becomes two rows, both false if both are bad."
                f" {BESIDE}"
            ),
        ),
        (ExportFormat.RANKINGS, f"Responses with their ranking. {BESIDE}"),
    )
}

__all__ = ["FORMATS", "LOSSES", "About", "Format", "formats_for", "in_words"]


def formats_for(task: str, labels: Sequence[str]) -> list[ExportFormat]:
    """The formats that can represent a version of this task with these labels."""
    exports = formats_of(task).exports
    return [
        name
        for name, each in FORMATS.items()
        if not each.is_own or name in exports and exports[name].fits(labels)
    ]
