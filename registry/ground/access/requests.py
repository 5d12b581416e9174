"""What a view gets once `needs` has let a person through: a request whose user is one of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from registry.ground.access.models import User


class SignedInRequest(HttpRequest):
    """A request of a signed-in person."""

    if TYPE_CHECKING:
        user: User  # type: ignore[assignment]
        htmx: HtmxDetails
