"""Notices to the on-call people and leads of endpoints."""

from __future__ import annotations

from collections.abc import Collection

from django.urls import reverse

from lifecycle.ground.notices.actions import notify
from registry.catalog.models import Endpoint
from registry.ground.access.policy import holders
from registry.ground.access.roles import Role


def notify_responders(
    endpoints: list[Endpoint], text: str, url: str, *, besides: Collection[int] = ()
) -> set[int]:
    """Notify the on-call people and leads of these endpoints, each once. Returns the primary keys of the
    people notified.

    besides: primary keys of those notified already.
    """
    people = {
        person
        for endpoint in endpoints
        for role in (Role.ONCALL, Role.LEAD)
        for person in holders(role, endpoint)
    }
    found = sorted((person for person in people if person.pk not in besides), key=lambda person: person.pk)
    notify(found, text, url)
    return {person.pk for person in found}


def page_of(endpoint: Endpoint) -> str:
    """The endpoint's page."""
    return reverse("endpoints:detail", args=[endpoint.uuid])
