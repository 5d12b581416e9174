"""Registrations with lower-level apps at startup."""

from __future__ import annotations

from datasets_app.datasets import ports
from datasets_app.scanning import actions, filters
from datasets_app.scanning.rules import ScanKind
from lifecycle.ground.jobs import registry
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.registry import JobKind
from lifecycle.ground.jobs.rules import Queue
from lifecycle.ui import navigation
from lifecycle.ui.addresses import find_url
from registry.ground.access import policy
from registry.ground.access.models import User


def scan_url(job: Job) -> str:
    """The findings of the dataset that is scanned."""
    return find_url("scanning:dataset", uuid=job.args["dataset"])


def sees_findings(user: User) -> bool:
    """Whether the person is a member of anything."""
    return policy.can_somewhere(user, "scanning.view")


def register() -> None:
    """Register job kinds, the item filter, and the navigation item."""
    ports.register_item_filter(*filters.FILTERS)
    handlers = {
        ScanKind.NEAR_DUPLICATES: actions.run_near_duplicates,
        ScanKind.LABEL_ERRORS: actions.run_label_errors,
    }
    for kind, handler in handlers.items():
        registry.register(
            JobKind(
                f"scanning.{kind}",
                f"Scan for {kind.label.lower()}",
                handler,
                queue=Queue.SCANS,
                url=scan_url,
                on_failed=actions.fail_scan,
                on_cancelled=actions.cancel_scan,
            )
        )
    navigation.register(
        navigation.NavItem("Data", "Data issues", "scanning:list", order=25, show=sees_findings)
    )
