"""Spans: cross entropy over the tags of each token."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from lifecycle.runtime.engine.batches import Collate, Encoded, EncodedRows
from lifecycle.runtime.engine.classifier import Classifier, TokenClassifier
from lifecycle.runtime.engine.data import NOT_COUNTED
from lifecycle.runtime.engine.diagnosis import Diagnosis
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.forward import token_logits, token_vectors
from lifecycle.runtime.engine.layers import Activations
from lifecycle.runtime.engine.losses import CrossEntropy, TokenCrossEntropy, tag_weights
from lifecycle.runtime.engine.memory import EVALUATION_BATCH
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.strategies import load_encoder, load_tokenizer
from lifecycle.runtime.engine.task_types.learner import EncoderLearner
from lifecycle.runtime.statistics.metrics import Ints
from lifecycle.runtime.task_types.rows import Rows, Vectors
from lifecycle.runtime.task_types.spans import measures as spans
from lifecycle.runtime.task_types.spans import tagging
from lifecycle.runtime.task_types.spans.decoding import ENTRY as DECODING
from lifecycle.runtime.task_types.spans.measures import ScoredSpans
from lifecycle.runtime.task_types.spans.tagging import Marked, Tokens, Unit

Array = NDArray[Any]
KEYS = ("start", "end", "label")


class SpanLearner(EncoderLearner[Marked]):
    """A row is {"spans": [{"start", "end", "label"}, …]}, in code points of its text. Of overlapping spans
    the longest is used.
    """

    metrics = spans.METRICS
    network: ClassVar[type[Classifier]] = TokenClassifier

    def read(self, row: Mapping[str, Any], labels: Mapping[str, int]) -> Marked:
        """Its spans that do not overlap a longer one."""
        given = row.get("spans")
        if not isinstance(given, list):
            raise ValueError("it has no list under 'spans'.")
        return tagging.without_overlap([_span(each, row["text"], labels) for each in given])

    def check(self, targets: Sequence[Marked], labels: tuple[str, ...]) -> None:
        """Raises EngineFault `one_class` where a label has no span in the training rows."""
        seen = {label for each in targets for _, _, label in each.spans}
        if never := [label for at, label in enumerate(labels) if at not in seen]:
            more = f" and {len(never) - 5} more" if len(never) > 5 else ""
            raise EngineFault(
                "one_class",
                f"No training row has a span of {', '.join(map(repr, never[:5]))}{more}; a label needs"
                " training spans.",
                "Label some or remove the label from the schema, create a new dataset version, and start a"
                " new run.",
            )

    def support(self, truth: Sequence[Marked], labels: int) -> list[int]:
        """Spans of each label."""
        found = [label for each in truth for _, _, label in each.spans]
        return [int(count) for count in np.bincount(np.array(found, dtype=np.int64), minlength=labels)]

    def outputs(self, labels: int) -> int:
        """One for each tag."""
        return tagging.tags(labels)

    def meanings(self, labels: Sequence[str]) -> Sequence[str]:
        """Of each tag: outside, and begin and inside of each label."""
        return ("O", *(f"{place}-{label}" for label in labels for place in "BI"))

    def unit(self, rows: Rows) -> Unit:
        """The largest unit that spans align with."""
        return tagging.unit_of(rows.texts, rows.targets)

    def note(self, unit: Unit) -> str:
        """Which one it is."""
        return unit.sentence

    def encode(
        self, tokenizer: Any, rows: Rows, labels: int, max_tokens: int, unit: Unit = Unit.PIECE
    ) -> Encoded:
        """Texts as token ids, and a tag for each token that counts: special ones do not, nor later pieces of
        a unit.
        """
        options = {
            "return_attention_mask": False,
            "return_offsets_mapping": True,
            "return_special_tokens_mask": True,
        }
        found = tokenizer(list(rows.texts), truncation=True, max_length=max_tokens, **options)
        tagged, offsets = [], []
        for text, target, place, special in zip(
            rows.texts, rows.targets, found["offset_mapping"], found["special_tokens_mask"], strict=True
        ):
            counted, where = tagging.places(text, place, special, unit)
            tags = np.full(len(counted), NOT_COUNTED, dtype=np.int64)
            tags[counted] = tagging.tag(target.spans, where)
            tagged.append(tags)
            offsets.append(where)
        cut = [bool(each.overflowing) for each in found.encodings]
        encoded = Encoded(found["input_ids"], tagged, self.truth(rows.targets, labels), offsets, cut)
        return replace(encoded, notes=lost(encoded, max_tokens, unit))

    def stack(self, labels: Sequence[Any]) -> Tensor:
        """Padded with what does not count: int64 (B, T)."""
        return pad_sequence(
            [torch.from_numpy(each) for each in labels], batch_first=True, padding_value=NOT_COUNTED
        )

    def loss(self, spec: TrainSpec, labels: Sequence[Array]) -> nn.Module:
        """Cross entropy of each token's tag; class weights count the spans of rare classes more."""
        flat = torch.from_numpy(np.concatenate(labels))
        counted = flat[flat != NOT_COUNTED]
        inner = CrossEntropy(
            tag_weights(counted, len(spec.labels)) if spec.class_weights else None,
            spec.label_smoothing,
            spec.focal_gamma,
        )
        return TokenCrossEntropy(inner, inner.weight(counted) / len(labels) or None)

    def frozen(
        self, model: Any, encoded: Encoded, batches: Collate, cache: Path, at_once: int
    ) -> Activations:
        """The vector of each token, cached on disk."""
        return token_vectors(model, encoded.ids, batches, cache.with_suffix(".f16"), at_once)

    def vectors(self, base: Path, pooling: str, max_tokens: int, unit: Unit, folder: Path) -> Vectors:
        """Of each row the vectors (T, H) of the tokens that have a tag, and their places (T, 2). They are on
        disk meanwhile.
        """
        tokenizer, encoder = load_tokenizer(base), load_encoder(base, "mean")
        model = TokenClassifier(encoder, int(encoder.config.hidden_size), 1, "mean")
        batches = Collate(tokenizer.pad_token_id or 0, "token_type_ids" in tokenizer.model_input_names)

        def read(rows: Rows) -> Iterator[tuple[Array, Ints]]:
            encoded = self.encode(tokenizer, rows, 0, max_tokens, unit)
            # of its own: the vectors of other texts are never taken for these
            with tempfile.TemporaryDirectory(dir=folder) as place:
                found = token_vectors(
                    model, encoded.ids, batches, Path(place) / "tokens.f16", EVALUATION_BATCH
                )
                for row, (tags, places) in enumerate(zip(encoded.labels, encoded.offsets or (), strict=True)):
                    yield found[row].numpy()[tags != NOT_COUNTED], places

        return read

    def observe(self, model: Any, rows: EncodedRows, batches: Collate, at_once: int) -> Any:
        """Logits (T, K) of the tokens of each text that count."""
        found = token_logits(model, rows, batches, at_once)
        values = [
            logits[tags != NOT_COUNTED] for logits, tags in zip(found, rows.encoded.labels, strict=True)
        ]
        return Tokens(tuple(values), tuple(rows.encoded.offsets or ()), tuple(rows.encoded.cut))

    def sound(self, outputs: Any) -> bool:
        """Whether all logits are numbers."""
        return all(bool(np.isfinite(each).all()) for each in outputs.values)

    def sample(
        self, outputs: Any, truth: Any, rows: Sequence[int], labels: tuple[str, ...]
    ) -> list[dict[str, Any]]:
        """Label and place of each span; confidence: of the least certain one that was found."""
        some = Tokens(tuple(outputs.values[at] for at in rows), tuple(outputs.offsets[at] for at in rows))
        return [
            {
                "truth": [_placed(labels[label], start, end) for start, end, label in truth[at].spans],
                "answer": [_placed(labels[one.label], one.start, one.end) for one in found],
                "confidence": min((one.confidence for one in found), default=None),
            }
            for at, found in zip(rows, tagging.find(DECODING.decode(some)), strict=True)
        ]

    def score(self, outputs: Tokens, truth: Sequence[Marked]) -> ScoredSpans:
        """By place and label."""
        tags = next((each.shape[1] for each in outputs.values if len(each)), 1)
        return spans.score(DECODING.decode(outputs), truth, (tags - 1) // 2)

    def variety(self, scored: ScoredSpans) -> dict[str, float]:
        """predicted_spans: how many are found."""
        return {"predicted_spans": float(scored.called.sum())}


def _placed(label: str, start: int, end: int) -> str:
    return f"{label} {start}–{end}"


def _span(given: Any, text: str, labels: Mapping[str, int]) -> tagging.Span:
    """One span of a row. Raises ValueError."""
    if not isinstance(given, dict) or any(name not in given for name in KEYS):
        raise ValueError("a span is an object with start, end and label.")
    start, end, label = (given[name] for name in KEYS)
    if not isinstance(label, str) or label not in labels:
        raise ValueError(f"label {json.dumps(label, ensure_ascii=False)} isn't among the spec's labels.")
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
        raise ValueError(f"span {start}–{end} is outside the text, which has {len(text):,} characters.")
    return start, end, labels[label]


def lost(train: Encoded, max_tokens: int, unit: Unit) -> list[Diagnosis]:
    """The diagnosis of spans that can't be learned exactly as labeled."""
    every_row = zip(train.truth, train.offsets or (), train.cut, strict=True)
    unreachable = [tagging.unreachable(each.spans, at, cut=is_cut) for each, at, is_cut in every_row]
    beyond, inexact = (sum(each[at] for each in unreachable) for at in (0, 1))
    overlapping, every = (
        sum(each.overlapping for each in train.truth),
        sum(len(each.spans) for each in train.truth),
    )
    reasons = (
        (beyond, f"are beyond the first {max_tokens} tokens of their text"),
        (inexact, "don't align with token boundaries"),
        (overlapping, "overlap a longer span and were dropped"),
    )
    if not any(count for count, _ in reasons):
        return []
    detail = "; ".join(f"{count:,} {text}" for count, text in reasons if count)
    named = (
        f"{beyond + inexact + overlapping:,} of {every + overlapping:,} training spans can't be used exactly"
        " as labeled."
    )
    whole = "everything between two spaces" if unit is Unit.SPACED else "whole words"
    step = "Increase max_tokens, or split long texts." if beyond else f"Label {whole} without overlaps."
    return [Diagnosis("lost_spans", "watch" if beyond else "info", named, f"{detail}.", 0, 0, step)]


ENTRY = SpanLearner()
