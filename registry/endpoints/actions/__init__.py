"""Changing what is served, and telling the servers."""

from __future__ import annotations

from registry.endpoints.actions.loads import check_loads
from registry.endpoints.actions.publish import publish
from registry.endpoints.actions.switch import deploy, roll_back

__all__ = ["check_loads", "deploy", "publish", "roll_back"]
