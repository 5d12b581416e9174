"""Sign-in of programs: `Authorization: Bearer lc_…`."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from registry.ground.access.actions import token_digest
from registry.ground.access.models import ApiToken, User
from registry.ground.access.policy import sole

REFUSAL = "The token is unknown, expired, or revoked."


class TokenAuthentication(BaseAuthentication):
    """Bearer tokens; `request.auth` is the ApiToken, whose scopes the API views check."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """None when there is no bearer header, so that the session is tried next."""
        kind, _, secret = get_authorization_header(request).decode("latin-1").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = find(secret.strip())
        if token is None:
            raise AuthenticationFailed(REFUSAL)
        token.user.by_token, token.user.limited_to = token.uuid, token.project_id
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """The scheme that a 401 names."""
        return "Bearer"


def find(secret: str) -> ApiToken | None:
    """The live token with this secret, its last use noted at most once a minute: other requests write
    nothing.
    """
    now = timezone.now()
    live = ApiToken.objects.filter(revoked_at=None, expires_at__gt=now, user__is_active=True).select_related(
        "user"
    )
    token = sole(live.filter(digest=token_digest(secret)))
    before = now - timedelta(minutes=1)
    if token and (token.last_used_at is None or token.last_used_at < before):
        ApiToken.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=before), pk=token.pk).update(
            last_used_at=now
        )
    return token
