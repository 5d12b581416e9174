"""Texts with an optional context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BELOW = "\n\n"  # between a text and its context


def with_context(text: str, context: str) -> dict[str, Any] | None:
    """A text and its context; None without a context. Text that already ends with its context stays
    distinguishable.
    """
    if not context.strip():
        return None
    return {"text": text.removesuffix(BELOW + context), "context": context}


def as_read(content: Mapping[str, Any]) -> str:
    """Both as one text."""
    return BELOW.join((content["text"], content["context"]))
