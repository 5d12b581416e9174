"""Everything that changes a promotion request. Locks are taken in one order: request, version, alias, then
the audit log's chain.
"""

from registry.promotions.actions.approve import approve
from registry.promotions.actions.checks import check, check_again, check_failed
from registry.promotions.actions.deploy import check_still_holds, claim_approval, fulfilled, ready_to_deploy
from registry.promotions.actions.reject import reject
from registry.promotions.actions.requests import comment, request, withdraw
from registry.promotions.actions.subject import review_open

__all__ = [
    "approve",
    "check",
    "check_again",
    "check_failed",
    "check_still_holds",
    "claim_approval",
    "comment",
    "fulfilled",
    "ready_to_deploy",
    "reject",
    "request",
    "review_open",
    "withdraw",
]
