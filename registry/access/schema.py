"""What the API's description says of every address: how our tokens are named, and the one form of all refusals."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from registry.access.answers import ErrorOut

ALWAYS = {
    401: "Nobody is signed in, and no valid token was sent.",
    403: "Your role, or the scope of your token, does not allow it.",
    429: "Too many requests. Send it again after the time in Retry-After.",
}
OF_NAMES = {404: "What is named is not there, or is not yours to see."}
OF_WORDS = {400: "A parameter or a field cannot be read: `fields` says which.", 422: "A rule forbids it in this state of things."}
OF_A_BODY = {413: "The body is larger than is taken.", 415: "The body is of another type than is taken."}
OF_A_CHANGE = {
    409: "It changed since you looked at it, or is no longer in the state that this needs.",
    422: "A rule forbids it in this state of things. Nothing has changed.",
    503: "Something that it needs is not ready yet. Send it again later.",
}
WITH_A_TIME = {"429", "503"}


class TokenScheme(OpenApiAuthenticationExtension):
    """Authorization: Bearer lc_…"""

    target_class = "registry.access.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """HTTP bearer authentication."""
        return {"type": "http", "scheme": "bearer", "description": "An API token of your profile page."}


class Schema(AutoSchema):
    """The description of one method, with the refusals that it can meet beside the answers that its view names."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """The operation. Only now is it known whether it has parameters and a body."""
        operation = super().get_operation(*args, **kwargs)
        if operation:
            answers = operation["responses"]
            found = {str(status): words for status, words in self.refusals(operation).items()}
            answers |= {status: self.refusal(status, words) for status, words in found.items() if status not in answers}
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
        answer: dict[str, Any] = self._get_response_for_code(OpenApiResponse(ErrorOut, words), status, ["application/json"])
        if status in WITH_A_TIME:
            answer["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
        return answer
