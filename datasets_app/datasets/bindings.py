"""What this room registers with the rooms below it when the site starts."""

from __future__ import annotations

from datasets_app.datasets import actions
from lifecycle.jobs import registry
from lifecycle.jobs.models import Job
from lifecycle.jobs.registry import JobKind
from lifecycle.ui import navigation
from lifecycle.ui.addresses import find_url
from registry.access import policy


def upload_url(job: Job) -> str:
    """The page of the upload that a job works on."""
    return find_url("datasets:upload", uuid=job.args["upload"])


def register() -> None:
    """Job kinds and the navigation item."""
    registry.register(
        JobKind(
            "datasets.import", "Import an upload", actions.run_import, url=upload_url,
            on_failed=actions.import_failed, on_cancelled=actions.import_cancelled,
        )
    )  # fmt: skip
    registry.register(JobKind("datasets.inspect", "Look through an upload", actions.run_inspection, url=upload_url))
    registry.register(JobKind("datasets.clean_up", "Remove what an import left", actions.clean_up, url=upload_url, max_attempts=10))
    navigation.register(
        navigation.NavItem(
            "Data", "Datasets", "datasets:list", order=10, key="d", show=lambda user: policy.can_somewhere(user, "datasets.view")
        )
    )
