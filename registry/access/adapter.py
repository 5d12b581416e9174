from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class Adapter(DefaultAccountAdapter):
    """Nobody signs up by themself: an organisation admin adds people."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Always closed."""
        return False
