"""Datasets and their label schemas, for pages."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from datasets_app.datasets.models import Dataset
from datasets_app.schemas.models.schemas import LabelSchema
from registry.ground.access import policy
from registry.ground.access.models import User

PAGE = 30


def get_dataset(user: User, uuid: UUID) -> Dataset:
    """One dataset whose labels the user may see. Raises Http404."""
    return policy.get_visible(user, Dataset.objects.select_related("project"), "labeling.view", uuid=uuid)


def datasets_to_manage(user: User) -> QuerySet[Dataset]:
    """The datasets in which the user may publish schemas and open queues."""
    return policy.visible_to(user, Dataset, "labeling.manage").select_related("project").order_by("name")


def schemas(dataset: Dataset) -> list[LabelSchema]:
    """The newest versions of a dataset's labels."""
    return list(dataset.schemas.select_related("created_by").order_by("-version")[:PAGE])
