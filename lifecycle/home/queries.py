"""What a person's home shows: what waits, what runs, what they and their projects decided last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lifecycle.home.waiting import tasks
from lifecycle.jobs import queries as jobs
from registry.access.models import Project, User
from registry.access.queries import projects, roles_by_project
from registry.access.roles import Role
from registry.audit import queries as audit

EVENTS = 8


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
        "events": audit.lines(audit.visible_events(user).order_by("-id")[:EVENTS]),
    }
