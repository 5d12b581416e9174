"""Diagnoses of the rows that a decoder is trained on: tokens that did not fit, turns that do not count, items
that are no rows. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lifecycle.runtime.engine.diagnosis import Diagnosis
from lifecycle.runtime.engine.task_types.generation.prompts import Example, Truncation, truncation_text

KEPT = (
    "A question before a context is kept before the context; without a context, the end of the prompt is"
    " kept."
)
KEPT_TURNS = "Of a dialogue, the system turn and the end are kept."


def notes(examples: Sequence[Example], found: Truncation, left_out: Sequence[str]) -> Sequence[Diagnosis]:
    """All diagnoses of the training rows. left_out: as of data.Rows."""
    return (*cut(found), *excluded_turns(examples), *changed(examples), *omitted(len(examples), left_out))


def omitted(rows: int, left_out: Sequence[str]) -> Sequence[Diagnosis]:
    """A finding where items of the snapshot are no rows. rows: those trained on."""
    if not left_out:
        return ()
    title = f"{len(left_out):,} of {rows + len(left_out):,} training dialogues are rejected."
    detail = "; ".join(f"{count:,} {reason}" for reason, count in Counter(left_out).most_common())
    return (
        Diagnosis(
            "left_out",
            "watch",
            title,
            f"{detail}.",
            0,
            0,
            "They aren't used for training. Fix the ones that should be.",
        ),
    )


def excluded_turns(examples: Sequence[Example]) -> Sequence[Diagnosis]:
    """A finding where earlier answers of dialogues are input only, since the template never opens them in
    this form.
    """
    turns, rows = sum(each.unasked for each in examples), sum(each.unasked > 0 for each in examples)
    if not turns:
        return ()
    title = f"{turns:,} earlier responses in {rows:,} training dialogues are used as context only."
    detail = (
        "The base model's chat template formats them differently in prompts and in training, so they can't be"
        " trained on."
    )
    step = (
        "The last responses are trained on. To train on the earlier ones, import each dialogue once up to"
        " each of them."
    )
    return (Diagnosis("unasked_turns", "watch", title, detail, 0, 0, step),)


def changed(examples: Sequence[Example]) -> Sequence[Diagnosis]:
    """A finding where the template would write other words than the turns have."""
    rows = sum(each.changed for each in examples)
    if not rows:
        return ()
    title = f"{rows:,} training dialogues contain text that the base model's chat template would change."
    detail = (
        "The template removes or adds text, such as earlier reasoning. Here the labeled text is used"
        " unchanged."
    )
    return (
        Diagnosis(
            "changed_turns",
            "watch",
            title,
            detail,
            0,
            0,
            "Remove such text from earlier turns and create a new dataset version.",
        ),
    )


def cut(found: Truncation) -> Sequence[Diagnosis]:
    """A finding where training rows lost tokens: worse where many answers did, since their end is not trained
    on.
    """
    sentence = truncation_text(found, "training")
    if not sentence:
        return ()
    needed = "Increase the max sequence length (max_tokens), or shorten the texts."
    if found.answers:
        title = (
            f"{found.answers:,} of {found.rows:,} training responses are truncated, so the model doesn't"
            " learn where they end."
        )
        return (
            Diagnosis(
                "cut_texts",
                "bad" if found.answers > found.rows / 10 else "watch",
                title,
                sentence,
                0,
                0,
                needed,
            ),
        )
    title = f"{found.prompts:,} of {found.rows:,} training prompts are truncated."
    return (
        Diagnosis(
            "cut_texts", "watch", title, sentence, 0, 0, f"{needed} {KEPT_TURNS if found.turns else KEPT}"
        ),
    )
