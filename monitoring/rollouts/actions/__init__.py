"""Starting a rollout, steering it by hand, and what it does on its own."""

from __future__ import annotations

from monitoring.rollouts.actions.start import start
from monitoring.rollouts.actions.steer import abort, pause, resume, widen
from monitoring.rollouts.actions.tick import tick

__all__ = ["abort", "pause", "resume", "start", "tick", "widen"]
