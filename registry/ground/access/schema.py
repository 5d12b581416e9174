"""What the API's description has for every URL: the name of our tokens, and the one form of all errors."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from registry.ground.access.answers import ErrorOut

ALWAYS = {
    401: "Not signed in, or no valid token.",
    403: "Your role or token scope doesn't allow this.",
    429: "Too many requests. Retry after the time in Retry-After.",
}
OF_NAMES = {404: "Not found, or you don't have access."}
OF_WORDS = {400: "Invalid parameter or field; see `fields`.", 422: "Not allowed in the current state."}
OF_A_BODY = {413: "The body is too large.", 415: "The body's media type isn't supported."}
OF_A_CHANGE = {
    409: "It changed since you read it, or isn't in the required state.",
    422: "Not allowed in the current state. Nothing was changed.",
    503: "A dependency isn't ready yet. Retry later.",
}
WITH_A_TIME = {"429", "503"}


class TokenScheme(OpenApiAuthenticationExtension):
    """Authorization: Bearer lc_…"""

    target_class = "registry.ground.access.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """HTTP bearer authentication."""
        return {"type": "http", "scheme": "bearer", "description": "An API token from your profile page."}


class Schema(AutoSchema):
    """The description of one method, with the refusals that it can meet beside the answers that its view
    names.
    """

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """The operation. Only now is it known whether it has parameters and a body."""
        operation = super().get_operation(*args, **kwargs)
        if operation:
            answers = operation["responses"]
            found = {str(status): words for status, words in self.refusals(operation).items()}
            answers |= {
                status: self.refusal(status, words)
                for status, words in found.items()
                if status not in answers
            }
            operation["responses"] = dict(sorted(answers.items()))
        return operation

    def refusals(self, operation: dict[str, Any]) -> dict[int, str]:
        """What can be refused, by status."""
        places = {parameter["in"] for parameter in operation.get("parameters", [])}
        found = dict(ALWAYS)
        if places or self.method != "GET":
            found |= OF_NAMES
        if "query" in places or "requestBody" in operation:
            found |= OF_WORDS
        if "requestBody" in operation:
            found |= OF_A_BODY
        if self.method != "GET":
            found |= OF_A_CHANGE
        return found

    def refusal(self, status: str, words: str) -> dict[str, Any]:
        """The answer to a refused request."""
        answer: dict[str, Any] = self._get_response_for_code(
            OpenApiResponse(ErrorOut, words), status, ["application/json"]
        )
        if status in WITH_A_TIME:
            answer["headers"] = {
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}
            }
        return answer
