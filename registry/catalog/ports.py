"""What the catalog brings to lower rooms: where a job's result stands, and the search of the palette."""

from __future__ import annotations

from django.db.models import Q
from django.urls import reverse

from lifecycle.jobs.models import Job
from lifecycle.ui.palette import Hit
from registry.access.policy import Person
from registry.catalog import queries


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
    return found + [Hit(str(row), reverse("catalog:version", args=[row.uuid]), f"version {row.root_digest[:8]}") for row in versions]
