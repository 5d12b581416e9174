"""Signing in and what it is done with, in the audit log: a new password, address or second factor, and who
failed to show theirs.

Addresses are in no event: of a change it holds both as digests under the installation's key.
"""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import Q

from registry.ground.access import step_up
from registry.ground.access.actions import end_token
from registry.ground.access.digests import digest
from registry.ground.access.models import User
from registry.ground.access.queries import live_tokens
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb


@transaction.atomic
def note_sign_in(user: User, *, methods: list[str]) -> None:
    """A person signed in. methods: what they showed, in order, such as password and mfa."""
    record(user, Verb.SIGNED_IN, user, methods=methods)


def note_refusal(credentials: dict[str, Any]) -> None:
    """A password was wrong. Of a name that no one has no event is kept: there are endlessly many."""
    name = credentials.get("username") or credentials.get("email") or ""
    if person := User.objects.filter(Q(username__iexact=name) | Q(email__iexact=name)).order_by("pk").first():
        note_failure(person, how="password", signed_in=False)


@transaction.atomic
def note_failure(person: User, *, how: str, signed_in: bool) -> None:
    """A wrong password or code; five events in five minutes at most are kept of a person, so that guessing
    fills no disk.

    signed_in: whether it was asked for again in a session; that counts as `step_up` counts.
    """
    User.objects.select_for_update(no_key=True).get(pk=person.pk)
    verb = Verb.SIGN_IN_FAILED if signed_in else Verb.SIGN_IN_REFUSED
    if not step_up.too_many(verb, person):
        record(person if signed_in else None, verb, person, how=how)


@transaction.atomic
def change_password(user: User, password: str) -> None:
    """A new password, given with the old one. Every other session ends, since its hash is of the old one."""
    user.set_password(password)
    user.save(update_fields=["password"])
    record(user, Verb.PASSWORD_CHANGED, user)


@transaction.atomic
def reset_password(user: User, password: str) -> None:
    """A new password by a link in an e-mail: all sessions end, and all tokens of the person with them."""
    user.set_password(password)
    user.save(update_fields=["password"])
    for token in live_tokens(user).select_for_update(of=("self",)):
        end_token(token, user, reason="password reset")
    record(user, Verb.PASSWORD_RESET, user)


def note_address(user: User, *, old: str, new: str) -> None:
    """The address of an account changed, in the caller's transaction."""
    record(
        user, Verb.EMAIL_CHANGED, user, old=digest("address", old.lower()), new=digest("address", new.lower())
    )


def users_to_reset(address: str) -> list[User]:
    """Who may get a link for a new password at this address: the person who has shown that it is theirs."""
    return [
        row.user
        for row in EmailAddress.objects.filter(
            email=address.lower(), verified=True, primary=True, user__is_active=True
        )
    ]


def on_factor_saved(sender: type[Authenticator], instance: Authenticator, created: bool, **_: Any) -> None:
    """A second factor was added. By the model's signal: allauth sends its own after the commit, when the
    event could be lost.
    """
    if created:
        note_factor(Verb.FACTOR_ADDED, instance)


def on_factor_deleted(sender: type[Authenticator], instance: Authenticator, **_: Any) -> None:
    """A second factor was removed."""
    note_factor(Verb.FACTOR_REMOVED, instance)


@transaction.atomic
def note_factor(verb: Verb, factor: Authenticator) -> None:
    """What happened to a factor of a person, by the person."""
    record(factor.user, verb, factor.user, type=factor.type)


def on_code_refused(sender: Any, user: User, reauthentication: bool = False, **_: Any) -> None:
    """A code of a second factor was wrong."""
    note_failure(user, how="code", signed_in=reauthentication)
