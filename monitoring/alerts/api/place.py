"""What a body names, if the asker may see it."""

from __future__ import annotations

from uuid import UUID

from lifecycle.runtime.refusals import Refused
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.models import Project, User

SEE = "alerts.view"


def place(user: User, project: UUID | None, endpoint: UUID | None) -> tuple[Project, Endpoint | None]:
    """What is named, if the user may see it. Raises Refused."""
    if endpoint:
        found = (
            policy.visible_to(user, Endpoint.objects.select_related("model__project"), SEE)
            .filter(uuid=endpoint)
            .first()
        )
        if found is None:
            raise Refused(
                "Endpoint not found.", fields={"endpoint": ["Give the uuid of an endpoint you can see."]}
            )
        return found.model.project, found
    named = policy.visible_to(user, Project, SEE).filter(uuid=project).first() if project else None
    if named is None:
        raise Refused("Project not found.", fields={"project": ["Give the uuid of a project you can see."]})
    return named, None
