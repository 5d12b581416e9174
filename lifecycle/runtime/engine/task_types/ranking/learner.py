"""Responses to a prompt in order, the best first: a cross-encoder gives each a score, and score differences
give the order.

It is trained on pairs (the better of two) and on longer orders alike, and serves as a reranker or as a reward
model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from lifecycle.runtime.engine.batches import Collate, Encoded, EncodedRows
from lifecycle.runtime.engine.classifier import Classifier, Ranker, collate_sets, set_batches
from lifecycle.runtime.engine.data import NOT_COUNTED
from lifecycle.runtime.engine.devices import beside
from lifecycle.runtime.engine.diagnosis import Diagnosis
from lifecycle.runtime.engine.embedding import Embedder
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.forward import evaluation_scores
from lifecycle.runtime.engine.layers import Activations
from lifecycle.runtime.engine.losses import RankLoss
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.task_types.learner import EncoderLearner
from lifecycle.runtime.statistics import calibration
from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.ranking import measures as ranking
from lifecycle.runtime.task_types.ranking.decoding import ENTRY as DECODING
from lifecycle.runtime.task_types.ranking.measures import Ranked, ScoredRanks
from lifecycle.runtime.task_types.rows import Rows, Vectors
from lifecycle.runtime.task_types.spans.tagging import Unit


@dataclass(frozen=True)
class EncodedSets(Encoded):
    """Rows of several sequences each: ids[row] are those of the prompt with each response."""

    @property
    def lengths(self) -> list[int]:
        """What each row costs: its longest sequence, as often as it has sequences."""
        sets: Any = self.ids
        return [max(map(len, each)) * len(each) for each in sets]


class RankLearner(EncoderLearner[Ranked]):
    """A row is {"text": prompt, "responses": [text, …], "ranks": [0 the best, …]}; its truth is a Ranked.
    Scores are (N, M), NaN where a row has no such response.
    """

    metrics = ranking.METRICS
    network: ClassVar[type[Classifier]] = Ranker

    def read(self, row: Mapping[str, Any], labels: Mapping[str, int]) -> Ranked:
        """Its responses with their ranks."""
        responses, ranks = row.get("responses"), row.get("ranks")
        if (
            not isinstance(responses, list)
            or len(responses) < 2
            or any(not isinstance(each, str) for each in responses)
        ):
            raise ValueError("it has no list of two or more texts under 'responses'.")
        if (
            not isinstance(ranks, list)
            or len(ranks) != len(responses)
            or any(type(each) is not int or each < 0 for each in ranks)
        ):
            raise ValueError("it has no rank of 0 or more for each response under 'ranks'.")
        return Ranked.of(responses, ranks)

    def check(self, targets: Sequence[Ranked], labels: tuple[str, ...]) -> None:
        """Raises EngineFault `one_class` where no response is better than another: there is no order to train
        on.
        """
        if all(len(set(each.ranks)) == 1 for each in targets):
            raise EngineFault(
                "one_class",
                f"None of the {len(targets)} rows has a preferred response, so there's nothing to train on or"
                " measure.",
                "Label preferences between different responses, create a new dataset version, and start a new"
                " run.",
            )

    def ask(self, rows: Rows) -> list[tuple[str, str]]:
        """The prompt with each response, those of all rows one behind the other."""
        return [
            (text, response)
            for text, each in zip(rows.texts, rows.targets, strict=True)
            for response in each.responses
        ]

    def gather(self, logits: Any, rows: Rows) -> Any:
        """Scores (N, M) of what was asked."""
        return ranking.of_rows(logits[:, 0], [len(each.responses) for each in rows.targets])

    def encode(
        self, tokenizer: Any, rows: Rows, labels: int, max_tokens: int, unit: Unit = Unit.PIECE
    ) -> Encoded:
        """The prompt with each response as token ids; what is too long loses the end of the longer of the
        two. A finding counts them.
        """
        prompts, responses = zip(*self.ask(rows), strict=True)
        found = tokenizer(
            list(prompts),
            list(responses),
            truncation=True,
            max_length=max_tokens,
            return_attention_mask=False,
        )
        cut = [bool(each.overflowing) for each in found.encodings]
        ids, cuts, start = [], [], 0
        for each in rows.targets:
            end = start + len(each.responses)
            ids.append(tuple(found["input_ids"][start:end]))
            cuts.append(any(cut[start:end]))
            start = end
        ranks = [np.array(each.ranks, dtype=np.int64) for each in rows.targets]
        return EncodedSets(
            ids, ranks, self.truth(rows.targets, labels), cut=cuts, notes=shortened(cuts, max_tokens)
        )

    def outputs(self, labels: int) -> int:
        """One score."""
        return 1

    def meanings(self, labels: Sequence[str]) -> Sequence[str]:
        """How good a response is."""
        return ("score",)

    def stack(self, labels: Sequence[Any]) -> Tensor:
        """Ranks (B, M), padded with what does not count."""
        return pad_sequence(
            [torch.from_numpy(each) for each in labels], batch_first=True, padding_value=NOT_COUNTED
        )

    @staticmethod
    def pad(encoded: Any, pad_id: int, *, token_types: bool) -> dict[str, Tensor]:
        """As collate_sets."""
        return collate_sets(encoded, pad_id, token_types=token_types)

    def loss(self, spec: TrainSpec, labels: Any) -> nn.Module:
        """Of the pairs."""
        return RankLoss()

    def frozen(
        self, model: Any, encoded: Encoded, batches: Collate, cache: Path, at_once: int
    ) -> Activations:
        """The pooled vector of each response with its prompt, kept on the disk."""
        counts = [len(each) for each in encoded.ids]
        found = Activations(cache.with_suffix(".f16"), counts, model.head.in_features)
        model.eval()

        @torch.no_grad()
        def run(rows: Sequence[int]) -> Tensor:
            batch = beside(
                model,
                batches.pad(
                    [encoded.ids[row] for row in rows], batches.pad_id, token_types=batches.token_types
                ),
            )
            there = batch["attention_mask"].any(-1)
            pooled = model.embed(**{name: each[there] for name, each in batch.items()})
            vectors = pooled.new_zeros((*there.shape, pooled.shape[-1]))
            vectors[there] = pooled
            return vectors

        found.fill(set_batches(encoded.lengths, counts, at_once), run)
        return found

    def vectors(self, base: Path, pooling: str, max_tokens: int, unit: Unit, folder: Path) -> Vectors:
        """As `Embedder.embed_pairs`, of the prompt with each response."""
        embedder = Embedder(base, pooling, max_tokens)
        return lambda rows: embedder.embed_pairs(self.ask(rows))

    def observe(self, model: Any, rows: EncodedRows, batches: Collate, at_once: int) -> Any:
        """Scores (N, M)."""
        return evaluation_scores(model, rows, batches, at_once)

    def sound(self, outputs: Any) -> bool:
        """Whether each response has a finite score."""
        return not np.isinf(outputs).any()

    def sample(
        self, outputs: Any, truth: Any, rows: Sequence[int], labels: tuple[str, ...]
    ) -> list[dict[str, Any]]:
        """The responses by their numbers from 1, the best first, as in the truth where every pair is right;
        confidence: that the first is better than the second.
        """
        found = []
        for at in rows:
            strengths = outputs[at][: len(truth[at].ranks)]
            order = np.argsort(-strengths, kind="stable")
            sure = float(calibration.sigmoid(strengths[order[0]] - strengths[order[1]]))
            pairs = ranking.pairs_of(strengths[None], [truth[at]])
            # whatever its order of responses that people find equal
            is_right = bool((pairs.right[pairs.decided] == 1).all())
            ranks = truth[at].ranks if is_right else np.argsort(order, kind="stable").tolist()
            found.append(
                {
                    "truth": ranking.in_order(truth[at].ranks),
                    "answer": ranking.in_order(ranks),
                    "confidence": sure,
                }
            )
        return found

    def score(self, outputs: Floats, truth: Sequence[Ranked]) -> ScoredRanks:
        """By pairs."""
        return ranking.score(DECODING.decode(outputs), truth)


def shortened(cuts: Sequence[bool], max_tokens: int) -> list[Diagnosis]:
    """The diagnosis of rows that were cut."""
    count = sum(cuts)
    if not count:
        return []
    title = f"{count:,} of {len(cuts):,} training rows are truncated at {max_tokens} tokens."
    detail = (
        "Prompt and response share this limit; the longer one is truncated, which may remove the difference"
        " between responses."
    )
    step = "Increase the max sequence length (max_tokens), or shorten the prompts."
    return [Diagnosis("cut_texts", "watch" if count > len(cuts) / 10 else "info", title, detail, 0, 0, step)]


ENTRY = RankLearner()
