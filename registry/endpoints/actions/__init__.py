"""Changing what is served, and telling the servers."""

from __future__ import annotations

from registry.endpoints.actions.loads import check_loads, lay_out_missing
from registry.endpoints.actions.publish import publish, publish_anew
from registry.endpoints.actions.switch import deploy, roll_back

__all__ = ["check_loads", "deploy", "lay_out_missing", "publish", "publish_anew", "roll_back"]
