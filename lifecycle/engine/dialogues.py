"""Dialogues as token ids: what stands around each turn, which turns are learnt, and what is left out of a dialogue that is too long.

A dialogue stands in the tokenizer's chat template, every turn in its place and the assistant's turn opened behind them, as whoever asks the
model has it; without a template in the plain frame of `prompts`, later questions below FOLLOW. What people wrote is put between the
template's marks as text, turn by turn, so that no turn can end itself and speak for another.

All turns of the assistant are learnt, each as it would be asked for: what comes before it in the dialogue is what the template writes to
open it. A turn that the template writes otherwise once others follow, such as one whose reasoning it takes out, is read and not learnt. A
turn with the weight 0 is read and not learnt either.

A dialogue that is too long loses its oldest turns, from one of the user's to the next; its system turn, its end and its answer stay. Where
the system turn and the last turns do not fit by themselves, the longest loses tokens first: a system turn at its end, another at its
beginning. Where the template takes no system turn, its text goes before the next turn's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lifecycle.engine.data import NOT_COUNTED
from lifecycle.engine.faults import EngineFault
from lifecycle.engine.prompts import PLAIN, Example, Frame, ids_of, said_of, too_short

ROLES = ("system", "user", "assistant")
FOLLOW = "\n\n### Question\n"  # before a later question, and BETWEEN before any other turn, where the tokenizer has no chat template
BETWEEN = "\n\n"
LETTER = "\ue000"  # of the private use area: marks where a turn's text stands in the template


class Misfit(Exception):
    """The chat template does not write these turns. Its text says why."""


@dataclass(frozen=True)
class Turn:
    """What somebody said. role: one of ROLES. learnt: whether a turn of the assistant counts in the loss."""

    role: str
    text: str
    learnt: bool = True


@dataclass(frozen=True)
class Around:
    """What the template writes around turns: pieces, one before each turn and one behind the last, which opens the answer.

    asked: the numbers of the assistant's turns that stand where and how they would be asked for. written: the pieces as text, empty in the
    plain frame.
    """

    pieces: tuple[tuple[int, ...], ...]
    asked: frozenset[int]
    written: tuple[str, ...] = ()


class Template:
    """A tokenizer's chat template, or the plain frame, for any turns. What it writes around them is found once for each order of roles."""

    def __init__(self, tokenizer: Any, frame: Frame) -> None:
        self.tokenizer, self.frame = tokenizer, frame
        self._written: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._around: dict[tuple[str, ...], Around] = {}
        self.has_one = bool(tokenizer.chat_template)
        self.takes_system = not self.has_one or self._takes(("system", "user"))
        self.trims = self.has_one and f"\t{LETTER}\t" not in self._rendered([{"role": "user", "content": f"\t{LETTER}\t"}])

    def around(self, roles: tuple[str, ...]) -> Around:
        """What stands around turns of these roles. Raises Misfit."""
        if roles not in self._around:
            self._around[roles] = self._find(roles) if self.has_one else self._plain(roles)
        return self._around[roles]

    def ready(self, turns: Sequence[Turn]) -> tuple[Turn, ...]:
        """The turns as the template takes them: without blanks around a text where it takes them off, without system turns where it knows
        none."""
        found: list[Turn] = []
        for turn in (replace(each, text=each.text.strip()) if self.trims else each for each in turns):
            before = found.pop() if found and found[-1].role == "system" and not self.takes_system else None
            found.append(replace(turn, text=f"{before.text}{BETWEEN}{turn.text}") if before else turn)
        return tuple(found)

    def changes(self, turns: Sequence[Turn]) -> bool:
        """Whether it writes other words than the turns have, as one does that takes out reasoning."""
        if not self.has_one:
            return False
        written = self.around(tuple(each.role for each in turns)).written
        whole = written[0] + "".join(turn.text + piece for turn, piece in zip(turns, written[1:], strict=True))
        try:
            return whole != self._rendered([{"role": each.role, "content": each.text} for each in turns])
        except Misfit:
            return True

    def _takes(self, roles: tuple[str, ...]) -> bool:
        try:
            self._pieces(roles)
        except Misfit:
            return False
        return True

    def _rendered(self, messages: list[dict[str, str]]) -> str:
        try:
            return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        except Exception as error:  # a template is a program of its own, which may raise anything
            raise Misfit(str(error) or type(error).__name__) from error

    def _pieces(self, roles: tuple[str, ...]) -> tuple[str, ...]:
        """What the template writes around texts that are marks."""
        if roles not in self._written:
            marks = [f"{LETTER}{number}{LETTER}" for number in range(len(roles))]
            rest, found = self._rendered([{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]), []
            for mark in marks:
                before, there, rest = rest.partition(mark)
                if not there or LETTER in before:
                    raise Misfit("it does not repeat every turn as it is, in its order")
                found.append(before)
            if LETTER in rest:
                raise Misfit("it repeats a turn")
            self._written[roles] = (*found, rest)
        return self._written[roles]

    def _find(self, roles: tuple[str, ...]) -> Around:
        written = self._pieces(roles)
        asked = [at for at, role in enumerate(roles) if role == "assistant" and at and self._opens(roles[:at], written[: at + 1])]
        return Around(tuple(tuple(ids_of(self.tokenizer, each)) for each in written), frozenset(asked), written)

    def _opens(self, roles: tuple[str, ...], written: tuple[str, ...]) -> bool:
        """Whether the turns before one of the assistant, with its turn opened, are written as they stand in the whole."""
        try:
            return self._pieces(roles) == written
        except Misfit:
            return False

    def _plain(self, roles: tuple[str, ...]) -> Around:
        pieces: list[tuple[int, ...]] = []
        for before, role in zip((None, *roles), (*roles, "assistant"), strict=True):
            ends = (self.frame.end,) if before == "assistant" else ()
            text = PLAIN[1] if role == "assistant" else FOLLOW if before == "assistant" else BETWEEN
            pieces.append(self.frame.head if before is None and role != "assistant" else (*ends, *ids_of(self.tokenizer, text)))
        return Around(tuple(pieces), frozenset(at for at, role in enumerate(roles) if role == "assistant"))


@dataclass(frozen=True)
class _Read:
    """A turn as token ids."""

    turn: Turn
    ids: list[int]


def encode(template: Template, turns: Sequence[Turn], answer: str, limit: int, *, learnt: bool = True, all_turns: bool = True) -> Example:
    """A dialogue and its answer, at most `limit` tokens long.

    learnt: whether the answer counts. all_turns: whether the assistant's earlier turns count too, as in training; an evaluation counts the
    answer alone. Raises Misfit, and EngineFault `bad_spec` where what stands around its last turns fills the limit.
    """
    end = template.frame.end
    said = [*said_of(template.tokenizer, answer.strip() if template.trims else answer), end]
    whole = template.ready(turns)
    read = [_Read(each, said_of(template.tokenizer, each.text)) for each in whole]
    start, around, kept_answer, texts = _fit(template, read, said, limit)
    kept = [*read[: _system(whole)], *read[start:]]
    ids: list[int] = []
    labels: list[int] = []
    counted = [all_turns and each.turn.role == "assistant" and each.turn.learnt and at in around.asked for at, each in enumerate(kept)]
    for at, piece in enumerate(around.pieces):
        closes = at > 0 and counted[at - 1] and piece[:1] == (end,)  # where a turn ends by what ends an answer, that is learnt with it
        ids += piece
        labels += [end if closes and not place else NOT_COUNTED for place in range(len(piece))]
        if at < len(texts):
            ids += texts[at]
            labels += texts[at] if counted[at] else [NOT_COUNTED] * len(texts[at])
    before = sum(map(len, template.around(tuple(each.role for each in whole)).pieces)) + sum(len(each.ids) for each in read)
    unasked = sum(
        all_turns and each.turn.role == "assistant" and each.turn.learnt and at not in around.asked for at, each in enumerate(kept)
    )
    return Example(
        (*ids, *kept_answer), (*labels, *(kept_answer if learnt else [NOT_COUNTED] * len(kept_answer))), max(0, before - len(ids)),
        len(said) - len(kept_answer), prompt=len(ids), cut_turns=start - _system(whole), unasked=unasked, changed=template.changes(whole),
    )  # fmt: skip


def encode_all(
    tokenizer: Any, frame: Frame, ids: Sequence[str], dialogues: Sequence[tuple[Sequence[Turn], str, bool]], limit: int, *, all_turns: bool
) -> list[Example]:
    """`encode` of several dialogues, each of its turns, its answer, and whether that counts. ids: of their rows.

    Raises EngineFault `bad_data`, which counts those that the template does not write, and `bad_spec` as `encode`.
    """
    template = Template(tokenizer, frame)
    found, misfits = [], []
    for row, (turns, answer, learnt) in zip(ids, dialogues, strict=True):
        try:
            found.append(encode(template, turns, answer, limit, learnt=learnt, all_turns=all_turns))
        except Misfit as error:
            misfits.append((row, turns, error))
    if misfits:
        row, turns, why = misfits[0]
        roles = ", ".join(each.role for each in turns)
        raise EngineFault(
            "bad_data",
            f"The chat template of this base does not write {len(misfits):,} of {len(dialogues):,} dialogues, such as {row[:12]} with the "
            f"turns {roles}: {str(why).rstrip('.')}.",
            "Choose a base whose template takes such turns, or mend the dialogues and freeze again.",
        )
    return found


def ask(template: Template, turns: Sequence[Turn], limit: int) -> list[int]:
    """The ids of a dialogue with its answer opened, at most `limit` of them. Raises as `encode`."""
    read = [_Read(each, said_of(template.tokenizer, each.text)) for each in template.ready(turns)]
    _, around, _, texts = _fit(template, read, [], limit)
    return [*around.pieces[0], *(token for text, piece in zip(texts, around.pieces[1:], strict=True) for token in (*text, *piece))]


def _system(turns: Sequence[Turn]) -> int:
    """How many system turns a dialogue begins with."""
    return next((at for at, each in enumerate(turns) if each.role != "system"), len(turns))


def _fit(template: Template, read: Sequence[_Read], answer: list[int], limit: int) -> tuple[int, Around, list[int], list[list[int]]]:
    """From which turn on a dialogue is kept behind its system turns, with what stands around these, the answer's ids, and theirs."""
    head = _system([each.turn for each in read])
    starts = [head, *(at for at, each in enumerate(read) if at > head and each.turn.role == "user")]
    for at in starts:
        rest = [*read[:head], *read[at:]]
        try:
            found = template.around(tuple(each.turn.role for each in rest))
        except Misfit:
            if at == head:  # the whole dialogue; of its ends those are taken that the template writes
                raise
            continue
        start, kept, around, frames = at, rest, found, sum(map(len, found.pieces))
        if frames + sum(len(each.ids) for each in kept) + len(answer) <= limit:
            return start, around, answer, [each.ids for each in kept]
    if answer and limit < frames + 2:
        raise too_short(limit, frames)
    kept_answer = answer[: limit - frames]
    return start, around, kept_answer, _cut(kept, limit - frames - len(kept_answer))


def _cut(kept: Sequence[_Read], room: int) -> list[list[int]]:
    """Their ids, at most `room` in all: the longest loses first, a system turn at its end, another at its beginning."""
    sizes = [len(each.ids) for each in kept]
    while (over := sum(sizes) - max(0, room)) > 0:
        longest = max(sizes)
        at = sizes.index(longest)
        sizes[at] -= min(over, max(1, longest - max((size for size in sizes if size < longest), default=0)))
    parts = [(each.ids, size, each.turn.role == "system") for each, size in zip(kept, sizes, strict=True)]
    return [ids[:size] if at_end else ids[len(ids) - size :] for ids, size, at_end in parts]
