"""Disturbed prompts and responses that are put in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lifecycle.engine.perturb import disturb, disturb_responses
from lifecycle.engine.predictor import Predictor
from lifecycle.engine.probing.subject import AT_ONCE, Sides, Told
from lifecycle.statistics import calibration, metrics
from lifecycle.statistics.metrics import Floats
from lifecycle.task_types.ranking import measures as ranking
from lifecycle.task_types.ranking.measures import ScoredRanks
from lifecycle.task_types.rows import Rows


class Orders:
    """An answer is the strengths of a row's responses (M,)."""

    shown: tuple[str, ...] = ("pair_accuracy", "best_first")
    at_once = AT_ONCE

    def __init__(self, predictor: Predictor, batch_size: int) -> None:
        self.predictor, self.batch_size = predictor, batch_size

    def reads(self, rows: Rows) -> list[tuple[str, tuple[str, ...]]]:
        """The prompts with their responses."""
        return [(text, each.responses) for text, each in zip(rows.texts, rows.targets, strict=True)]

    def answer(self, rows: Rows) -> list[Floats]:
        """Calibrated strengths."""
        strengths = np.asarray(self.predictor.logits(rows, self.batch_size), dtype=np.float64) / self.predictor.info.temperature
        return [row[: len(each.ranks)] for row, each in zip(strengths, rows.targets, strict=True)]

    def disturb(self, probe: str, rows: Rows, seed: int) -> Rows:
        """The prompt and each response by itself; what people said of them stays, and so does what is known of their lengths."""
        texts = (disturb(probe, text, seed=seed, name=name).text for name, text in zip(rows.ids, rows.texts, strict=True))
        targets = (
            replace(each, responses=disturb_responses(probe, each.responses, seed=seed, name=name))
            for name, each in zip(rows.ids, rows.targets, strict=True)
        )
        return replace(rows, texts=tuple(texts), targets=tuple(targets))

    def score(self, rows: Rows, answers: Sequence[Floats]) -> ScoredRanks:
        """By pairs."""
        return ranking.score(ranking.padded(answers, np.nan), rows.targets)

    def hold(self, rows: Rows, clean: Sequence[Floats], disturbed: Rows, answers: Sequence[Floats]) -> Sides:
        """A row's own score is the share of its pairs that are right, 0 where people find all equal. Sure is how likely its first response
        is better than its second."""
        before, after = self.score(rows, clean), self.score(rows, answers)
        orders = [[ranking.in_order(ranks(each)) for each in said] for said in (clean, answers)]
        changed = np.array([one != two for one, two in zip(*orders, strict=True)], dtype=np.bool_)
        told = [
            Told(ranking.in_order(rows.targets[at].ranks), orders[0][at], sure(clean[at]), orders[1][at], sure(answers[at]))
            for at in np.flatnonzero(changed).tolist()
        ]
        own = np.stack([metrics.ratio(each.right, each.decided) for each in (before, after)])
        return Sides(before, after, own, changed, told)


def ranks(strengths: Floats) -> list[int]:
    """Of each response, 0 the strongest; equal ones are equal."""
    levels = sorted(set(strengths.tolist()), reverse=True)
    return [levels.index(each) for each in strengths.tolist()]


def sure(strengths: Floats) -> float:
    """How likely the strongest response is better than the next."""
    first, second = np.sort(strengths)[::-1][:2]
    return float(calibration.sigmoid(np.array(first - second)))
