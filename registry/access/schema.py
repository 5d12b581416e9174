"""How the API's description names our tokens."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class TokenScheme(OpenApiAuthenticationExtension):
    """Authorization: Bearer lc_…"""

    target_class = "registry.access.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """HTTP bearer authentication."""
        return {"type": "http", "scheme": "bearer", "description": "An API token of your profile page."}
