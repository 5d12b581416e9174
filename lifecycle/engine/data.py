"""Labelled rows of a run: read from JSON lines, checked, and refused by line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lifecycle.engine.faults import EngineFault


@dataclass(frozen=True)
class Rows:
    """Rows in file order. targets: index of each row's label in the spec's labels; empty where labels were not asked for."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    targets: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


def bad_data(path: Path, line: int, why: str) -> EngineFault:
    """The fault for one line that cannot be read."""
    return EngineFault(
        "bad_data", f"{path.name}, line {line}: {why}", "Correct the line, or freeze the snapshot again, and start the run anew."
    )


def read_rows(path: Path, labels: tuple[str, ...] | None) -> Rows:
    """Read {"id", "text", "label"} lines. labels None = labels are not read. Raises EngineFault `bad_data` naming the line."""
    index = {label: number for number, label in enumerate(labels)} if labels is not None else None
    ids, texts, targets = [], [], []
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise EngineFault("bad_data", f"{path.name} is missing from the run folder.", "Write the rows and start again.") from None
    with file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            row = _row(path, number, line)
            ids.append(row["id"])
            texts.append(row["text"])
            if index is not None:
                if row.get("label") not in index:
                    raise bad_data(
                        path, number, f"label {json.dumps(row.get('label'), ensure_ascii=False)} is not among the spec's labels."
                    )
                targets.append(index[row["label"]])
    if not ids:
        raise EngineFault("bad_data", f"{path.name} holds no rows.", "Freeze a snapshot that has rows in this split.")
    return Rows(tuple(ids), tuple(texts), tuple(targets))


def _row(path: Path, number: int, line: bytes) -> dict[str, str]:
    try:
        row = json.loads(line.decode("utf-8"))
    except ValueError:
        raise bad_data(path, number, "it is not one JSON object in UTF-8.") from None
    if not isinstance(row, dict):
        raise bad_data(path, number, "it is not a JSON object.")
    for name in ("id", "text"):
        if not isinstance(row.get(name), str):
            raise bad_data(path, number, f"it has no text under {name!r}.")
    return row


def require_classes(rows: Rows, labels: tuple[str, ...]) -> None:
    """Raises EngineFault `one_class` when fewer than two labels occur: there is nothing to tell apart."""
    seen = sorted(set(rows.targets))
    if len(seen) < 2:
        raise EngineFault(
            "one_class",
            f"All {len(rows)} training rows carry the label {labels[seen[0]]!r}; a classifier needs at least two.",
            "Label rows of another class, freeze again, and start a new run.",
        )
