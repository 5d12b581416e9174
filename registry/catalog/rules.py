"""Names, numbers and states in the catalog. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import TextChoices

from lifecycle.runtime.engine.artifact import Gate
from lifecycle.runtime.engine.base import HUB_NAMES
from lifecycle.runtime.inference.names import WORDS
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.types import DEFAULT, type_of
from lifecycle.runtime.task_types.task_type import TaskType

# https://semver.org, without build metadata: two builds of one version would be two contents under one name.
SEMVER = re.compile(
    r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
)
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
FREEZE_DAYS_MAX = 90
STATED = ("purpose", "limits", "risks")
STATED_MAX = 4000
REASON_MAX = 300


class State(TextChoices):
    """Of a version. Nothing leaves quarantine."""

    ACTIVE = "active", "Active"
    QUARANTINED = "quarantined", "Quarantined"
    RETIRED = "retired", "Retired"


MOVES = {State.ACTIVE: {State.QUARANTINED, State.RETIRED}, State.RETIRED: {State.QUARANTINED}}


def check_semver(text: str) -> str:
    """The version name without blanks around it. Raises Refused unless it is a semantic version such as
    1.4.0.
    """
    name = text.strip()
    if len(name) > 40 or not SEMVER.fullmatch(name):
        sentence = (
            f"“{name[:40]}” isn't a semantic version. Enter three numbers, such as 1.4.0, or 1.4.0-rc.1 for a"
            " candidate."
        )
        raise Refused(sentence, fields={"semver": [sentence]})
    return name


def next_semver(newest: str | None) -> str:
    """What most people want next: the next minor version, or 1.0.0 for the first."""
    if newest is None:
        return "1.0.0"
    major, minor, _ = newest.split("-")[0].split(".")
    return f"{major}.{int(minor) + 1}.0"


def check_slug(text: str, what: str) -> str:
    """A short name that is in addresses. Raises Refused."""
    if not SLUG.fullmatch(text):
        sentence = (
            f"The {what}'s short name can have 1 to 60 lowercase letters, digits, and dashes. It can't start"
            " or end with a dash."
        )
        raise Refused(sentence, fields={"slug": [sentence]})
    if what == "endpoint" and text in WORDS:
        sentence = f"“{text}” is reserved by the inference server. Choose another short name."
        raise Refused(sentence, fields={"slug": [sentence]})
    return text


def check_freeze(until: datetime, now: datetime) -> None:
    """A freeze ends in the future and within 90 days. Raises Refused."""
    if not now < until <= now + timedelta(days=FREEZE_DAYS_MAX):
        sentence = f"A freeze must end in the future, at most {FREEZE_DAYS_MAX} days from now."
        raise Refused(sentence, fields={"until": [sentence]})


def check_stated(stated: dict[str, str]) -> dict[str, str]:
    """What people wrote for the card, by field, without blanks around it; empty fields left out. Raises
    Refused naming the field.
    """
    for name, text in stated.items():
        if name not in STATED:
            raise Refused(
                f"Cards have no field {name}. Use {', '.join(STATED)}.", fields={name: ["Not a card field."]}
            )
        if not isinstance(text, str) or len(text) > STATED_MAX:
            sentence = f"The field {name} can have up to {STATED_MAX:,} characters."
            raise Refused(sentence, fields={name: [sentence]})
    return {name: text.strip() for name, text in stated.items() if text.strip()}


def task_type(facts: Mapping[str, Any]) -> TaskType:
    """What the task is that a version was trained for, from its frozen facts."""
    return type_of(facts.get("spec", {}).get("task", DEFAULT))


def base_name(facts: Mapping[str, Any]) -> str:
    """The base model as people find it: owner and name, where they are known."""
    name = str(facts["base"]["name"])
    return HUB_NAMES.get(name, name)


def decides(facts: Mapping[str, Any]) -> bool:
    """Whether one class is the answer from a threshold on."""
    found = facts.get("evaluation", {}).get("deciding")
    return bool(found) and found["threshold"] is not None


@dataclass(frozen=True, slots=True)
class Serving:
    """The graph that answers for a version, and what its gate found on the rows of a split; figures: None
    where not measured.

    engine: int8, bf16, or fp32; the rest: as in Gate.
    """

    engine: str
    reason: str
    rows: int = 0
    agreement: float | None = None
    metric: str = ""
    fp32: float | None = None
    rounded: float | None = None
    fp32_bytes: int | None = None
    rounded_bytes: int | None = None
    split: str = "validation"


def serving(facts: Mapping[str, Any]) -> Serving:
    """What serves, from a version's frozen facts: int8, or bf16 for written answers, where it passed its gate
    when the run ended, else fp32.
    """
    writes = task_type(facts).writes_text
    rounded = "bf16" if writes else "int8"
    if not facts.get(rounded):
        reason = "Responses are generated in fp32." if writes else "This version has no int8 graph."
        return Serving("fp32", reason)
    found = asdict(Gate.read(facts[rounded]))
    return Serving(rounded if found.pop("passed") is True else "fp32", **found)
