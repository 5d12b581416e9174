"""The verb `explain`: word attribution for generated answers. Each word of a prompt is left out in turn, and
the answer is scored again.

As `occlusion`; the effect of a word is how much the log-probability of the answer, with the token that ends
it, falls without the word. A prompt is in its frame as it did in the evaluation, with its context; of a
dialogue the words of people and of the system turn are left out. Where there are too many words, sentences or
runs of words are left out in their place, so that all of the prompt is covered.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.data import NOT_COUNTED, read_rows
from lifecycle.runtime.engine.decoders import Decoder
from lifecycle.runtime.engine.events import EventWriter
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.occlusion import MOST_WORDS, spans, without
from lifecycle.runtime.engine.spec import ExplainSpec
from lifecycle.runtime.engine.task_types.generation.answerer import ENTRY, Writer
from lifecycle.runtime.engine.task_types.generation.answering import measure_losses
from lifecycle.runtime.engine.task_types.generation.learner import ENTRY as LEARNER
from lifecycle.runtime.engine.task_types.generation.learner import Target, prompts_of
from lifecycle.runtime.engine.task_types.generation.prompts import Example, encode_text
from lifecycle.runtime.engine.verbs import quiet
from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.rows import Rows

MOST_TOKENS = 100_000  # that are processed in all
LEAST_UNITS = 16  # the fewest to leave out, however long prompt and answer are
LEAST_SENTENCES = 8  # below that, runs of words explain more
ENDS = frozenset(".!?…。！？\n")  # of a sentence, between two words
ASKING = ("system", "user")  # whose words are left out


@dataclass(frozen=True)
class Unit:
    """What is left out at once: turn[start:end] in code points. turn: number of the dialogue's turn from 0; 0
    of a prompt that is one text.
    """

    turn: int
    start: int
    end: int


@dataclass(frozen=True)
class Units:
    """kind: words, sentences or runs. size: words of a run, at most; 1 of words, 0 of sentences."""

    kind: str
    size: int
    every: tuple[Unit, ...]


def explain(folder: Path, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """{"log_probability" of the answer in nats, "empty": that without any word, "tokens" of the answer,
    "unit" and "size" as of Units, "words": [{"turn", "start", "end", "effect"}], "found": words of the
    prompt, "taken": those of them that were left out}: no text.

    data: one row, whose answer is the one that the model wrote.
    """
    started, spec = time.monotonic(), ExplainSpec.read(folder / "spec.json")
    quiet(spec.threads)
    events, info = EventWriter(folder / "events.jsonl"), ArtifactInfo.read(folder / spec.artifact)
    if not type_of(info.task).writes_text:
        raise EngineFault("bad_spec", "This isn't a generation model.", "Use the classification explainer.")
    row = read_rows(folder / spec.data, (), LEARNER.read)
    artifact, base = folder / spec.artifact, folder / spec.base.path if spec.base else None
    asked = ENTRY.open(artifact, base, threads=spec.threads, batch_size=spec.batch_size, cancelled=cancelled)
    answer = [
        *encode_text(asked.tokenizer, row.targets[0].answer),
        *([asked.frame.end] if spec.ended else []),
    ][: asked.longest]
    if not answer:
        raise EngineFault(
            "bad_data",
            "The response is empty, so there's nothing to explain.",
            "Choose a row with a response.",
        )
    events.write("stage", name="words", message="Finding the part of the prompt within the maximum length.")
    words, units = chosen(asked, row, len(answer))
    events.write(
        "stage",
        name="words",
        message=f"Scoring the response without each of {len(units.every):,} {units.kind}.",
    )
    prompts = prompts_without(asked, row, [(), words, *((unit,) for unit in units.every)])
    found: list[float] = []
    for some in log_probabilities(asked, prompts, answer):
        found += some.tolist()
        events.write("progress", done=len(found), total=len(prompts), unit="prompts")
        if cancelled():
            events.write("end", status="cancelled", message="Stopped on request.")
            return {"format": 1, "status": "cancelled", "error": None}
    if not np.isfinite(found).all():
        raise EngineFault(
            "nan_loss", "The model returns NaN for this response.", "Train again with a lower learning rate."
        )
    events.write("end", status="succeeded", message="Finished.")
    whole, empty, *rest = found
    effects = [asdict(unit) | {"effect": whole - each} for unit, each in zip(units.every, rest, strict=True)]
    head = {
        "format": 1,
        "status": "succeeded",
        "error": None,
        "seconds": round(time.monotonic() - started, 3),
    }
    body = {
        "log_probability": whole,
        "empty": empty,
        "tokens": len(answer),
        "unit": units.kind,
        "size": units.size,
        "words": effects,
    }
    return head | body | {"found": len(words), "taken": len(inside(words, units.every))}


def chosen(asked: Writer, row: Rows, tokens: int) -> tuple[list[Unit], Units]:
    """The words of a row's prompt, and what is left out of it. tokens: of the answer."""
    target = row.targets[0]
    texts = [each.text for each in target.turns] or list(row.texts)
    (whole,) = prompts_without(asked, row, [()])

    def is_read(some: Sequence[Unit]) -> list[bool]:
        return [ids != whole for ids in prompts_without(asked, row, [(unit,) for unit in some])]

    words, most = (
        words_of(texts, target),
        max(LEAST_UNITS, min(MOST_WORDS, MOST_TOKENS // (len(whole) + tokens))),
    )
    return words, read_units(texts, words, most, is_read)


def prompts_without(asked: Writer, row: Rows, cuts: Sequence[Sequence[Unit]]) -> list[list[int]]:
    """The ids of a row's prompt as the model is asked, without each of these cuts."""
    texts, targets = (
        zip(*(left_out(row.texts[0], row.targets[0], cut) for cut in cuts), strict=True) if cuts else ((), ())
    )
    return prompts_of(asked.tokenizer, asked.frame, Rows(row.ids * len(cuts), texts, targets), asked.limit)


def log_probabilities(
    asked: Writer, prompts: Sequence[Sequence[int]], answer: Sequence[int]
) -> Iterator[Floats]:
    """Of an answer behind each prompt, in nats, a few at a time."""
    model = Decoder(asked.model)
    for start in range(0, len(prompts), asked.at_once):
        examples = [
            Example((*ids, *answer), (*[NOT_COUNTED] * len(ids), *answer))
            for ids in prompts[start : start + asked.at_once]
        ]
        yield -measure_losses(model, examples, asked.pad_id, asked.at_once).nats


def left_out(text: str, target: Target, cut: Sequence[Unit]) -> tuple[str, Target]:
    """A row without some of its words. Of a prompt with a context at its end, both lose them."""
    if target.turns:
        turns = [
            replace(
                turn,
                text=without(turn.text, [with_blank(turn.text, each) for each in cut if each.turn == at]),
            )
            for at, turn in enumerate(target.turns)
        ]
        return text, replace(target, turns=tuple(turns))
    parts, context = [with_blank(text, each) for each in cut], target.context
    if context and text.endswith(context):
        above = len(text) - len(context)
        context = without(
            context, [(max(0, start - above), end - above) for start, end in parts if end > above]
        )
    return without(text, parts), replace(target, context=context)


def with_blank(text: str, unit: Unit) -> tuple[int, int]:
    """A unit with the blank after it if a blank or nothing is before it, so that no two blanks are left in a
    row.
    """
    blank = text[unit.end : unit.end + 1] == " " and text[: unit.start][-1:] in ("", " ", "\n")
    return unit.start, unit.end + blank


# ── Words, and what represents them where there are many ────────────────────
def words_of(texts: Sequence[str], target: Target) -> list[Unit]:
    """The words of a prompt, or of the user's and system turns."""
    asking = [at for at in range(len(texts)) if not target.turns or target.turns[at].role in ASKING]
    return [Unit(at, start, end) for at in asking for start, end in spans(texts[at])]


def read_units(
    texts: Sequence[str], words: Sequence[Unit], most: int, is_read: Callable[[Sequence[Unit]], list[bool]]
) -> Units:
    """At most `most` units that cover what the model reads of the words. is_read: of units, whether it reads
    another prompt without each.

    Text beyond that is excluded the second time, so that it makes no unit coarser.
    """

    def read(some: Sequence[Unit]) -> tuple[Unit, ...]:
        return tuple(unit for unit, known in zip(some, is_read(some), strict=True) if known)

    units = units_of(texts, words, most)
    if (first := read(units.every)) == units.every:
        return units
    units = units_of(texts, inside(words, first), most)
    return replace(units, every=read(units.every))


def units_of(texts: Sequence[str], words: Sequence[Unit], most: int) -> Units:
    """The words where they are `most` or fewer, else the sentences where these are not too many or too few,
    else runs of words.
    """
    if len(words) <= most:
        return Units("words", 1, tuple(words))
    found = sentences(texts, words)
    if LEAST_SENTENCES <= len(found) <= most:
        return Units("sentences", 0, tuple(found))
    # a run ends with its turn: of more turns the last are taken
    turns = sorted({word.turn for word in words})[-most:]
    words = [word for word in words if word.turn in turns]
    longest = max(Counter(word.turn for word in words).values())
    size = min(longest, -(-len(words) // most))
    while len(found := runs(words, size)) > most:
        size = min(longest, size + max(1, size // 8))
    return Units("runs", size, tuple(found))


def sentences(texts: Sequence[str], words: Sequence[Unit]) -> list[Unit]:
    """From the first word of each to its last."""
    found: list[Unit] = []
    for word in words:
        last = found[-1] if found else None
        if last and last.turn == word.turn and ENDS.isdisjoint(texts[word.turn][last.end : word.start]):
            found[-1] = replace(last, end=word.end)
        else:
            found.append(word)
    return found


def runs(words: Sequence[Unit], size: int) -> list[Unit]:
    """So many words of a turn in a row, at most."""
    found = []
    for turn, some in groupby(words, key=lambda word: word.turn):
        each = list(some)
        found += [
            Unit(turn, part[0].start, part[-1].end)
            for at in range(0, len(each), size)
            if (part := each[at : at + size])
        ]
    return found


def inside(words: Sequence[Unit], units: Sequence[Unit]) -> list[Unit]:
    """The words of these units."""
    return [
        word
        for word in words
        if any(unit.turn == word.turn and unit.start <= word.start and word.end <= unit.end for unit in units)
    ]
