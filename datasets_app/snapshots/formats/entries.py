"""What a writer knows of a snapshot, and what a format cannot hold, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a snapshot before its rows. classes: their names. content: whether any item is more than a text."""

    task: str
    classes: Sequence[str] = ()
    content: bool = False
    title: str = ""
    facts: Sequence[str] = ()


LOSSES = {  # code: for one, for several; behind their number
    "tie": ("pair left out: about the same", "pairs left out: about the same"),
    "neither": ("pair left out: both responses are bad", "pairs left out: both responses are bad"),
    "parted": ("pair told as two rows", "pairs told as two rows each"),
    "no_prompt": ("pair left out: it has no prompt", "pairs left out: they have no prompt"),
    "swapped": ("pair whose second response was better, now first", "pairs whose second response was better, now first"),
    "wrapped": ("pair whose texts became messages", "pairs whose texts became messages"),
    "drafts": ("dialogue without the draft that was mended", "dialogues without the draft that was mended"),
    "joined": ("row whose context became a part of its text", "rows whose context became a part of their text"),
    "spans": ("overlapping span left out, the longer one kept", "overlapping spans left out, the longer ones kept"),
    "tags": ("overlapping span not among the tags; it stands in spans", "overlapping spans not among the tags; they stand in spans"),
    "spacing": ("text whose spacing or tokens changed", "texts whose spacing or tokens changed"),
    "breaks": ("text whose line breaks or leading blanks became one blank", "texts whose line breaks or leading blanks became one blank"),
    "like_label": ("row left out: its text begins like a label", "rows left out: their texts begin like a label"),
    "no_class": ("row with none of the classes, which reads as not labelled", "rows with none of the classes, which read as not labelled"),
    "names": ("row with a class whose blanks became _", "rows with a class whose blanks became _"),
    "ids": ("id not kept", "ids not kept"),
    "groups": ("group not kept", "groups not kept"),
    "times": ("time not kept", "times not kept"),
    "metadata": ("row without its metadata", "rows without their metadata"),
    "keys": ("metadata value left out: the format uses its name", "metadata values left out: the format uses their names"),
    "long_cell": ("row left out: a cell has more than 32,767 characters", "rows left out: a cell has more than 32,767 characters"),
    "control": ("cell without its control characters", "cells without their control characters"),
    "returns": ("cell whose carriage returns became line ends", "cells whose carriage returns became line ends"),
}  # fmt: skip


def in_words(code: str, count: int) -> str:
    """What was lost, with its number."""
    one, many = LOSSES[code]
    return f"{count:,} {one if count == 1 else many}"
