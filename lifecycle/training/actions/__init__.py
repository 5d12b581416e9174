"""Everything that changes base models, runs and sweeps."""

from __future__ import annotations

from lifecycle.training.actions.bases import add_folder_base, add_hub_base, add_packaged_base, keep_base
from lifecycle.training.actions.launch import launch, reproduce
from lifecycle.training.actions.runs import begin, fail, prune, record_events, resume, stop, stopped, succeed
from lifecycle.training.actions.sweeps import cancel_sweep, give_up_sweep, next_trial, start_sweep

__all__ = [
    "add_folder_base",
    "add_hub_base",
    "add_packaged_base",
    "begin",
    "cancel_sweep",
    "fail",
    "give_up_sweep",
    "keep_base",
    "launch",
    "next_trial",
    "prune",
    "record_events",
    "reproduce",
    "resume",
    "start_sweep",
    "stop",
    "stopped",
    "succeed",
]
