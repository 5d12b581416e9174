"""Service accounts: tokens of programs, each good for one endpoint."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from registry.catalog.models import Endpoint
from registry.endpoints.actions.publish import publish
from registry.endpoints.models import EndpointToken
from registry.ground.access import policy
from registry.ground.access.actions import new_secret
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

MANAGE = "endpoints.manage_tokens"


@transaction.atomic
def create_token(*, endpoint_id: UUID, name: str, days: int, actor: User) -> tuple[EndpointToken, str]:
    """A token for a program; the secret is returned once and kept only as its hash. days: 1 to 366. Raises
    PermissionDenied or Refused.
    """
    endpoint = policy.get_permitted(
        actor, Endpoint.objects.select_related("model__project"), MANAGE, uuid=endpoint_id
    )
    secret, kept = new_secret(days)
    token = EndpointToken.objects.create(endpoint=endpoint, name=name, created_by=actor, **kept)
    record(
        actor,
        Verb.ENDPOINT_TOKEN_CREATED,
        token,
        project=endpoint.model.project.uuid,
        endpoint=endpoint.uuid,
        expires_at=token.expires_at,
        digest=token.digest,
    )
    transaction.on_commit(publish, robust=True)
    return token, secret


@transaction.atomic
def revoke_token(*, token_id: UUID, actor: User) -> EndpointToken:
    """End a token; the servers know within a second. Once is enough. Raises PermissionDenied."""
    rows = EndpointToken.objects.select_for_update(no_key=True, of=("self",)).select_related(
        "endpoint__model__project"
    )
    token = policy.get_permitted(actor, rows, MANAGE, uuid=token_id)
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
        endpoint = token.endpoint
        record(
            actor,
            Verb.ENDPOINT_TOKEN_REVOKED,
            token,
            project=endpoint.model.project.uuid,
            endpoint=endpoint.uuid,
        )
        transaction.on_commit(publish, robust=True)
    return token
