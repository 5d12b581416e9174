"""The password again, right before a decision that counts."""

from __future__ import annotations

from django.core.cache import cache
from django.db import transaction

from lifecycle.refusals import Refused
from registry.access.models import User
from registry.ledger.actions import record
from registry.ledger.verbs import Verb

TRIES, WINDOW_SECONDS = 5, 300


def confirm_password(user: User, password: str) -> None:
    """Raises Refused unless this is the user's password; after 5 wrong ones in 5 minutes it is not looked at. Each failure is an Event.

    Call it before the action's transaction, since the Event of a failure has to stay.
    """
    key = f"step-up:{user.uuid}"
    if cache.get(key, 0) >= TRIES:
        raise Refused("Too many wrong passwords.", next_step="Wait five minutes, then try again.", fields={"password": ["Too many tries."]})
    if user.check_password(password):
        cache.delete(key)
        return
    cache.set(key, cache.get(key, 0) + 1, WINDOW_SECONDS)
    with transaction.atomic():
        record(user, Verb.SIGN_IN_FAILED, user)
    raise Refused("The password is not right; nothing was decided.", fields={"password": ["This is not your password."]})
