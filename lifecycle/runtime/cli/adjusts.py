"""Fields that plain verbs add to those given, by the verb's name."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.session import Session

Row = dict[str, Any]
MIXING = ("gold_rate", "gold_feedback", "gold_minimum", "gold_holds")


def source(session: Session, fields: Row, known: Row) -> None:
    """Fill in which items a queue gets where --source isn't given."""
    fields.setdefault(
        "source", next((name for name in ("slice", "upload", "items") if name in fields), "unlabeled")
    )


def queue(session: Session, fields: Row, known: Row) -> None:
    """What isn't given stays."""
    now = known["queue"] | {"people": [each["uuid"] for each in known["queue"]["people"]]}
    fields |= {name: now[name] for name in ("order", "due_on", "people")} | fields


def gold(session: Session, fields: Row, known: Row) -> None:
    """What isn't given stays; a minimum of 0 is none."""
    fields |= {name: known["queue"][name] for name in MIXING} | fields
    fields["gold_minimum"] = fields["gold_minimum"] or None


def silence(session: Session, fields: Row, known: Row) -> None:
    """Fill in what is silenced. Raises Usage without an endpoint or project."""
    if "endpoint" not in fields and not session.project:
        raise Usage("Name what is silenced: --endpoint ENDPOINT, or --project SLUG for all of a project.")


def steps(session: Session, fields: Row, known: Row) -> None:
    """Fill in the step: an hour, or more so that a long period has fewer than 1,000 steps."""
    if "since" in fields:
        until = datetime.fromisoformat(fields["until"]) if "until" in fields else datetime.now(UTC)
        hours = (until - datetime.fromisoformat(fields["since"])) / timedelta(hours=1)
        fields["step"] = max(1, math.ceil(hours / 1_000)) * 3_600


ADJUSTS: dict[str, Callable[[Session, Row, Row], None]] = {
    "queues open": source,
    "queues change": queue,
    "gold rate": gold,
    "silences create": silence,
    "endpoints traffic": steps,
    "functions try": lambda session, fields, known: fields.setdefault("kind", "words"),
    "functions publish": lambda session, fields, known: fields.setdefault("kind", "words"),
    "proposals list": lambda session, fields, known: fields.setdefault("state", "open"),
    "base-models create": lambda session, fields, known: fields.update(project=known["run"]["project"]),
    "models create": lambda session, fields, known: fields.setdefault("name", fields["slug"]),
    "channels test": lambda session, fields, known: fields.update(once=str(uuid4())),
}
