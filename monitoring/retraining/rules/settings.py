"""What may be set for a trigger, with the defaults and what they mean in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices

from lifecycle.runtime.refusals import Refused


class Kind(TextChoices):
    """What a trigger watches."""

    DRIFT = "drift", "Drift"
    QUALITY = "quality", "Quality"
    LABELS = "labels", "New labels"
    SCHEDULE = "schedule", "Age"


class Start(TextChoices):
    """What a retraining starts from: the base of the live version, or the live version's own weights, with
    the rows that it learned and that the new dataset version lacks repeated in part.
    """

    BASE = "base", "The live version's base model"
    LIVE = "live", "The live version"


@dataclass(frozen=True, slots=True)
class Meaning:
    """default, low, high: of the threshold. unit: behind it. help: what it means, with {} for the
    threshold.
    """

    default: float
    low: float
    high: float
    unit: str
    help: str


KINDS = {
    Kind.DRIFT: Meaning(
        0.2,
        0.01,
        10,
        "PSI",
        "Fires on an open drift monitor with at least this PSI, or any drift in texts or accuracy.",
    ),
    Kind.QUALITY: Meaning(
        0.03,
        0.0,
        0.5,
        "accuracy",
        "Fires when accuracy by feedback is below the evaluation by more than this, including the interval,"
        " or a quality alert is open.",
    ),
    Kind.LABELS: Meaning(
        200, 1, 1_000_000, "labels", "Fires at this many new labels since the live version's dataset version."
    ),
    Kind.SCHEDULE: Meaning(
        90, 1, 3_650, "days", "Fires when the live version's dataset version is at least this old."
    ),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """A whole number between low and high. name: in a sentence. label: at its field."""

    name: str
    label: str
    default: int
    low: int
    high: int
    help: str


LIMITS = {
    "cooldown_days": Limit(
        "cooldown",
        "Cooldown (days)",
        14,
        0,
        365,
        "No automatic proposals for this many days after the last one.",
    ),
    "min_labels": Limit(
        "new labels",
        "New labels required",
        50,
        1,
        100_000,
        "Training waits for this many new labels since the live version's dataset version, or for a finished"
        " queue.",
    ),
    "window_days": Limit(
        "window", "Window (days)", 14, 1, 90, "Predictions from the last days that are considered."
    ),
    "queue_items": Limit("queue", "Texts for labeling", 200, 5, 1_000, "Maximum texts sent for labeling."),
    "overlap": Limit("overlap", "Annotators per text", 1, 1, 5, "Annotators per text."),
    "budget": Limit(
        "budget", "Retrainings in 30 days", 4, 1, 100, "Maximum retrainings of this endpoint in 30 days."
    ),
}


def check_settings(kind: str, threshold: float, numbers: Mapping[str, Any]) -> None:
    """Raises Refused, with a message by field, for a kind that does not exist or a number out of range."""
    if kind not in Kind.values:
        raise Refused("Trigger not found.", fields={"kind": [f"Choose one of {', '.join(Kind.values)}."]})
    meaning, problems = KINDS[Kind(kind)], {}
    if not meaning.low <= threshold <= meaning.high:
        problems["threshold"] = [
            f"The threshold is {threshold:g}; use {meaning.low:g} to {meaning.high:g} {meaning.unit}."
        ]
    problems |= out_of_range(numbers)
    if problems:
        raise Refused(
            "The trigger wasn't saved.", next_step=next(iter(problems.values()))[0], fields=problems
        )


def out_of_range(numbers: Mapping[str, Any]) -> dict[str, list[str]]:
    """What is wrong with these numbers, by field."""
    return {
        name: [f"The {LIMITS[name].name} is {value}; use {LIMITS[name].low:,} to {LIMITS[name].high:,}."]
        for name, value in numbers.items()
        if not LIMITS[name].low <= value <= LIMITS[name].high
    }
