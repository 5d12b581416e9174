"""A proposal as a row, for tests of what reads it; those of its steps make one by the real action."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from monitoring.retraining.models import Proposal
from registry.catalog.models import Endpoint
from registry.ground.access.models import User


def make_proposal(endpoint: Endpoint, by: User | None, **more: Any) -> Proposal:
    """An open proposal for what is live. more: other fields of the row."""
    live, now = endpoint.alias.version, timezone.now()
    assert live is not None
    fields: dict[str, Any] = {
        "number": Proposal.objects.filter(endpoint__model__project=endpoint.model.project).count() + 1,
        "live": live,
        "live_moves": endpoint.alias.moves,
        "dataset": live.run.snapshot.dataset,
        "proposed_by": by,
        "window_start": now - timedelta(days=14),
        "window_end": now,
        "min_labels": 50,
        "queue_items": 200,
        "overlap": 1,
        "reasons_for": [reason("drift", "Drift of predicted label for 4 days", "PSI 0.310, limit 0.100")],
        "reasons_against": [reason("few_labels", "Too few new labels; training waits for more", "12 of 50")],
    }
    return Proposal.objects.create(endpoint=endpoint, **fields | more)


def reason(code: str, fact: str, value: str = "", **more: Any) -> dict[str, Any]:
    """A reason as it is stored."""
    return {
        "code": code,
        "fact": fact,
        "value": value,
        "evidence": "",
        "blocks": False,
        "stops": False,
    } | more
