"""Sealed versions as models that suggest labels: what the catalog provides to the evaluation room."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from django.urls import reverse

from lifecycle.modeling.evaluation.ports import Model
from lifecycle.runtime.refusals import Refused
from registry.catalog import actions, queries
from registry.catalog.models import ModelVersion
from registry.ground.access.models import Project
from registry.ground.access.policy import Person


class Versions:
    """The shelf of active versions."""

    label = "Registered versions"

    def models(self, user: Person, project: Project) -> list[Model]:
        """The newest active versions of the project's models."""
        rows = queries.versions(user).filter(model__project=project, state=ModelVersion.State.ACTIVE)
        return [self.of(version) for version in rows.select_related("run__snapshot__schema")[: queries.PAGE]]

    def get(self, uuid: UUID, user: Person | None = None) -> Model:
        """One active version. Raises Refused."""
        return self.of(self.version(uuid, user))

    def folder(self, model: Model) -> Path:
        """Its files, verified just now against digest and signature. Raises Refused; a damaged version is
        quarantined.
        """
        return actions.materialise(self.version(model.uuid))

    def version(self, uuid: UUID, user: Person | None = None) -> ModelVersion:
        """One active version that the person may see; None is the system. Raises Refused."""
        rows = queries.versions(user) if user is not None else ModelVersion.objects.all()
        version = (
            rows.select_related("model__project", "run__snapshot__dataset", "run__snapshot__schema", "folder")
            .filter(uuid=uuid)
            .first()
        )
        if version is None:
            raise Refused("Version not found.", fields={"model": ["Choose a version you have access to."]})
        if version.state != ModelVersion.State.ACTIVE:
            text = f"{version} is {version.get_state_display().lower()}."
            raise Refused(text, next_step="Choose an active version.", fields={"model": [text]})
        return version

    def of(self, version: ModelVersion) -> Model:
        """The version as a model."""
        url = reverse("catalog:version", args=[version.uuid])
        return Model("version", version.uuid, str(version), version.run, version.root_digest, url)
