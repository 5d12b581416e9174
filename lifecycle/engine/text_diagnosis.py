"""What is said of the rows that a decoder learns from: tokens that did not fit. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lifecycle.engine.diagnosis import Diagnosis
from lifecycle.engine.prompts import Truncation, told

KEPT = "A question above a context is kept before its context; without a context the end of the prompt is kept."


def cut(found: Truncation) -> Sequence[Diagnosis]:
    """A finding where training rows lost tokens: worse where many answers did, since their end is not learnt."""
    sentence = told(found, "training")
    if not sentence:
        return ()
    needed = "Raise the longest row (max_tokens), or shorten the texts."
    if found.answers:
        title = f"{found.answers:,} of {found.rows:,} training answers are cut at their end, so where they stop is not learnt."
        return (Diagnosis("cut_texts", "bad" if found.answers > found.rows / 10 else "watch", title, sentence, 0, 0, needed),)
    title = f"{found.prompts:,} of {found.rows:,} training prompts are cut."
    return (Diagnosis("cut_texts", "watch", title, sentence, 0, 0, f"{needed} {KEPT}"),)
