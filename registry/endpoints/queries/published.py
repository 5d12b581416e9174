"""What is published for the inference servers, and the tokens that open endpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from lifecycle.runtime import bundle
from lifecycle.runtime.env import secret_file
from lifecycle.runtime.refusals import Refused
from registry.catalog.models import Endpoint
from registry.endpoints.models import EndpointToken, Routes
from registry.ground.ledger import keys


def routes_row() -> Routes:
    """The one row that numbers the routes documents."""
    return Routes.objects.get_or_create(pk=1)[0]


def routes_path() -> Path:
    """Where the inference servers look."""
    return Path(settings.DATA_DIR) / "serving" / "routes.json"


def web_token() -> str:
    """The secret by which this site itself asks its endpoints (the box "try it"); in a file of mode 0600."""
    return secret_file(Path(settings.DATA_DIR) / "keys" / "web_token")


def live_tokens(endpoint: Endpoint | None = None) -> QuerySet[EndpointToken]:
    """Tokens of programs that still open an endpoint: this one, or any."""
    rows = EndpointToken.objects.filter(revoked_at=None, expires_at__gt=timezone.now()).select_related(
        "created_by", "endpoint"
    )
    return rows.filter(endpoint=endpoint) if endpoint else rows


def published() -> dict[str, Any] | None:
    """The routes document as the servers find it; None when there is none or its signature is not ours."""
    try:
        return bundle.verify_document(routes_path().read_bytes(), keys.public_key_path())
    except (OSError, Refused):
        return None
