"""The home page: a person's tasks, running jobs, and recent activity of their projects."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from lifecycle.ground.jobs import queries as jobs
from lifecycle.roof.home.waiting import tasks
from registry.audit import queries as audit
from registry.ground.access.models import Project, User
from registry.ground.access.queries import projects, roles_by_project
from registry.ground.access.roles import Role

EVENTS = 8
READ = 120  # newest events from which these lines are made


@dataclass(frozen=True)
class Part:
    """A project and what the person is in it."""

    project: Project
    roles: list[Role]


def home(user: User) -> dict[str, Any]:
    """Everything on the page, in a constant number of statements."""
    roles = roles_by_project(user)
    return {
        "parts": [Part(project, roles.get(project.pk, [])) for project in projects(user)],
        "tasks": tasks(user, roles),
        "running": jobs.running(user),
        "events": gathered(audit.lines(audit.visible_events(user).order_by("-id")[:READ]))[:EVENTS],
    }


@dataclass(frozen=True)
class Deed:
    """Equal acts of one person in a row. line: the last one. is_cut: older events that weren't read may
    continue it.
    """

    line: audit.AuditLogEntry
    times: int
    is_cut: bool = False


def gathered(lines: list[audit.AuditLogEntry]) -> list[Deed]:
    """Group equal acts in a row: sixty resolved labels are one line."""
    runs = [list(run) for _, run in groupby(lines, key=lambda line: (line.actor, line.verb))]
    return [Deed(run[0], len(run), is_cut=len(lines) == READ and run is runs[-1]) for run in runs]
