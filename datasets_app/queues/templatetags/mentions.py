"""{% load mentions %}: the text of comments."""

from __future__ import annotations

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from datasets_app.queues.mentions import pieces
from lifecycle.ui.text import inert

register = template.Library()


@register.filter
def mentions(text: str) -> SafeString:
    """{{ comment.text|mentions }}: mentioned names are highlighted; the text is escaped."""
    return format_html_join(
        "",
        "{}",
        ((format_html("<b>{}</b>", inert(part)) if named else inert(part),) for part, named in pieces(text)),
    )
