"""Changing what is served, and publishing it to the servers."""

from __future__ import annotations

from registry.endpoints.actions.canary import set_share, stop_canary, stop_closed
from registry.endpoints.actions.drills import inject_fault, lift_expired_faults, publish_faults, remove_fault
from registry.endpoints.actions.loads import (
    check_loads,
    check_problems,
    lay_out_missing,
    take_out,
    verify_in_use,
)
from registry.endpoints.actions.publish import lock, publish, publish_anew
from registry.endpoints.actions.shadow import start_shadow, stop_shadow
from registry.endpoints.actions.switch import deploy, roll_back
from registry.endpoints.actions.tokens import create_token, revoke_token
from registry.endpoints.actions.withdraw import effects, withdraw

__all__ = [
    "check_loads",
    "check_problems",
    "create_token",
    "deploy",
    "effects",
    "lay_out_missing",
    "remove_fault",
    "lift_expired_faults",
    "lock",
    "inject_fault",
    "publish",
    "publish_anew",
    "publish_faults",
    "revoke_token",
    "roll_back",
    "set_share",
    "start_shadow",
    "stop_canary",
    "stop_closed",
    "stop_shadow",
    "take_out",
    "verify_in_use",
    "withdraw",
]
