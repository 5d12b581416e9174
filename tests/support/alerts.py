"""What on-call has around an endpoint, for tests: an objective, an alert, a silence, a channel."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.test import override_settings
from django.utils import timezone

from lifecycle.ground.notices import delivery
from monitoring.alerts import actions
from registry.catalog.models import Endpoint
from registry.ground.access.models import User


def make_alerts(endpoint: Endpoint, actor: User, note: str) -> dict[str, Any]:
    """One object of each kind by its name in URLs. note: the text of every field that takes user input."""
    project, now = endpoint.model.project, timezone.now()
    objective = actions.set_objective(
        endpoint_id=endpoint.uuid,
        kind="availability",
        target=0.995,
        window_days=30,
        threshold_ms=None,
        actor=actor,
        seen=0,
    )
    alert = actions.raise_alert(
        endpoint=endpoint,
        source="drill",
        key={"n": 1},
        severity="page",
        title=f"A drill {note}",
        text=f"Nothing is wrong {note}",
        url=f"/endpoints/{endpoint.uuid}/",
        value=14.5,
    )
    actions.note_suppressed(endpoint=endpoint, source="drill", why="few", text=f"Too few {note}")
    silence = actions.silence(
        project=project,
        endpoint=endpoint,
        until=now + timedelta(hours=4),
        reason=f"A drill {note}",
        actor=actor,
    )
    with override_settings(WEBHOOK_ALLOW_PRIVATE=False):
        channel = delivery.add_channel(
            project=project,
            kind="webhook",
            name=f"Pager {note}"[:60],
            address="https://example.org/x",
            wants=["page"],
            actor=actor,
        )
    delivery.post(channel, key="k", subject=f"A drill {note}", text=note, url="/alerts/", data={}, now=now)
    return {"objective": objective, "alert": alert, "silence": silence, "channel": channel}
