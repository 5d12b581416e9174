"""What this room registers with the rooms below it when the site starts."""

from __future__ import annotations

from datasets_app.datasets import actions, filters, ports, queries
from lifecycle.ground.jobs import registry
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.registry import JobKind
from lifecycle.ui import navigation, palette
from lifecycle.ui.addresses import find_url
from registry.ground.access import policy
from registry.ground.access.models import User


def upload_url(job: Job) -> str:
    """The page of the upload that a job works on."""
    return find_url("datasets:upload", uuid=job.args["upload"])


def slice_url(job: Job) -> str:
    """The page of the slice that a job counts."""
    return find_url("datasets:slice", uuid=job.args["slice"])


def sees_slice(user: User, job: Job) -> bool:
    """Whether the slice that a job counts is theirs or shared."""
    return queries.slices(user).filter(uuid=job.args["slice"]).exists()


def exports_url(job: Job) -> str:
    """The page of the exports that a job creates."""
    return find_url("datasets:exports", uuid=job.args["dataset"])


def is_requester(user: User, job: Job) -> bool:
    """Whether the person requested the job's export; only they may see it."""
    return job.created_by_id == user.pk


def find_slices(user: User, query: str) -> list[palette.Hit]:
    """Slices whose name contains the query."""
    rows = queries.slices(user).filter(name__icontains=query)[: palette.LIMIT]
    return [
        palette.Hit(row.name, find_url("datasets:slice", uuid=row.uuid), f"of {row.dataset}") for row in rows
    ]


def register() -> None:
    """Job kinds, our filters of items and the navigation item."""
    ports.register_item_filter(*filters.FILTERS)
    registry.register(
        JobKind(
            "datasets.import",
            "Import upload",
            actions.run_import,
            url=upload_url,
            on_failed=actions.import_failed,
            on_cancelled=actions.import_cancelled,
        )
    )
    registry.register(
        JobKind("datasets.count_slice", "Count slice", actions.run_count, url=slice_url, can_see=sees_slice)
    )
    registry.register(
        JobKind("datasets.export", "Export items", actions.run_export, url=exports_url, can_see=is_requester)
    )
    palette.register_search("Slices", find_slices)
    registry.register(JobKind("datasets.inspect", "Check upload", actions.run_inspection, url=upload_url))
    registry.register(
        JobKind(
            "datasets.clean_up", "Clean up after an import", actions.clean_up, url=upload_url, max_attempts=10
        )
    )
    navigation.register(
        navigation.NavItem(
            "Data",
            "Datasets",
            "datasets:list",
            order=10,
            key="d",
            show=lambda user: policy.can_somewhere(user, "datasets.view"),
        )
    )
