"""Starts the demo: people and project at once, so that everyone can sign in; a visible job does the rest."""

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
    """With DEMO on, create the project and its people in an empty installation, and enqueue the seeding
    job.
    """
    if settings.DEMO:
        seed()


@transaction.atomic
def seed() -> Project:
    """Create the demo project and enqueue its job. Idempotent."""
    project = Project.objects.filter(slug=SLUG).first() or access.create_project(
        name="Support inbox", slug=SLUG, actor=None, is_demo=True
    )
    secrets = passwords()
    for person in PEOPLE:
        user = User.objects.filter(username=person.username).first() or access.create_user(
            username=person.username,
            display_name=person.name,
            email=f"{person.username}@demo.invalid",
            password=secrets[person.username],
            actor=None,
            admin=person.role is None,
        )
        if person.role:
            access.grant(user=user, role=person.role, root=project, actor=None)
    enqueue(
        "demo.seed",
        actor=None,
        project=project,
        args={"project": str(project.uuid)},
        subject=project,
        key="demo.seed",
    )
    record(None, Verb.DEMO_SEEDED, project, project=project.uuid)
    return project
