from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.account.models import EmailAddress
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import transaction
from django.http import HttpRequest

from registry.ground.access import credentials as kept
from registry.ground.access.models import User


class Adapter(DefaultAccountAdapter):
    """No one signs up by themself: an organisation admin adds people. What changes a credential is an Event
    in the same transaction.
    """

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Always closed."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """Whom attempts are counted against: the client that the outermost trusted proxy names, or who is
        connected where it names none.
        """
        try:
            return str(super().get_client_ip(request))
        except (ImproperlyConfigured, PermissionDenied):
            return str(request.META.get("REMOTE_ADDR") or "unknown")

    def login(self, request: HttpRequest, user: User) -> None:
        """Begin the session, after every step."""
        with transaction.atomic():
            super().login(request, user)
            kept.note_sign_in(
                user, methods=[each["method"] for each in get_authentication_records(request, user)]
            )

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """A wrong password, at the sign-in or when it was asked for again. Called after the throttle, which
        ends guessing first.
        """
        if request.user.is_authenticated:
            kept.note_failure(request.user, how="password", signed_in=True)
        else:
            kept.note_refusal(credentials)

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Who has a second factor shows that: a password alone, perhaps a stolen one, would else take the
        factor away.
        """
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return [each for each in methods if each["id"] != "reauthenticate"] or methods

    def set_password(self, user: User, password: str) -> None:
        """Change it; a reset goes through its form."""
        kept.change_password(user, password)

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """The link in the e-mail was opened: the address replaces the old one, which is notified."""
        user = email_address.user
        with transaction.atomic():
            old = user.email
            confirmed: bool = super().confirm_email(request, email_address)
            if confirmed:
                kept.note_address(user, old=old, new=email_address.email)
        return confirmed

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send it once what it is about is committed; a mail server that fails is in the log and undoes
        nothing.
        """
        common = {"request": self.request, "email": email, "current_site": get_current_site(self.request)}
        transaction.on_commit(self.render_mail(template_prefix, email, common | context).send, robust=True)
