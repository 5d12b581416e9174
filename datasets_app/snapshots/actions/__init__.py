"""Create and export dataset versions."""

from datasets_app.snapshots.actions.exports import export, run_export
from datasets_app.snapshots.actions.freezing import freeze, run_freeze

__all__ = ["export", "freeze", "run_export", "run_freeze"]
