"""The password again, and a code where the person has a second factor, right before a decision that
counts.
"""

from __future__ import annotations

from datetime import timedelta

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Refused
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb

TRIES, WINDOW = 5, timedelta(minutes=5)


def confirm_password(user: User, password: str, code: str = "") -> None:
    """Raises Refused unless these are the user's; after 5 wrong ones in 5 minutes they are not looked at.
    Each failure is an Event.

    code: of the person's authenticator app, where they have one. The Events are what is counted, under a lock
    of the person's row: guesses sent at once, or to several processes or hosts, get no more tries than one
    after the other. Call it before the action's transaction, since the Event of a failure has to stay.
    """
    with transaction.atomic():
        refusal = _try(User.objects.select_for_update(no_key=True).get(pk=user.pk), password, code)
    if refusal:
        raise refusal


def _try(user: User, password: str, code: str) -> Refused | None:
    if too_many(Verb.SIGN_IN_FAILED, user):
        return Refused(
            "Too many wrong passwords or codes.",
            next_step="Wait five minutes, then try again.",
            fields={"password": ["Too many attempts."]},
        )
    if not user.check_password(password):
        record(user, Verb.SIGN_IN_FAILED, user, how="password")
        return Refused("Wrong password. Nothing was changed.", fields={"password": ["Wrong password."]})
    factor = authenticator_app(user)
    if factor and not factor.wrap().validate_code(code):
        record(user, Verb.SIGN_IN_FAILED, user, how="code")
        return Refused(
            "Wrong or used code. Nothing was changed.",
            next_step="Enter the current code from your authenticator app.",
            fields={"code": ["Wrong or used code."]},
        )
    return None


def too_many(verb: Verb, person: User) -> bool:
    """Whether so many failures of a person are in the audit log that no more are looked at, or kept."""
    recent = Event.objects.filter(verb=verb, object_id=str(person.uuid), at__gt=timezone.now() - WINDOW)
    return len(recent.values_list("pk")[:TRIES]) == TRIES


def authenticator_app(user: User) -> Authenticator | None:
    """The app that shows the person's codes, where they have set one up."""
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
