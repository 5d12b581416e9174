"""Finding what the lines of a batch name, in three statements for any number of lines."""

from __future__ import annotations

from collections.abc import Iterable

from lifecycle.runtime.inference.names import slug_of
from monitoring.traffic import spool
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints.models import Deployment


class Names:
    """Endpoints by name, versions and deployments by uuid, as keys of the database; None for what is not
    there or is someone else's.
    """

    def __init__(self, batch: Iterable[spool.Parsed]) -> None:
        entries = [each[0] if isinstance(each, list) else each for each in batch]
        versions = {each.version for each in entries if not isinstance(each, spool.Guard) and each.version}
        deployments = {each.deployment for each in entries if each.deployment}
        slugs = {slug_of(each.endpoint) for each in entries}
        called = Endpoint.objects.filter(slug__in=slugs).order_by("-pk")
        endpoints = list(called.values_list("project__slug", "slug", "pk", "project__is_demo"))
        self._endpoints = {f"{project}/{slug}": pk for project, slug, pk, _ in endpoints}
        self._demo = {pk for _, _, pk, is_demo in endpoints if is_demo}
        self._versions: dict[tuple[str, str], int] = {}
        if versions:
            rows = ModelVersion.objects.filter(uuid__in=versions).values_list("uuid", "root_digest", "pk")
            self._versions = {(str(uuid), digest): pk for uuid, digest, pk in rows}
        self._deployments: dict[tuple[str, int], int] = {}
        if deployments:
            found = Deployment.objects.filter(uuid__in=deployments).values_list("uuid", "endpoint_id", "pk")
            self._deployments = {(str(uuid), endpoint): pk for uuid, endpoint, pk in found}

    def endpoint(self, name: str) -> int | None:
        """The endpoint that the inference servers call so."""
        return self._endpoints.get(name)

    def is_demo(self, endpoint: int) -> bool:
        """Whether the endpoint is one of a demo project."""
        return endpoint in self._demo

    def version(self, uuid: str | None, root_digest: str) -> int | None:
        """The version, if what was served is what was sealed under it."""
        return self._versions.get((uuid, root_digest)) if uuid and root_digest else None

    def deployment(self, uuid: str | None, endpoint: int) -> int | None:
        """The deployment, if it is of this endpoint."""
        return self._deployments.get((uuid, endpoint)) if uuid else None
