"""The guideline of a schema as HTML, and differences between versions."""

from __future__ import annotations

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from datasets_app.schemas.differences import DiffLine, differences
from datasets_app.schemas.forms.schemas import write_classes
from datasets_app.schemas.models.schemas import LabelSchema


def guideline_html(schema: LabelSchema | None) -> SafeString:
    """The guideline's Markdown as harmless HTML; its headings start at the third level."""
    markdown = MarkdownIt("commonmark", {"html": False})
    tokens = markdown.parse(schema.guideline if schema else "")
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    return mark_safe(nh3.clean(markdown.renderer.render(tokens, markdown.options, {})))  # noqa: S308  cleaned


def differences_of(before: LabelSchema, after: LabelSchema) -> list[DiffLine] | None:
    """The differences between two versions, of labels and guideline as text; None if they're too long to
    compare.
    """
    return differences(as_text(before), as_text(after))


def as_text(schema: LabelSchema) -> str:
    """A version as lines: its labels, then its guideline."""
    return "\n".join(part for part in (write_classes(schema), schema.guideline) if part)
