"""What is said of the rows that a decoder learns from: tokens that did not fit, turns that do not count, items that are no rows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lifecycle.runtime.engine.diagnosis import Diagnosis
from lifecycle.runtime.engine.task_types.generation.prompts import Example, Truncation, told

KEPT = "A question above a context is kept before its context; without a context the end of the prompt is kept."
KEPT_TURNS = "Of a dialogue its system turn and its end are kept."


def notes(examples: Sequence[Example], found: Truncation, left_out: Sequence[str]) -> Sequence[Diagnosis]:
    """Everything that is to be said of the training rows. left_out: as of data.Rows."""
    return (*cut(found), *unlearnt(examples), *changed(examples), *omitted(len(examples), left_out))


def omitted(rows: int, left_out: Sequence[str]) -> Sequence[Diagnosis]:
    """A finding where items of the snapshot are no rows. rows: that are learnt."""
    if not left_out:
        return ()
    title = f"{len(left_out):,} of {rows + len(left_out):,} training dialogues are left out."
    detail = "; ".join(f"{count:,} {reason}" for reason, count in Counter(left_out).most_common())
    return (Diagnosis("left_out", "watch", title, f"{detail}.", 0, 0, "Nothing is learnt from them; mend them where they should count."),)


def unlearnt(examples: Sequence[Example]) -> Sequence[Diagnosis]:
    """A finding where earlier answers of dialogues are read and not learnt, since nobody would ask for them as they stand."""
    turns, rows = sum(each.unasked for each in examples), sum(each.unasked > 0 for each in examples)
    if not turns:
        return ()
    title = f"{turns:,} earlier answers in {rows:,} training dialogues are read and not learnt."
    detail = "The base's chat template writes them otherwise than it asks for them, so what it would be asked is not what it would read."
    step = "The last answers are learnt; to learn the earlier ones, import each dialogue once up to each of them."
    return (Diagnosis("unasked_turns", "watch", title, detail, 0, 0, step),)


def changed(examples: Sequence[Example]) -> Sequence[Diagnosis]:
    """A finding where the template would write other words than were said."""
    rows = sum(each.changed for each in examples)
    if not rows:
        return ()
    title = f"{rows:,} training dialogues hold words that the base's chat template would write otherwise."
    detail = "It leaves some out or adds some, such as earlier reasoning. Here they stay as they were decided."
    return (Diagnosis("changed_turns", "watch", title, detail, 0, 0, "Take such words out of earlier turns, and freeze again."),)


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
    return (Diagnosis("cut_texts", "watch", title, sentence, 0, 0, f"{needed} {KEPT_TURNS if found.turns else KEPT}"),)
