"""All changes of base models, runs, estimates, and sweeps."""

from __future__ import annotations

from lifecycle.modeling.training.actions.bases import (
    add_folder_base,
    add_hub_base,
    add_packaged_base,
    add_run_base,
    check_continuable,
    keep_base,
)
from lifecycle.modeling.training.actions.estimates import (
    cancel_estimate,
    estimate,
    fail_estimate,
    keep_estimate,
)
from lifecycle.modeling.training.actions.launch import launch, reproduce
from lifecycle.modeling.training.actions.runs import (
    begin,
    fail,
    pause,
    prioritise,
    prune,
    record_events,
    resume,
    stop,
    stopped,
    succeed,
)
from lifecycle.modeling.training.actions.sweeps import cancel_sweep, end_sweep, next_trial, start_sweep

__all__ = [
    "add_folder_base",
    "add_hub_base",
    "add_packaged_base",
    "add_run_base",
    "begin",
    "cancel_estimate",
    "cancel_sweep",
    "check_continuable",
    "end_sweep",
    "estimate",
    "fail",
    "fail_estimate",
    "keep_base",
    "keep_estimate",
    "launch",
    "next_trial",
    "pause",
    "prioritise",
    "prune",
    "record_events",
    "reproduce",
    "resume",
    "start_sweep",
    "stop",
    "stopped",
    "succeed",
]
