"""The password again, right before a decision that counts."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from lifecycle.refusals import Refused
from registry.access.models import User
from registry.ledger.actions import record
from registry.ledger.models import Event
from registry.ledger.verbs import Verb

TRIES, WINDOW = 5, timedelta(minutes=5)


def confirm_password(user: User, password: str) -> None:
    """Raises Refused unless this is the user's password; after 5 wrong ones in 5 minutes it is not looked at. Each failure is an Event.

    The Events are what is counted, under a lock of the person's row: guesses sent at once, or to several processes or hosts, get no more
    tries than one after the other. Call it before the action's transaction, since the Event of a failure has to stay.
    """
    with transaction.atomic():
        refusal = _try(User.objects.select_for_update(no_key=True).get(pk=user.pk), password)
    if refusal:
        raise refusal


def _try(user: User, password: str) -> Refused | None:
    failures = Event.objects.filter(verb=Verb.SIGN_IN_FAILED, actor=str(user.uuid), at__gt=timezone.now() - WINDOW)
    if len(failures.values_list("pk")[:TRIES]) == TRIES:
        return Refused(
            "Too many wrong passwords.", next_step="Wait five minutes, then try again.", fields={"password": ["Too many tries."]}
        )
    if user.check_password(password):
        return None
    record(user, Verb.SIGN_IN_FAILED, user)
    return Refused("The password is not right; nothing was decided.", fields={"password": ["This is not your password."]})
