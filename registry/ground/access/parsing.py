"""How bodies of API requests are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError


class JSONParser(parsers.JSONParser):
    """JSON; a body that is nested without end is refused like any other that is none."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The value of the body. Raises ParseError."""
        try:
            return super().parse(stream, media_type, parser_context)  # type: ignore[arg-type]
        except RecursionError as error:
            raise ParseError("JSON parse error - it is nested too deeply.") from error
