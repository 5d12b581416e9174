"""Starting the demo: people and project at once, so that everyone can sign in; the rest is a visible job."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from lifecycle.ground.jobs.actions import enqueue
from lifecycle.roof.demo.people import PEOPLE, passwords
from registry.ground.access import actions as access
from registry.ground.access.models import Project, User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

SLUG = "support-inbox"


def start() -> None:
    """On an empty installation with DEMO on: make the project and its people, and queue the job that does their work."""
    if settings.DEMO:
        seed()


@transaction.atomic
def seed() -> Project:
    """The demo project. A second call finds the first one's and queues nothing twice."""
    project = Project.objects.filter(slug=SLUG).first() or access.create_project(name="Support inbox", slug=SLUG, actor=None, is_demo=True)
    secrets = passwords()
    for person in PEOPLE:
        user = User.objects.filter(username=person.username).first() or access.create_user(
            username=person.username, display_name=person.name, email=f"{person.username}@demo.invalid", password=secrets[person.username],
            actor=None, admin=person.role is None,
        )  # fmt: skip
        if person.role:
            access.grant(user=user, role=person.role, root=project, actor=None)
    enqueue("demo.seed", actor=None, project=project, args={"project": str(project.uuid)}, subject=project, key="demo.seed")
    record(None, Verb.DEMO_SEEDED, project, project=project.uuid)
    return project
