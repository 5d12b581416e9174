"""Pages as a browser reads them, so that tests compare what is shown and not how a template is laid out."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.test import Client

# Beside these a browser drops white space, and within AS_WRITTEN it keeps it.
BLOCK = (
    "html|head|body|title|meta|link|script|style|base|div|p|section|header|footer|main|nav|aside|article|ul|ol|li|dl|dt|dd|table|caption|thead|tbody"
    "|tfoot|tr|th|td|form|fieldset|legend|details|summary|h[1-6]|figure|figcaption|dialog|pre|blockquote|hr|br|template|option|optgroup|button"
    "|progress|label|noscript"
)
BESIDE = re.compile(rf" ?(<!doctype html>|</?(?:{BLOCK})\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>) ?", re.IGNORECASE)
AS_WRITTEN = re.compile(
    r"(<(?:pre|textarea|script|style)\b[^>]*>)(.*?)(</(?:pre|textarea|script|style)>)", re.DOTALL
)
BLANKS = re.compile(r"[ \t\r\n\f]+")  # no-break spaces stay


def as_shown(page: str) -> str:
    """The same page with one space for each run of them, and none where a browser shows none."""
    pieces = AS_WRITTEN.split(page)  # text, begin of an element, what it holds, its end, text …
    if len(pieces) > 1:
        return "".join(piece if at % 4 == 2 else as_shown(piece) for at, piece in enumerate(pieces))
    return BESIDE.sub(r"\1", BLANKS.sub(" ", page)).replace(" >", ">")


def render_shown(template: str, context: dict[str, Any], request: HttpRequest | None = None) -> str:
    """A template, as its page is shown."""
    return as_shown(render_to_string(template, context, request))


class PageClient(Client):
    """Reads pages as they are shown; whatever is no page it leaves alone."""

    def request(self, **request: Any) -> HttpResponse:
        """What Django answers."""
        response = super().request(**request)
        if not response.streaming and response.get("Content-Type", "").startswith("text/html"):
            response.content = as_shown(response.content.decode())
        return response
