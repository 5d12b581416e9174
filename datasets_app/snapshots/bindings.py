"""Registrations with lower-level apps at startup."""

from __future__ import annotations

from datasets_app.snapshots import actions, trail
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs import registry
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.registry import JobKind
from lifecycle.ui import navigation
from lifecycle.ui.addresses import find_url
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import accounts


def freeze_url(job: Job) -> str:
    """The version, or its dataset's page until it exists."""
    if Snapshot.objects.filter(uuid=job.args["snapshot"]).exists():
        return find_url("snapshots:detail", uuid=job.args["snapshot"])
    return find_url("snapshots:dataset", uuid=job.args["dataset"])


def export_url(job: Job) -> str:
    """The page of the snapshot that is exported."""
    return find_url("snapshots:detail", uuid=job.args["snapshot"])


def sees_snapshots(user: User) -> bool:
    """Whether the person is a member of anything."""
    return policy.can_somewhere(user, "snapshots.view")


def register() -> None:
    """Register job kinds, the navigation item, and the audit-log account."""
    registry.register(
        JobKind("snapshots.create", "Create dataset version", actions.run_freeze, url=freeze_url)
    )
    registry.register(
        JobKind("snapshots.export", "Export dataset version", actions.run_export, url=export_url)
    )
    accounts.register(trail.SNAPSHOTS)
    navigation.register(
        navigation.NavItem("Data", "Dataset versions", "snapshots:list", order=30, show=sees_snapshots)
    )
