"""Colours, labels, and lines that the charts of a rollout share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

CANARY, STABLE, SHADOW = "$c1", "$c2", "$c3"
END = {"xanchor": "left", "xshift": 4, "showarrow": False, "name": "end"}


def stamp(moment: datetime) -> str:
    """A moment as Plotly takes it, UTC."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def limit(colour: str) -> dict[str, Any]:
    """A dotted line."""
    return {"color": colour, "width": 1, "dash": "dot"}
