"""Everything that changes base models and runs."""

from __future__ import annotations

from lifecycle.training.actions.bases import add_folder_base, add_hub_base, add_packaged_base, keep_base
from lifecycle.training.actions.launch import launch, reproduce
from lifecycle.training.actions.runs import begin, fail, pause, record_events, resume, stop, stopped, succeed

__all__ = [
    "add_folder_base",
    "add_hub_base",
    "add_packaged_base",
    "begin",
    "fail",
    "keep_base",
    "launch",
    "pause",
    "record_events",
    "reproduce",
    "resume",
    "stop",
    "stopped",
    "succeed",
]
