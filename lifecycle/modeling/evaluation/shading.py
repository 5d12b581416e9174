"""Texts whose words are shaded by what they say for an answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DEPTHS = 3
LEAST = 0.01  # in log-odds; a smaller effect is rounding, and not marked


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text. effect: of a word, None between words. depth: 1 to 3 for a word that supports the answer, −1 to −3 against."""

    text: str
    effect: float | None = None
    depth: int = 0


def strongest(cut: Sequence[Part]) -> list[Part]:
    """The words of some parts, those with the most effect first."""
    return sorted((part for part in cut if part.effect is not None), key=lambda part: -abs(part.effect or 0))


def parts(text: str, words: Sequence[Mapping[str, Any]], top: float | None = None) -> list[Part]:
    """The text cut at its words; joined together they are the text. The deepest shade is for the strongest effect, and thirds of it.

    top: that effect, where the words of several texts are shaded alike.
    """
    top = strongest_effect(words) if top is None else top
    found, at = [], 0
    for word in words:
        found += [Part(text[at : word["start"]]), Part(text[word["start"] : word["end"]], word["effect"], depth(word["effect"], top))]
        at = word["end"]
    return [part for part in [*found, Part(text[at:])] if part.text]


def strongest_effect(words: Sequence[Mapping[str, Any]]) -> float:
    """Whichever way it goes; 0 without words."""
    return max((abs(word["effect"]) for word in words), default=0.0)


def depth(effect: float, top: float) -> int:
    """How deep a word is shaded, by its share of the strongest effect; 0 where it says nothing."""
    if abs(effect) < LEAST:
        return 0
    shade = min(DEPTHS, 1 + int(DEPTHS * abs(effect) / top))
    return shade if effect > 0 else -shade
