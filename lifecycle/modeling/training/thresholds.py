"""Thresholds for a precision or recall in words: target, result on validation, what it guarantees, result on
other rows. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.runtime.statistics.calibration import THRESHOLD_ROWS
from lifecycle.runtime.statistics.operating.choices import SURE
from lifecycle.ui.numbers import GAP, decimals

OTHER = {"precision": "recall", "recall": "precision"}
PROMISED = f"Guaranteed: new rows reach the target too, with {SURE * 100:.0f}{GAP}% confidence."
ESTIMATED = "Estimated: not guaranteed for new rows."
NAMED = 5  # classes listed in a sentence


@dataclass(frozen=True, slots=True)
class Threshold:
    """A class and its threshold, in words. kind: of a note: info, or warn if the target isn't reached."""

    kind: str
    fact: str
    text: str

    @property
    def line(self) -> str:
        """Fact and text."""
        return f"{self.fact} {self.text}"


def threshold_of(found: Mapping[str, Any], split: str = "") -> Threshold:
    """found: from `engine.deciding.to_json`, or `with_measured`, with the results on the rows of a split."""
    by, target, validation = found["by"], decimals(found["target"], 2), found["validation"]
    if found["threshold"] is None:
        few = (
            f"{found['positives']} validation rows have it; choosing a threshold needs {THRESHOLD_ROWS}. The"
            " most likely label is predicted."
        )
        fact = f"{found['label']} has no threshold for the target {by} of {target}."
        return Threshold("warn", fact, " ".join([few, *split_lines(found, split)]))
    there = (
        f"{decimals(validation['value'])} on validation ({validation['hits']} of {validation['of']} rows,"
        f" 95{GAP}% {ends(validation)})"
    )
    chosen = f"Chosen for a {by} of at least {target}: {there}."
    if not found["is_met"]:
        chosen = f"No threshold reaches a {by} of {target}. The closest was chosen: {there}."
    else:
        chosen = f"{chosen} {PROMISED if found['promised'] else ESTIMATED}"
    fact = (
        f"{found['label']} is predicted from {decimals(found['threshold'])}; below it, the most likely other"
        " label."
    )
    kind = "info" if found["is_met"] and not falls_short(found, split) else "warn"
    return Threshold(kind, fact, " ".join([chosen, *split_lines(found, split)]))


def promises(operating: Mapping[str, Any], labels: Sequence[str]) -> str:
    """For which classes with a threshold a precision or recall is guaranteed, and for which it is estimated.
    operating: from `ArtifactInfo`.
    """
    sure = [label for label in labels if label in operating["promised"]]
    rest = [label for label in labels if label not in sure and label not in operating["missed"]]
    parts = [f"{word} of {named(some)}" for word, some in (("promised", sure), ("estimated", rest)) if some]
    return "; ".join(parts)


def named(labels: Sequence[str]) -> str:
    """3 classes (card, refund, order)."""
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return f"{len(labels)} {'label' if len(labels) == 1 else 'labels'} ({', '.join(labels[:NAMED])}{more})"


def split_lines(found: Mapping[str, Any], split: str) -> list[str]:
    """The results on a split that didn't choose the threshold, in sentences; empty if there are none."""
    measured = found.get("measured")
    if not measured or split == "validation":
        return []
    parts = [
        f"{name} {decimals(share['value'])} ({ends(share)})" if share else f"{name} not measured (no rows)"
        for name in (found["by"], OTHER[found["by"]])
        for share in [measured[name]]
    ]
    lines = [f"On {split}: {parts[0]}, with {parts[1]}."]
    return (
        [*lines, f"The upper bound of its interval is below {decimals(found['target'], 2)}."]
        if falls_short(found, split)
        else lines
    )


def falls_short(found: Mapping[str, Any], split: str) -> bool:
    """Whether other rows show that the target isn't reached, beyond chance."""
    share = found.get("measured", {}).get(found["by"])
    return split != "validation" and share is not None and share["high"] < found["target"]


def ends(share: Mapping[str, Any]) -> str:
    """0.790 to 0.992."""
    return f"{decimals(share['low'])} to {decimals(share['high'])}"
