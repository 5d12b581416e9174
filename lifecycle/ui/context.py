"""The context of base.html. Computed lazily, so fragments cost nothing."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import cached_property

from lifecycle.ui import navigation
from lifecycle.ui.addresses import find_url


class Shell:
    """The frame around a page for one request."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @property
    def user(self) -> Any:
        """The signed-in person, or None."""
        user = getattr(self.request, "user", None)
        return user if user is not None and user.is_authenticated else None

    @property
    def theme(self) -> str:
        """light, dark, or empty to follow the system."""
        theme = getattr(self.user, "theme", "")
        return theme if theme in ("light", "dark") else ""

    @property
    def keys(self) -> str:
        """Whether single-key shortcuts work: on or off."""
        return "on" if getattr(self.user, "single_keys", True) else "off"

    @cached_property
    def groups(self) -> list[navigation.Group]:
        """The navigation as this person sees it."""
        match = getattr(self.request, "resolver_match", None)
        return navigation.groups(self.user, match.view_name if match else "") if self.user else []

    @cached_property
    def jumps(self) -> list[navigation.Link]:
        """The links that have a letter after `g`."""
        return [link for group in self.groups for link in group.links if link.item.key]

    counts_url = property(lambda self: find_url("home:counts"))
    palette_url = property(lambda self: find_url("home:palette"))
    theme_url = property(lambda self: find_url("access:theme"))
    profile_url = property(lambda self: find_url("access:profile"))
    notices_url = property(lambda self: find_url("notices:list"))
    unread_url = property(lambda self: find_url("notices:unread"))


def shell(request: HttpRequest) -> dict[str, Shell]:
    """Context processor: `shell`."""
    return {"shell": Shell(request)}
