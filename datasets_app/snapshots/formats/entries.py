"""What writers need of a dataset version, and what formats can't represent, as text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class About:
    """Data of a version that writers need before the rows. classes: label names. content: whether any item is
    more than a text.
    """

    task: str
    classes: Sequence[str] = ()
    content: bool = False
    title: str = ""
    facts: Sequence[str] = ()


LOSSES = {  # code: singular, plural; after the number
    "tie": ("pair excluded: about the same", "pairs excluded: about the same"),
    "neither": ("pair excluded: both responses are bad", "pairs excluded: both responses are bad"),
    "parted": ("pair written as two rows", "pairs written as two rows each"),
    "no_prompt": ("pair excluded: no prompt", "pairs excluded: no prompt"),
    "swapped": (
        "pair with the second response better, now first",
        "pairs with the second response better, now first",
    ),
    "wrapped": ("pair with its texts converted to messages", "pairs with their texts converted to messages"),
    "drafts": ("chat without the corrected draft", "chats without the corrected draft"),
    "joined": ("row with its context merged into the text", "rows with their context merged into the text"),
    "spans": (
        "overlapping span excluded, the longer one kept",
        "overlapping spans excluded, the longer ones kept",
    ),
    "tags": (
        "overlapping span missing from the tags; included in spans",
        "overlapping spans missing from the tags; included in spans",
    ),
    "spacing": ("text with changed spacing or tokens", "texts with changed spacing or tokens"),
    "breaks": (
        "text with line breaks or leading blanks collapsed",
        "texts with line breaks or leading blanks collapsed",
    ),
    "like_label": (
        "row excluded: its text starts like a label",
        "rows excluded: their texts start like a label",
    ),
    "no_class": ("row without labels, which looks unlabeled", "rows without labels, which look unlabeled"),
    "names": ("row with a label whose blanks became _", "rows with a label whose blanks became _"),
    "ids": ("ID not exported", "IDs not exported"),
    "groups": ("group not exported", "groups not exported"),
    "times": ("time not exported", "times not exported"),
    "metadata": ("row without its metadata", "rows without their metadata"),
    "keys": (
        "metadata value excluded: the format reserves its name",
        "metadata values excluded: the format reserves their names",
    ),
    "long_cell": (
        "row excluded: a cell has more than 32,767 characters",
        "rows excluded: a cell has more than 32,767 characters",
    ),
    "control": ("cell without its control characters", "cells without their control characters"),
    "returns": (
        "cell with carriage returns changed to line feeds",
        "cells with carriage returns changed to line feeds",
    ),
}


def in_words(code: str, count: int) -> str:
    """A loss as text, with its number."""
    one, many = LOSSES[code]
    return f"{count:,} {one if count == 1 else many}"
