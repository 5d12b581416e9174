"""Changing what is served, and telling the servers."""

from __future__ import annotations

from registry.endpoints.actions.publish import publish, publish_if_changed
from registry.endpoints.actions.switch import deploy, roll_back

__all__ = ["deploy", "publish", "publish_if_changed", "roll_back"]
