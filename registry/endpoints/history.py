"""The timeline of an endpoint: intervals as the changes that people remember. Pure but for the display of what is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.access.models import User
from registry.endpoints.models import Deployment
from registry.endpoints.rules import percent


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
    lines = []
    for at, row in enumerate(deployments):
        newer = deployments[:at]
        lines.append(beginning(row, deployments[at + 1 :]))
        if row.arm != Deployment.Arm.STABLE and row.ended_at and not goes_on(row, newer):
            lines.append(ending(row, row.ended_at))
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


def ending(row: Deployment, at: datetime) -> Change:
    """The end of a canary or a shadow that nothing followed."""
    canary = row.arm == Deployment.Arm.CANARY
    return Change("bad" if canary else "", f"{row.get_arm_display()} {row.version.semver} stopped", row, at, row.ended_by, row.end_reason)


def goes_on(row: Deployment, newer: Sequence[Deployment]) -> bool:
    """Whether a canary's end was a new share, or all traffic."""
    return row.approval_id is not None and any(each.approval_id == row.approval_id for each in newer)
