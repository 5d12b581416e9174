"""What a model suggests for texts that wait for people: how its labels fit the classes of now, and which of its answers are shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

ROWS = 1_000  # suggestions in one transaction
SHOWN = 3  # classes that a model suggests for one text
LEAST = 0.05  # probability from which a class beside the likeliest is worth a suggestion


@dataclass(frozen=True, slots=True)
class Match:
    """How a model's labels fit the classes of a dataset's newest version. names: of the model's labels → of the classes.

    unknown: labels of the model that are no class any more. never: classes that the model does not know.
    """

    names: Mapping[str, str]
    unknown: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


def match(labels: Sequence[str], ids: Mapping[str, UUID], classes: Mapping[UUID, str], merged: Mapping[UUID, UUID]) -> Match:
    """Find each label of a model among the classes: by its stable id where that is known, through merges; else by its name.

    ids: the stable ids of the labels that the model learnt, by name; empty for a model of another dataset. classes: names of the newest
    version by stable id. merged: each merged class → where it leads.
    """
    present = set(classes.values())
    names: dict[str, str] = {}
    for label in labels:
        by_name = label if label in present else None
        found = classes.get(merged.get(ids[label], ids[label])) if label in ids else by_name
        if found is not None:
            names[label] = found
    reached = set(names.values())
    return Match(
        names, tuple(label for label in labels if label not in names), tuple(name for name in classes.values() if name not in reached)
    )


def reaching(
    labels: Sequence[str], probabilities: Sequence[float], thresholds: Sequence[float], names: Mapping[str, str]
) -> list[tuple[str, float]]:
    """(class, probability) of every class that reaches its threshold, the likeliest first, where a text may have several.

    Of labels that were merged into one class the likeliest counts; labels that are no class any more are left out.
    """
    found: dict[str, float] = {}
    for label, probability, threshold in zip(labels, probabilities, thresholds, strict=True):
        if label in names and probability >= threshold:
            found[names[label]] = max(found.get(names[label], 0.0), round(probability, 6))
    return sorted(found.items(), key=lambda pair: -pair[1])


def likeliest(labels: Sequence[str], probabilities: Sequence[float], names: Mapping[str, str], answer: str = "") -> list[tuple[str, float]]:
    """(class, probability) of up to three classes, the likeliest first and each later one at least 0.05 likely.

    answer: the label that is answered by a model in which one has a threshold. Suggestions are ranked by how likely they are, so classes
    that are as likely as the answer or more are left out. Labels that were merged into one class are added up; labels that are no class any
    more are left out, and their share with them.
    """
    summed: dict[str, float] = {}
    for label, probability in zip(labels, probabilities, strict=True):
        if label in names:
            summed[names[label]] = summed.get(names[label], 0.0) + probability
    top = names.get(answer)
    allowed = [(name, score) for name, score in summed.items() if top not in summed or name == top or score < summed[top]]
    ranked = sorted(allowed, key=lambda pair: -pair[1])[:SHOWN]
    return [(name, round(min(score, 1.0), 6)) for at, (name, score) in enumerate(ranked) if at == 0 or score >= LEAST]
