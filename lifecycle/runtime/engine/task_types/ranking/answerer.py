"""Responses to a prompt in order, as a graph scores each with the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.perturb import disturb_responses
from lifecycle.runtime.engine.predictor import Predictor
from lifecycle.runtime.engine.task_types.answerer import ChangedRow, Sides
from lifecycle.runtime.engine.task_types.graphs import GraphAnswerer, tempered
from lifecycle.runtime.engine.task_types.ranking.learner import ENTRY as LEARNER
from lifecycle.runtime.engine.task_types.ranking.occlusion import explain_responses, read_ends
from lifecycle.runtime.statistics import metrics
from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.ranking import measures as ranking
from lifecycle.runtime.task_types.ranking.decoding import ENTRY as DECODING
from lifecycle.runtime.task_types.ranking.decoding import ranks, sure
from lifecycle.runtime.task_types.ranking.measures import RankedAnswers, ScoredRanks
from lifecycle.runtime.task_types.rows import Rows

AT_ONCE = 64  # pairs of long texts kept as tokens


class RankAnswerer(GraphAnswerer[RankedAnswers]):
    """An answer is the strengths of a row's responses (M,)."""

    learner, decoding, measures = LEARNER, DECODING, ranking.ENTRY
    probed = ("pair_accuracy", "best_first")

    def explain(self, opened: Predictor, text: str, payload: dict[str, Any]) -> dict[str, Any]:
        """responses: occlusion.ResponseExplanation of each of the payload's, the strongest first."""
        responses, logits = responses_in(payload), tempered(opened)

        def scores(pairs: Sequence[tuple[str, str]]) -> Any:
            return np.concatenate(
                [logits(pairs[start : start + AT_ONCE])[:, 0] for start in range(0, len(pairs), AT_ONCE)]
            )

        found = explain_responses(scores, text, responses, read_ends(opened.tokenizer, text, responses))
        return {"responses": [asdict(each) for each in found]}

    def reads(self, rows: Rows) -> list[tuple[str, tuple[str, ...]]]:
        """The prompts with their responses."""
        return [(text, each.responses) for text, each in zip(rows.texts, rows.targets, strict=True)]

    def answer(self, opened: Predictor, rows: Rows) -> list[Floats]:
        """Calibrated strengths."""
        return [
            row[: len(each.ranks)] for row, each in zip(self.decoded(opened, rows), rows.targets, strict=True)
        ]

    def disturb(self, probe: str, rows: Rows, seed: int) -> Rows:
        """The prompt and each response on its own; people's rankings of them stay, and so does what is known
        of their lengths.
        """
        targets = (
            replace(each, responses=disturb_responses(probe, each.responses, seed=seed, name=name))
            for name, each in zip(rows.ids, rows.targets, strict=True)
        )
        return replace(super().disturb(probe, rows, seed), targets=tuple(targets))

    def score(self, info: ArtifactInfo, rows: Rows, answers: Sequence[Floats]) -> ScoredRanks:
        """By pairs."""
        return ranking.score(ranking.padded(answers, np.nan), rows.targets)

    def compare(
        self,
        info: ArtifactInfo,
        rows: Rows,
        clean: Sequence[Floats],
        disturbed: Rows,
        answers: Sequence[Floats],
    ) -> Sides:
        """A row's own score is the share of its pairs that are right, 0 where all are tied. Confidence is the
        probability that its first response is better than its second.
        """
        before, after = self.score(info, rows, clean), self.score(info, rows, answers)
        orders = [[ranking.in_order(ranks(each)) for each in given] for given in (clean, answers)]
        changed = np.array([one != two for one, two in zip(*orders, strict=True)], dtype=np.bool_)
        changes = [
            ChangedRow(
                ranking.in_order(rows.targets[at].ranks),
                orders[0][at],
                sure(clean[at]),
                orders[1][at],
                sure(answers[at]),
            )
            for at in np.flatnonzero(changed).tolist()
        ]
        own = np.stack([metrics.ratio(each.right, each.decided) for each in (before, after)])
        return Sides(before, after, own, changed, changes)


def responses_in(payload: dict[str, Any]) -> list[str]:
    """Those beside a prompt. Raises EngineFault `bad_data` where there are not two."""
    responses = payload.get("responses")
    if (
        not isinstance(responses, list)
        or len(responses) < 2
        or not all(isinstance(each, str) for each in responses)
    ):
        message = "A ranking model needs at least two responses."
        raise EngineFault("bad_data", message, "Send at least two responses with the prompt.")
    return responses


ENTRY = RankAnswerer()
