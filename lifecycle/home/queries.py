"""What a person's home shows: open work of the navigation, what runs, what they and their projects decided last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lifecycle.jobs import queries as jobs
from lifecycle.ui import navigation
from registry.access import policy
from registry.access.models import Project, User
from registry.access.queries import projects
from registry.access.roles import Role
from registry.audit import queries as audit

EVENTS = 8


@dataclass(frozen=True)
class Part:
    """A project and what the person is in it."""

    project: Project
    roles: list[Role]


def home(user: User) -> dict[str, Any]:
    """Everything on the page."""
    links = {link.item.url_name: link for group in navigation.groups(user) for link in group.links}
    waiting = [(links[count.item.url_name], count) for count in navigation.counts(user) if count.value]
    return {
        "parts": [Part(project, policy.roles_of(user, project)) for project in projects(user)],
        "waiting": waiting,
        "running": jobs.running(user),
        "events": audit.lines(audit.visible_events(user).order_by("-id")[:EVENTS]),
        "links": list(links.values()),
    }
