"""The guideline of a schema as the pages show it."""

from __future__ import annotations

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from datasets_app.labeling.models import LabelSchema


def guideline_html(schema: LabelSchema | None) -> SafeString:
    """The guideline's Markdown as harmless HTML; its headings stand below those of the page, from the third level."""
    markdown = MarkdownIt("commonmark", {"html": False})
    tokens = markdown.parse(schema.guideline if schema else "")
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    return mark_safe(nh3.clean(markdown.renderer.render(tokens, markdown.options, {})))  # noqa: S308  cleaned
