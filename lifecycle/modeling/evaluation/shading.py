"""Texts with words shaded by their attribution. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DEPTHS = 3
LEAST = 0.01  # in log-odds; smaller effects are rounding errors, and not shaded


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text. effect: of a word, None between words. depth: 1 to 3 for a word that supports the
    answer, −1 to −3 against.
    """

    text: str
    effect: float | None = None
    depth: int = 0


def strongest(cut: Sequence[Part]) -> list[Part]:
    """The words of some parts, by effect, strongest first."""
    return sorted((part for part in cut if part.effect is not None), key=lambda part: -abs(part.effect or 0))


def parts(text: str, words: Sequence[Mapping[str, Any]], top: float | None = None) -> list[Part]:
    """The text cut at its words; joined, the parts are the text. The deepest shade is for the strongest
    effect, and shades are thirds of it.

    top: the strongest effect, if the words of several texts share a scale.
    """
    top = strongest_effect(words) if top is None else top
    found, at = [], 0
    for word in words:
        found += [
            Part(text[at : word["start"]]),
            Part(text[word["start"] : word["end"]], word["effect"], depth(word["effect"], top)),
        ]
        at = word["end"]
    return [part for part in [*found, Part(text[at:])] if part.text]


def strongest_effect(words: Sequence[Mapping[str, Any]]) -> float:
    """The largest absolute effect; 0 without words."""
    return max((abs(word["effect"]) for word in words), default=0.0)


def depth(effect: float, top: float) -> int:
    """How deep a word is shaded, by its share of the strongest effect; 0 for no effect."""
    if abs(effect) < LEAST:
        return 0
    shade = min(DEPTHS, 1 + int(DEPTHS * abs(effect) / top))
    return shade if effect > 0 else -shade
