"""What the catalog registers with lower rooms: the page of a job's result, the palette's search, and the
versions of a run.
"""

from __future__ import annotations

from django.db.models import Q
from django.urls import reverse

from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.ports import Reference
from lifecycle.ui.marks import Step
from lifecycle.ui.palette import Hit
from registry.catalog import queries
from registry.catalog.models import Alias
from registry.ground.access.policy import Person


def model_url(job: Job) -> str:
    """The page of the model that a version is registered under."""
    return reverse("catalog:model", args=[job.subject_uuid])


def version_url(job: Job) -> str:
    """The page of the version that a job works on."""
    return reverse("catalog:version", args=[job.subject_uuid])


def search(user: Person, query: str) -> list[Hit]:
    """Models by name, versions by number or by the beginning of their digest."""
    fits = Q(semver__startswith=query) | Q(model__name__icontains=query)
    if len(query) >= 6:
        fits |= Q(root_digest__startswith=query.lower())
    models = queries.models(user).filter(name__icontains=query)[:4]
    found = [Hit(model.name, reverse("catalog:model", args=[model.uuid]), "model") for model in models]
    versions = queries.versions(user).filter(fits)[:6]
    return found + [
        Hit(str(row), reverse("catalog:version", args=[row.uuid]), f"version {row.root_digest[:8]}")
        for row in versions
    ]


def versions_of(run: Run) -> list[Step]:
    """The versions that a run was registered as, as beads of its thread."""
    rows = run.versions.select_related("model").order_by("pk")
    return [Step("Version", str(row), reverse("catalog:version", args=[row.uuid])) for row in rows[:3]]


def live_reference(run: Run) -> Reference | None:
    """The version that is live in the run's project, where it was trained and measured on the very same
    snapshot; None otherwise.
    """
    live = Alias.objects.filter(
        endpoint__model__project=run.project_id, version__run__snapshot=run.snapshot_id
    ).exclude(version__run=run)
    alias = live.select_related("version__run").order_by("pk").first()
    return Reference(alias.version.semver, alias.version.run.metrics) if alias and alias.version else None
