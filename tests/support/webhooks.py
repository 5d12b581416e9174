"""Webhooks of labeling for tests."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from datasets_app.queues.actions.webhooks import send_labels
from lifecycle.ground.notices.models import Channel


def make_hook(project: Any) -> Channel:
    """A webhook that takes annotations and resolved labels, added before anything happened."""
    made = Channel.objects.create(
        project=project,
        kind="webhook",
        name="Pipeline",
        address="https://example.org/x",
        wants=["item.labeled", "decision.changed"],
    )
    send_labels(timezone.now())
    return made
