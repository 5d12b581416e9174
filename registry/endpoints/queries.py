"""What is live where, what was, and what the servers say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from lifecycle.env import secret_file
from registry.access import policy
from registry.access.actions import token_digest
from registry.access.models import ApiToken
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints import rules
from registry.endpoints.models import Deployment, Routes


def routes_row() -> Routes:
    """The one row that numbers the routes documents."""
    return Routes.objects.get_or_create(pk=1)[0]


def routes_path() -> Path:
    """Where the inference servers look."""
    return Path(settings.DATA_DIR) / "serving" / "routes.json"


def web_token() -> str:
    """The secret by which this site itself asks its endpoints (the box "try it"); in a file of mode 0600."""
    return secret_file(Path(settings.DATA_DIR) / "keys" / "web_token")


def routes() -> list[rules.Route]:
    """Every endpoint with a live version, as the servers need to know it."""
    live = Deployment.objects.filter(ended_at=None, arm=Deployment.Arm.STABLE).select_related("endpoint__model", "version__model")
    own = token_digest(web_token())
    return [route(deployment, own) for deployment in live.order_by("endpoint__slug")]


def route(deployment: Deployment, own_token: str) -> rules.Route:
    """One endpoint of the document."""
    endpoint = deployment.endpoint
    standby = rollback_target(endpoint)
    return rules.Route(
        slug=endpoint.slug,
        uuid=str(endpoint.uuid),
        task="single_label",
        stable=served(deployment.version),
        standby=served(standby) if standby else None,
        tokens=(own_token, *token_digests(endpoint)),
        keep_text=endpoint.keep_text,
    )


def served(version: ModelVersion) -> rules.ServedVersion:
    """A version as the document names it."""
    return rules.ServedVersion(str(version.uuid), str(version), version.root_digest)


def token_digests(endpoint: Endpoint) -> list[str]:
    """Hashes of the live tokens that may ask this endpoint: with the scope infer, of people whose role allows it."""
    people = policy.who_can("endpoints.infer", endpoint).order_by().values("pk")
    live = ApiToken.objects.filter(user__in=people, revoked_at=None, expires_at__gt=timezone.now())
    return [digest for digest, scopes in live.values_list("digest", "scopes") if ApiToken.Scope.INFER in scopes]


def rollback_target(endpoint: Endpoint) -> ModelVersion | None:
    """The last version that was live before the live one and differs from it; None when there is none or it is not active any more."""
    history = Deployment.objects.filter(endpoint=endpoint, arm=Deployment.Arm.STABLE).order_by("-id")
    key = rules.rollback_target(history.values_list("version_id", flat=True)[:1000])
    version = ModelVersion.objects.select_related("model").filter(pk=key).first()
    return version if version and version.state == ModelVersion.State.ACTIVE else None


def live_deployment(endpoint: Endpoint) -> Deployment | None:
    """What serves now."""
    return deployments(endpoint).filter(ended_at=None).first()


def deployments(endpoint: Endpoint) -> QuerySet[Deployment]:
    """All intervals of an endpoint, newest first."""
    rows = Deployment.objects.filter(endpoint=endpoint).select_related(
        "version__model", "approval", "started_by", "ended_by", "previous__version"
    )
    return rows.order_by("-id")


def live_at(endpoint: Endpoint, moment: datetime) -> Deployment | None:
    """Which version was in production then: the interval that holds the moment."""
    ended_later = Q(ended_at=None) | Q(ended_at__gt=moment)
    return deployments(endpoint).filter(ended_later, started_at__lte=moment).first()


@dataclass(frozen=True)
class ServerState:
    """What an inference server last wrote about itself. seen: False when no server ever wrote here."""

    seen: bool
    epoch: int = 0
    at: str = ""
    versions: dict[str, dict[str, Any]] | None = None

    def refusal_of(self, version: ModelVersion) -> str:
        """Why the server does not load a version; empty when it does, or says nothing."""
        found = (self.versions or {}).get(version.root_digest, {})
        return str(found.get("reason", "")) if found.get("state") == "refused" else ""


def server_state() -> ServerState:
    """The status file of the server that shares our data folder."""
    try:
        status = json.loads((Path(settings.DATA_DIR) / "serving" / "status.json").read_bytes())
        return ServerState(True, int(status["epoch_applied"]), str(status["at"]), dict(status.get("versions", {})))
    except (OSError, ValueError, KeyError, TypeError):
        return ServerState(False)
