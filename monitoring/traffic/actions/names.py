"""Finding what the lines of a batch name, in three statements for any number of lines."""

from __future__ import annotations

from collections.abc import Iterable

from monitoring.traffic import spool
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints.models import Deployment


class Names:
    """Endpoints by slug, versions and deployments by uuid, as keys of the database; None for what is not there or is somebody else's."""

    def __init__(self, batch: Iterable[spool.Parsed]) -> None:
        said = [each[0] if isinstance(each, list) else each for each in batch]
        versions = {each.version for each in said if not isinstance(each, spool.Guard) and each.version}
        deployments = {each.deployment for each in said if each.deployment}
        slugs = {each.endpoint for each in said}
        endpoints = list(Endpoint.objects.filter(slug__in=slugs).values_list("slug", "pk", "model__project__is_demo"))
        self._endpoints: dict[str, int] = {slug: pk for slug, pk, _ in endpoints}
        self._demo = {pk for _, pk, is_demo in endpoints if is_demo}
        self._versions: dict[tuple[str, str], int] = {}
        if versions:
            rows = ModelVersion.objects.filter(uuid__in=versions).values_list("uuid", "root_digest", "pk")
            self._versions = {(str(uuid), digest): pk for uuid, digest, pk in rows}
        self._deployments: dict[tuple[str, int], int] = {}
        if deployments:
            found = Deployment.objects.filter(uuid__in=deployments).values_list("uuid", "endpoint_id", "pk")
            self._deployments = {(str(uuid), endpoint): pk for uuid, endpoint, pk in found}

    def endpoint(self, slug: str) -> int | None:
        """The endpoint of a slug."""
        return self._endpoints.get(slug)

    def is_demo(self, endpoint: int) -> bool:
        """Whether the endpoint is one of a demo project."""
        return endpoint in self._demo

    def version(self, uuid: str | None, root_digest: str) -> int | None:
        """The version, if what was served is what was sealed under it."""
        return self._versions.get((uuid, root_digest)) if uuid and root_digest else None

    def deployment(self, uuid: str | None, endpoint: int) -> int | None:
        """The deployment, if it is of this endpoint."""
        return self._deployments.get((uuid, endpoint)) if uuid else None
