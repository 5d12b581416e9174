"""Prompts and completions as token ids: a decoder's input, and which tokens count in its loss.

A prompt is in a frame: the tokenizer's chat template with the prompt as the user's one message and the
assistant's turn opened, or, where the tokenizer has none, PLAIN. Behind it come the completion's tokens and
the end-of-text token, which is trained with it, so that a tuned model stops on its own. Frame, prompt and
completion are cut into tokens apart, in training and in answering alike.

What is too long is cut in the prompt, inside the frame: a context that is at its end, below the question,
loses its own end first, so that the question stays; a prompt without one loses its beginning. A completion
loses its end, and its end-of-text token with it, only where it alone does not fit. Both are counted and
reported. Of several turns `dialogues` makes rows of the same kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.runtime.engine.data import NOT_COUNTED
from lifecycle.runtime.engine.faults import EngineFault

PLAIN = ("", "\n\n### Answer\n")  # before and behind a prompt where the tokenizer has no chat template
WHERE = "a context at its end, a prompt without one at its beginning"  # tokens are lost
MARK = "\ue000prompt\ue000"  # placeholder for the prompt while the frame is determined


@dataclass(frozen=True)
class Frame:
    """The template around every prompt, as token ids, and the token that ends an answer."""

    head: tuple[int, ...]
    tail: tuple[int, ...]
    end: int

    def __len__(self) -> int:
        return len(self.head) + len(self.tail)


@dataclass(frozen=True)
class Example:
    """A prompt and its completion. ids and labels are equally long; labels are NOT_COUNTED where no loss
    counts a token.

    cut_prompt, cut_answer: tokens left out. prompt: how many ids are before the answer. Of dialogues,
    cut_turns: turns left out whole; unasked: earlier answers that do not count, since the template formats
    them otherwise than it opens them; changed: whether it writes other words than the turns have.
    """

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    cut_prompt: int = 0
    cut_answer: int = 0
    prompt: int = 0
    cut_turns: int = 0
    unasked: int = 0
    changed: bool = False


@dataclass(frozen=True)
class Truncation:
    """How many of `rows` lost tokens of their prompts, or of their completions' ends, and how many tokens in
    all; turns: of dialogues, those that were left out whole.
    """

    rows: int
    limit: int
    prompts: int
    prompt_tokens: int
    answers: int
    answer_tokens: int
    turns: int = 0


def find_frame(tokenizer: Any) -> Frame:
    """The tokenizer's frame. Raises EngineFault `base_missing` where it has no end-of-text token, or a
    template that a prompt breaks.
    """
    if tokenizer.eos_token_id is None:
        raise _unfit("its tokenizer has no end-of-text token, so generation would never stop.")
    before, behind = PLAIN
    begins: list[int] = []
    if tokenizer.chat_template:
        try:
            turn = [{"role": "user", "content": MARK}]
            whole = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # a template is a program of its own, which may raise anything
            raise _unfit(
                f"its chat template rejects a single user message ({type(error).__name__})."
            ) from error
        if whole.count(MARK) != 1:
            raise _unfit("its chat template changes messages.")
        before, behind = whole.split(MARK)
    else:
        first = tokenizer("a")["input_ids"][:1]
        begins = first if tokenizer.bos_token_id is not None and first == [tokenizer.bos_token_id] else []
    return Frame(
        (*begins, *ids_of(tokenizer, before)), tuple(ids_of(tokenizer, behind)), int(tokenizer.eos_token_id)
    )


def _unfit(why: str) -> EngineFault:
    return EngineFault(
        "base_missing",
        f"The base model can't respond to prompts: {why}",
        "Choose an instruction-tuned decoder.",
    )


def ids_of(tokenizer: Any, text: str) -> list[int]:
    """The ids of a template's own text, special tokens included."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []


def encode_text(tokenizer: Any, text: str) -> list[int]:
    """The ids of user text: special tokens in it are plain characters, or dropped, so that no text closes its
    turn and opens another.
    """
    if not text:
        return []
    unknown = {tokenizer.unk_token_id} - {tokenizer.eos_token_id}
    marks = set(tokenizer.all_special_ids) - unknown
    return [
        each
        for each in tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        if each not in marks
    ]


def encode_prompts(
    tokenizer: Any, frame: Frame, prompts: Sequence[str], limit: int, contexts: Sequence[str] | None = None
) -> list[list[int]]:
    """The ids of each prompt in its frame, at most `limit` of them, ready to be answered. contexts: as of
    `encode_examples`.
    """
    room = max(0, limit - len(frame))
    return [[*frame.head, *each.kept(room), *frame.tail] for each in _prompts(tokenizer, prompts, contexts)]


def encode_examples(
    tokenizer: Any,
    frame: Frame,
    prompts: Sequence[str],
    answers: Sequence[str],
    limit: int,
    contexts: Sequence[str] | None = None,
) -> list[Example]:
    """Prompts with their completions, each at most `limit` tokens long.

    contexts: what prompts end with, below their question; empty texts, or None, where they have none. Raises
    EngineFault `bad_spec` where the frame alone fills the limit.
    """
    if limit < len(frame) + 2:
        raise too_short(limit, len(frame))
    return [
        _example(frame, one, [*encode_text(tokenizer, two), frame.end], limit)
        for one, two in zip(_prompts(tokenizer, prompts, contexts), answers, strict=True)
    ]


def too_short(limit: int, frame: int) -> EngineFault:
    """The fault for a row whose template alone fills the limit. limit, frame: in tokens."""
    message = f"max_tokens is {limit}, but the template alone uses {frame} tokens per prompt."
    return EngineFault("bad_spec", message, f"Set max_tokens to at least {frame + 64}.")


@dataclass(frozen=True)
class _Prompt:
    """ids: of the whole prompt. question: those of what is above its context; None where it has no
    context.
    """

    ids: list[int]
    question: list[int] | None

    def kept(self, room: int) -> list[int]:
        """At most `room` ids: those from its beginning while its question fits, else the last ones of the
        question or the prompt.
        """
        if len(self.ids) <= room:
            return self.ids
        if self.question is None or len(self.question) > room:
            return _last(self.ids if self.question is None else self.question, room)
        return self.ids[:room]


def _prompts(tokenizer: Any, prompts: Sequence[str], contexts: Sequence[str] | None) -> list[_Prompt]:
    found = []
    for prompt, context in zip(
        prompts, contexts if contexts is not None else [""] * len(prompts), strict=True
    ):
        question = prompt.removesuffix(context).rstrip()
        below = bool(context) and bool(question) and prompt.endswith(context)
        found.append(
            _Prompt(encode_text(tokenizer, prompt), encode_text(tokenizer, question) if below else None)
        )
    return found


def _example(frame: Frame, prompt: _Prompt, answer: list[int], limit: int) -> Example:
    kept_answer = answer[: limit - len(frame)]
    kept_prompt = prompt.kept(limit - len(frame) - len(kept_answer))
    before = (*frame.head, *kept_prompt, *frame.tail)
    labels = (*(NOT_COUNTED for _ in before), *kept_answer)
    return Example(
        (*before, *kept_answer),
        labels,
        len(prompt.ids) - len(kept_prompt),
        len(answer) - len(kept_answer),
        len(before),
    )


def _last(ids: list[int], count: int) -> list[int]:
    return ids[-count:] if count > 0 else []


def truncation(examples: Sequence[Example], limit: int) -> Truncation:
    """Counts of what was cut from these rows."""
    prompts, answers = ([getattr(each, name) for each in examples] for name in ("cut_prompt", "cut_answer"))
    turns = sum(each.cut_turns for each in examples)
    return Truncation(
        len(examples),
        limit,
        sum(map(bool, prompts)),
        sum(prompts),
        sum(map(bool, answers)),
        sum(answers),
        turns,
    )


def where_lost(turns: int) -> str:
    """Where prompts lose tokens. turns: how many of dialogues were left out whole."""
    return f"{turns:,} turns of dialogues, the oldest first; then {WHERE}" if turns else WHERE


def truncation_text(found: Truncation, name: str) -> str:
    """The sentence about what was cut; empty where nothing was. name: of the rows, such as train."""
    parts = []
    if found.prompts:
        lost = f"{found.prompts:,} of {found.rows:,} {name} prompts lost {found.prompt_tokens:,} tokens"
        parts.append(f"{lost} ({where_lost(found.turns)})")
    if found.answers:
        parts.append(
            f"{found.answers:,} of {found.rows:,} {name} answers lost {found.answer_tokens:,} tokens at"
            " their end"
        )
    return f"{', and '.join(parts)}: a row has up to {found.limit:,} tokens." if parts else ""
