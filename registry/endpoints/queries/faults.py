"""Injected faults of drills."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from lifecycle.runtime import bundle
from lifecycle.runtime.refusals import Refused
from registry.catalog.models import Endpoint
from registry.endpoints import rules
from registry.endpoints.models import Deployment, Fault
from registry.endpoints.servers import server_states
from registry.ground.ledger import keys


def faults_path() -> Path:
    """Where the inference servers that run drills look."""
    return Path(settings.DATA_DIR) / "serving" / "faults.json"


def published_faults() -> dict[str, Any] | None:
    """The document of faults as the servers find it; None when there is none or its signature is not ours."""
    try:
        return bundle.verify_document(faults_path().read_bytes(), keys.public_key_path())
    except (OSError, Refused):
        return None


def injected() -> QuerySet[Fault]:
    """The faults of drills that no one has lifted."""
    rows = Fault.objects.filter(lifted_at=None)
    return rows.select_related(
        "deployment__endpoint__model__project", "deployment__version", "injected_by"
    ).order_by("id")


def expired_faults() -> QuerySet[Fault]:
    """Injected faults whose time has come, or whose deployment has ended."""
    return injected().filter(Q(until__lte=timezone.now()) | Q(deployment__ended_at__isnull=False))


def injected_faults() -> list[rules.InjectedFault]:
    """The same as the document of faults names them."""
    return [
        rules.InjectedFault(
            str(each.deployment.uuid),
            each.kind,
            each.share,
            each.delay_ms,
            each.until.isoformat(timespec="seconds"),
        )
        for each in injected()
    ]


def faults_on(endpoint: Endpoint) -> list[Fault]:
    """Faults injected into an endpoint now."""
    return list(injected().filter(deployment__endpoint=endpoint))


def fault_in(deployment: Deployment) -> Fault | None:
    """The fault injected into a deployment now."""
    return injected().filter(deployment=deployment).first()


def drills_run() -> bool:
    """Whether any inference server obeys injected faults."""
    return any(state.drills for state in server_states())
