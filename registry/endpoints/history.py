"""The timeline of an endpoint: intervals as the changes that people remember."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from registry.endpoints import steering
from registry.endpoints.models import Deployment
from registry.endpoints.rules import percent
from registry.ground.access.models import User


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the timeline. kind: ok, bad, now or empty; by: None for the system."""

    kind: str
    title: str
    deployment: Deployment
    at: datetime
    by: User | None
    reason: str = ""


def changes(deployments: Sequence[Deployment]) -> list[Change]:
    """The lines of a page of intervals (newest first), newest first."""
    ended = ends(deployments)
    words = steering.ends_of([row for row in ended if row.arm == Deployment.Arm.CANARY])
    lines = [beginning(row, deployments[at + 1 :]) for at, row in enumerate(deployments)]
    lines += [ending(row, *words.get(row.pk, ("", "Stopped"))) for row in ended]
    return sorted(lines, key=lambda line: (line.at, line.deployment.pk), reverse=True)


def beginning(row: Deployment, older: Sequence[Deployment]) -> Change:
    """What an interval began with."""
    name, kind = row.version.semver, "now" if row.ended_at is None else ""
    if row.arm == Deployment.Arm.SHADOW:
        title = f"Shadow {name} started, {percent(row.share)} copied"
    elif row.arm == Deployment.Arm.CANARY:
        title = f"Canary {name} {'to' if row.previous else 'at'} {percent(row.share)}"
    elif row.cause == Deployment.Cause.ROLLBACK:
        title, kind = f"Rolled back to {name}", kind or "bad"
    elif any(each.arm == Deployment.Arm.CANARY and each.approval_id == row.approval_id for each in older):
        title = f"{name} to 100 %"
    else:
        title = f"{name} deployed"
    return Change(kind, title, row, row.started_at, row.started_by, row.reason)


def ending(row: Deployment, mark: str, word: str) -> Change:
    """The end of a canary or a shadow that nothing followed, in the word that its request has for it."""
    assert row.ended_at is not None  # noqa: S101  else it is none of `ends`
    title = f"{row.get_arm_display()} {row.version.semver} {word.lower()}"
    return Change("bad" if mark == "bad" else "", title, row, row.ended_at, row.ended_by, row.end_reason)


def ends(deployments: Sequence[Deployment]) -> list[Deployment]:
    """The canaries and shadows of a page that have ended for good: no new share followed, nor all traffic, on
    this page or another.
    """
    ended = [row for row in deployments if row.arm != Deployment.Arm.STABLE and row.ended_at]
    rows = Deployment.objects.filter(approval__in={row.approval_id for row in ended} - {None}).order_by()
    last = dict(rows.values_list("approval").annotate(Max("pk")))
    return [row for row in ended if last.get(row.approval_id, row.pk) == row.pk]
