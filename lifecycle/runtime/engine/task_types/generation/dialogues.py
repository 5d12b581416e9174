"""Dialogues as token ids: the template around each turn, which turns are learned, and what is left out of a
dialogue that is too long.

A dialogue is in the tokenizer's chat template, every turn in its place and the assistant's turn opened behind
them, as anyone who asks the model has it; without a template in the plain frame of `prompts`, later questions
below FOLLOW. What people wrote is put between the template's marks as text, turn by turn, so that no turn can
close itself and open another.

All turns of the assistant are learned, each as it would be asked for: what comes before it in the dialogue is
what the template writes to open it. A turn that the template writes otherwise once others follow, such as one
whose reasoning it takes out, is read and not learned. A turn with the weight 0 is read and not learned
either.

A dialogue that is too long loses its oldest turns, from one of the user's to the next; its system turn, its
end and its answer stay. Where the system turn and the last turns do not fit on their own, the longest loses
tokens first: a system turn at its end, another at its beginning. Where the template takes no system turn, or
puts it elsewhere, its text goes before the next turn's.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from lifecycle.runtime.engine.data import NOT_COUNTED
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.task_types.generation.prompts import (
    PLAIN,
    Example,
    Frame,
    encode_text,
    ids_of,
    too_short,
)

ROLES = ("system", "user", "assistant")
# before a later question, and BETWEEN before any other turn, where the tokenizer has no chat template
FOLLOW = "\n\n### Question\n"
BETWEEN = "\n\n"
LETTER = "\ue000"  # of the private use area: marks where a turn's text is in the template


class Misfit(Exception):
    """The chat template can't format these turns. Its text is the reason."""


@dataclass(frozen=True)
class Turn:
    """A turn of a dialogue. role: one of ROLES. in_loss: whether a turn of the assistant counts in the
    loss.
    """

    role: str
    text: str
    in_loss: bool = True


@dataclass(frozen=True)
class Around:
    """What the template writes around turns: pieces, one before each turn and one behind the last, which
    opens the answer.

    asked: the numbers of the assistant's turns that are written where and how they would be asked for.
    written: the pieces as text, empty in the plain frame.
    """

    pieces: tuple[tuple[int, ...], ...]
    asked: frozenset[int]
    written: tuple[str, ...] = ()


class Template:
    """A tokenizer's chat template, or the plain frame, for any turns. Its pieces are computed once for each
    order of roles.
    """

    def __init__(self, tokenizer: Any, frame: Frame) -> None:
        self.tokenizer, self.frame = tokenizer, frame
        self._written: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._around: dict[tuple[str, ...], Around] = {}
        self._takes: dict[tuple[str, ...], bool] = {}
        self.has_one = bool(tokenizer.chat_template)
        self.trims = self.has_one and f"\t{LETTER}\t" not in self._rendered(
            [{"role": "user", "content": f"\t{LETTER}\t"}]
        )

    def around(self, roles: tuple[str, ...]) -> Around:
        """The template's pieces around turns of these roles. Raises Misfit."""
        if roles not in self._around:
            self._around[roles] = self._find(roles) if self.has_one else self._plain(roles)
        return self._around[roles]

    def ready(self, turns: Sequence[Turn]) -> tuple[Turn, ...]:
        """The turns as the template takes them: without blanks around a text where it takes them off, and
        with a system turn in the one that follows where it takes none, or not there.
        """
        trimmed = [replace(each, text=each.text.strip()) for each in turns] if self.trims else list(turns)
        if all(each.role != "system" for each in trimmed) or self.takes(tuple(each.role for each in trimmed)):
            return tuple(trimmed)
        found: list[Turn] = []
        for turn in trimmed:
            before = found.pop() if found and found[-1].role == "system" else None
            found.append(replace(turn, text=f"{before.text}{BETWEEN}{turn.text}") if before else turn)
        return tuple(found)

    def changes(self, turns: Sequence[Turn]) -> bool:
        """Whether it writes other words than the turns have, as one does that takes out reasoning."""
        if not self.has_one:
            return False
        written = self.around(tuple(each.role for each in turns)).written
        whole = written[0] + "".join(
            turn.text + piece for turn, piece in zip(turns, written[1:], strict=True)
        )
        try:
            return whole != self._rendered([{"role": each.role, "content": each.text} for each in turns])
        except Misfit:
            return True

    def takes(self, roles: tuple[str, ...]) -> bool:
        """Whether it can format turns of these roles, each in its place."""
        if roles not in self._takes:
            try:
                self.around(roles)
            except Misfit:
                self._takes[roles] = False
            else:
                self._takes[roles] = True
        return self._takes[roles]

    def _rendered(self, messages: list[dict[str, str]]) -> str:
        try:
            return str(
                self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            )
        except Exception as error:  # a template is a program of its own, which may raise anything
            raise Misfit(str(error) or type(error).__name__) from error

    def _pieces(self, roles: tuple[str, ...]) -> tuple[str, ...]:
        """What the template writes around texts that are marks."""
        if roles not in self._written:
            marks = [f"{LETTER}{number}{LETTER}" for number in range(len(roles))]
            rest, found = (
                self._rendered(
                    [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]
                ),
                [],
            )
            for mark in marks:
                before, there, rest = rest.partition(mark)
                if not there or LETTER in before:
                    raise Misfit("it doesn't reproduce every turn unchanged and in order")
                found.append(before)
            if LETTER in rest:
                raise Misfit("it repeats a turn")
            self._written[roles] = (*found, rest)
        return self._written[roles]

    def _find(self, roles: tuple[str, ...]) -> Around:
        written = self._pieces(roles)
        asked = [
            at
            for at, role in enumerate(roles)
            if role == "assistant" and at and self._opens(roles[:at], written[: at + 1])
        ]
        return Around(
            tuple(tuple(ids_of(self.tokenizer, each)) for each in written), frozenset(asked), written
        )

    def _opens(self, roles: tuple[str, ...], written: tuple[str, ...]) -> bool:
        """Whether the turns before one of the assistant, with its turn opened, are written as in the whole
        dialogue.
        """
        try:
            return self._pieces(roles) == written
        except Misfit:
            return False

    def _plain(self, roles: tuple[str, ...]) -> Around:
        pieces: list[tuple[int, ...]] = []
        for before, role in zip((None, *roles), (*roles, "assistant"), strict=True):
            ends = (self.frame.end,) if before == "assistant" else ()
            text = PLAIN[1] if role == "assistant" else FOLLOW if before == "assistant" else BETWEEN
            pieces.append(
                self.frame.head
                if before is None and role != "assistant"
                else (*ends, *ids_of(self.tokenizer, text))
            )
        return Around(tuple(pieces), frozenset(at for at, role in enumerate(roles) if role == "assistant"))


@dataclass(frozen=True)
class _Kept:
    """What is left of a dialogue. texts: the ids of each turn's text. dropped: turns left out whole."""

    turns: tuple[Turn, ...]
    around: Around
    texts: list[list[int]]
    dropped: int = 0

    @property
    def frame(self) -> int:
        """Tokens around the texts."""
        return sum(map(len, self.around.pieces))

    def __len__(self) -> int:
        return self.frame + sum(map(len, self.texts))


def encode(
    template: Template,
    turns: Sequence[Turn],
    answer: str,
    limit: int,
    *,
    in_loss: bool = True,
    all_turns: bool = True,
) -> Example:
    """A dialogue and its answer, at most `limit` tokens long.

    in_loss: whether the answer counts. all_turns: whether the assistant's earlier turns count too, as in
    training; an evaluation counts the answer alone. Raises Misfit, and EngineFault `bad_spec` where the
    template around its last turns fills the limit.
    """
    end = template.frame.end
    answer_ids = [*encode_text(template.tokenizer, answer.strip() if template.trims else answer), end]
    whole, kept, kept_answer = _fit(template, turns, answer_ids, limit)
    wanted = [all_turns and each.role == "assistant" and each.in_loss for each in kept.turns]
    counted = [each and at in kept.around.asked for at, each in enumerate(wanted)]
    ids: list[int] = []
    labels: list[int] = []
    for at, piece in enumerate(kept.around.pieces):
        # where a turn ends with the answer's end token, that token counts too
        closes = at > 0 and counted[at - 1] and piece[:1] == (end,)
        ids += piece
        labels += [end if closes and not place else NOT_COUNTED for place in range(len(piece))]
        if at < len(kept.texts):
            ids += kept.texts[at]
            labels += kept.texts[at] if counted[at] else [NOT_COUNTED] * len(kept.texts[at])
    labels += kept_answer if in_loss else [NOT_COUNTED] * len(kept_answer)
    return Example(
        (*ids, *kept_answer),
        tuple(labels),
        max(0, len(whole) - len(ids)),
        len(answer_ids) - len(kept_answer),
        prompt=len(ids),
        cut_turns=kept.dropped,
        unasked=sum(wanted) - sum(counted),
        changed=template.changes(whole.turns),
    )


def encode_all(
    tokenizer: Any,
    frame: Frame,
    ids: Sequence[str],
    dialogues: Sequence[tuple[Sequence[Turn], str, bool]],
    limit: int,
    *,
    all_turns: bool,
) -> list[Example]:
    """`encode` of several dialogues, each of its turns, its answer, and whether that counts. ids: of their
    rows.

    Raises EngineFault `bad_data`, which counts those that the template does not write, and `bad_spec` as
    `encode`.
    """
    template = Template(tokenizer, frame)
    found, misfits = [], []
    for row, (turns, answer, in_loss) in zip(ids, dialogues, strict=True):
        try:
            found.append(encode(template, turns, answer, limit, in_loss=in_loss, all_turns=all_turns))
        except Misfit as error:
            misfits.append((row, turns, error))
    if misfits:
        row, turns, why = misfits[0]
        roles = ", ".join(each.role for each in turns)
        raise EngineFault(
            "bad_data",
            f"The base model's chat template can't format {len(misfits):,} of {len(dialogues):,} dialogues,"
            f" for example {row[:12]} with the turns {roles}: {str(why).rstrip('.')}.",
            "Choose a base model whose template supports such turns, or fix the dialogues and create a new"
            " dataset version.",
        )
    return found


def ask(template: Template, turns: Sequence[Turn], limit: int) -> list[int]:
    """The ids of a dialogue with its answer opened, at most `limit` of them. Raises as `encode`."""
    _, kept, _ = _fit(template, turns, [], limit)
    pairs = zip(kept.texts, kept.around.pieces[1:], strict=True)
    return [*kept.around.pieces[0], *(token for text, piece in pairs for token in (*text, *piece))]


def _fit(
    template: Template, turns: Sequence[Turn], answer: list[int], limit: int
) -> tuple[_Kept, _Kept, list[int]]:
    """A dialogue whole, what is kept of it, and what is kept of its answer's ids."""
    known: dict[str, list[int]] = {}

    def read(start: int) -> _Kept:
        ready = template.ready([*turns[:head], *turns[start:]])
        around = template.around(tuple(each.role for each in ready))
        for each in ready:
            if each.text not in known:
                known[each.text] = encode_text(template.tokenizer, each.text)
        return _Kept(ready, around, [known[each.text] for each in ready], start - head)

    head = next((at for at, each in enumerate(turns) if each.role != "system"), len(turns))
    whole = kept = read(head)
    for start in (at for at, each in enumerate(turns) if at > head and each.role == "user"):
        if len(kept) + len(answer) <= limit:
            break
        with suppress(Misfit):  # of its ends those are taken that the template writes
            kept = read(start)
    if answer and limit < kept.frame + 2:
        raise too_short(limit, kept.frame)
    kept_answer = answer[: limit - kept.frame]
    return whole, replace(kept, texts=_cut(kept, limit - kept.frame - len(kept_answer))), kept_answer


def _cut(kept: _Kept, room: int) -> list[list[int]]:
    """The ids of the texts, at most `room` in all: the longest loses first, a system turn at its end, another
    at its beginning.
    """
    sizes = [len(each) for each in kept.texts]
    while (over := sum(sizes) - max(0, room)) > 0:
        longest = max(sizes)
        at = sizes.index(longest)
        sizes[at] -= min(over, max(1, longest - max((size for size in sizes if size < longest), default=0)))
    parts = zip(kept.texts, sizes, (each.role == "system" for each in kept.turns), strict=True)
    return [ids[:size] if at_end else ids[len(ids) - size :] for ids, size, at_end in parts]
