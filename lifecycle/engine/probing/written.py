"""Disturbed prompts to which texts are written; of a dialogue what was said last before the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lifecycle.engine.artifact import ArtifactInfo
from lifecycle.engine.base import open_base
from lifecycle.engine.decoders import open_decoder
from lifecycle.engine.perturb import disturb
from lifecycle.engine.probing.subject import Sides, Told
from lifecycle.engine.strategies import load_tokenizer
from lifecycle.engine.task_types.free_text import prompts
from lifecycle.engine.task_types.free_text.answering import answer
from lifecycle.engine.task_types.free_text.learner import EVALUATION_ROWS, Target, prompts_of
from lifecycle.engine.text_evaluation import longest_prompt
from lifecycle.task_types.free_text.measures import ScoredTexts, score_texts
from lifecycle.task_types.rows import Rows


class Written:
    """An answer is a text, the likeliest token each time."""

    shown: tuple[str, ...] = ("rouge_l", "exact_match")

    def __init__(self, artifact: Path, base: Path | None, info: ArtifactInfo, batch_size: int, cancelled: Callable[[], bool]) -> None:
        if base is not None and info.strategy != "full":
            open_base(base, info.base_name, info.base_digest)
        self.model, self.tokenizer = open_decoder(artifact, base, info), load_tokenizer(artifact)
        self.frame, self.longest = prompts.find_frame(self.tokenizer), info.max_new_tokens or 128
        self.limit = longest_prompt(self.model, self.frame, info.max_tokens, self.longest)
        self.at_once, self.cancelled = min(batch_size, EVALUATION_ROWS), cancelled

    def reads(self, rows: Rows) -> list[object]:
        """The prompts, or all that was said before the answer; contexts stay."""
        return [each.turns or text for text, each in zip(rows.texts, rows.targets, strict=True)]

    def answer(self, rows: Rows) -> list[str]:
        """What is written to each prompt."""
        asked = prompts_of(self.tokenizer, self.frame, rows, self.limit)
        said = answer(
            self.model, self.tokenizer, asked, end=self.frame.end, pad_id=self.tokenizer.pad_token_id or 0, max_new_tokens=self.longest,
            at_once=self.at_once, cancelled=self.cancelled,
        )  # fmt: skip
        return [each.text for each in said]

    def disturb(self, probe: str, rows: Rows, seed: int) -> Rows:
        """The prompts alone: what they ask for, and what the answer is to rest on, stays."""
        texts, targets = [], []
        for name, text, each in zip(rows.ids, rows.texts, rows.targets, strict=True):
            last = each.turns[-1] if each.turns else None
            texts.append(disturb(probe, text, seed=seed, name=name).text)
            targets.append(
                replace(each, turns=(*each.turns[:-1], replace(last, text=disturb(probe, last.text, seed=seed, name=name).text)))
                if last
                else each
            )
        return replace(rows, texts=tuple(texts), targets=tuple(targets))

    def score(self, rows: Rows, answers: Sequence[str]) -> ScoredTexts:
        """Against the references."""
        wanted: Sequence[Target] = rows.targets
        return score_texts(answers, [each.answer for each in wanted], [""] * len(answers))

    def hold(self, rows: Rows, clean: Sequence[str], disturbed: Rows, answers: Sequence[str]) -> Sides:
        """A row's own score is its ROUGE-L. Nothing is sure."""
        before, after = self.score(rows, clean), self.score(rows, answers)
        changed = np.array([one != two for one, two in zip(clean, answers, strict=True)], dtype=np.bool_)
        told = [Told("", clean[at], None, answers[at], None) for at in np.flatnonzero(changed).tolist()]
        return Sides(before, after, np.stack([before.rouge_l, after.rouge_l]), changed, told)
