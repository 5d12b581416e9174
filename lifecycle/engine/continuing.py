"""Training on from a model that was trained before: its head, rows that it learnt from, and what it knew and no longer knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from lifecycle.engine import memory
from lifecycle.engine.artifact import HEAD, ArtifactInfo
from lifecycle.engine.batches import Collate, EncodedRows
from lifecycle.engine.data import EARLIER, REHEARSAL, read_rows
from lifecycle.engine.decoders import Decoder, open_decoder
from lifecycle.engine.diagnosis import Diagnosis
from lifecycle.engine.document import SpecError
from lifecycle.engine.export import load_classifier
from lifecycle.engine.predictor import Predictor
from lifecycle.engine.spec import TrainSpec
from lifecycle.engine.task_types.by_key.learners import learner_of
from lifecycle.engine.task_types.free_text.answering import measure_losses
from lifecycle.engine.task_types.free_text.learner import EVALUATION_ROWS
from lifecycle.engine.task_types.learner import Learner
from lifecycle.statistics import metrics
from lifecycle.statistics.metrics import Countable, Floats
from lifecycle.task_types.by_key.decoding import decoding_of
from lifecycle.task_types.by_key.measures import measures_of
from lifecycle.task_types.by_key.types import type_of
from lifecycle.task_types.measures import Metric
from lifecycle.task_types.rows import Rows
from lifecycle.task_types.spans.tagging import Tokens

NEVER = -1e4  # the logit of what a model does not know
MUCH = 0.05  # of a score between 0 and 1

Array = NDArray[Any]


# ── Rows ────────────────────────────────────────────────────────────────────
def rehearsed(spec: TrainSpec, rows: Rows, folder: Path, learner: Learner[Any]) -> Rows:
    """The rows, and behind them the first that the base learnt from: as many as make spec.rehearsal of all, or all there are."""
    if not spec.rehearsal or not (folder / REHEARSAL).exists():
        return rows
    earlier, wanted = read_rows(folder / REHEARSAL, spec.labels, learner.read), spec.rehearsed_rows(len(rows))
    parts = ((each, getattr(earlier, name)[:wanted]) for name, each in vars(rows).items())
    return replace(Rows(*(tuple(one) + tuple(two) for one, two in parts)), left_out=rows.left_out)


# ── The head ────────────────────────────────────────────────────────────────
def take_head(head: torch.nn.Linear, base: Path, spec: TrainSpec) -> int:
    """Begin with what the base's own head knows of each label that both have, by name; the others keep their random weights.

    Returns how many outputs were taken. Raises SpecError where the base has no head, or one of another task or pooling.
    """
    if not (base / HEAD).is_file():
        raise SpecError("keep_head", f"needs a base with a head, which {spec.base.name} does not have.")
    known, learner = ArtifactInfo.read(base), learner_of(spec.task)
    if known.task != spec.task:
        raise SpecError("keep_head", f"needs a base of the same task; {spec.base.name} was trained for {known.task}.")
    if known.pooling != spec.pooling:
        raise SpecError("keep_head", f"needs pooling {known.pooling}, by which the head of {spec.base.name} reads texts.")
    kept = load_file(base / HEAD)
    old, new = learner.meanings(known.labels), learner.meanings(spec.labels)
    pairs = [(old.index(meaning), at) for at, meaning in enumerate(new) if meaning in old]
    if pairs:
        source, target = (list(each) for each in zip(*pairs, strict=True))
        with torch.no_grad():
            head.weight[target], head.bias[target] = kept["weight"][source], kept["bias"][source]
    return len(pairs)


# ── What it no longer knows ─────────────────────────────────────────────────
@dataclass(frozen=True)
class ScoredLosses:
    """Answers ready to be counted, by their perplexity. nats, tokens: as of Losses."""

    nats: Floats
    tokens: Floats

    def __len__(self) -> int:
        return len(self.nats)

    def aggregate(self, weights: Floats) -> dict[str, Floats]:
        """perplexity of each weighting."""
        return {"perplexity": np.exp(weights @ self.nats / np.maximum(weights @ self.tokens, 1.0))}


def forgetting(spec: TrainSpec, folder: Path, tokenizer: Any, batches: Collate) -> dict[str, Any] | None:
    """The base and this run's artifact on EARLIER, the same rows. None where the folder has no such rows, or both know no class.

    {"rows", "labels": how many of the rows' classes both know, "by": the leading score, "metrics", "per_class"}: a paired bootstrap as
    `metrics.paired_rows`, baseline the base, with the verdicts of `metrics.judged`, those of scores and of classes by themselves. Of one
    class a text, the artifact may give any class that it knows, a new one too; where a text may have several, and where parts are marked,
    nobody decided about new classes in these rows, so both are asked about the others.
    """
    if not (folder / EARLIER).exists():
        return None
    learner, known = learner_of(spec.task), ArtifactInfo.read(folder / spec.base.path)
    shared = tuple(label for label in spec.labels if label in known.labels)
    labels = spec.labels if type_of(spec.task).one_label else shared
    if spec.labels and not shared:
        return None
    rows = read_rows(folder / EARLIER, labels, learner.read)
    leading = learner.metrics.listed.name
    written = type_of(spec.task).writes_text
    one, two = _losses(spec, folder, tokenizer, batches, rows) if written else _answers(spec, folder, tokenizer, batches, rows, labels)
    compared = [leading] if written else list(dict.fromkeys((leading, *learner.metrics.beside)))
    options: dict[str, Any] = {"seed": spec.seed, "clusters": rows.codes}
    found = metrics.paired_rows(one, two, compared, labels=labels, count=metrics.RESAMPLES, **options)
    classes = found.pop("per_class", {})
    options |= {"count": metrics.SWAPS}
    return {
        "rows": len(rows), "labels": len(shared), "by": leading,
        "per_class": metrics.judged(classes, metrics.swapped_per_class(one, two, labels, **options)) if classes else {},
        "metrics": metrics.judged(found, metrics.swapped(one, two, compared, **options)),
    }  # fmt: skip


def _answers(
    spec: TrainSpec, folder: Path, tokenizer: Any, batches: Collate, rows: Rows, labels: tuple[str, ...]
) -> tuple[Countable, Countable]:
    """The base through torch, as it has no graph, and the artifact as it serves."""
    base, learner, decoding = folder / spec.base.path, learner_of(spec.task), decoding_of(spec.task)
    predictor = Predictor(folder / "artifact", spec.threads)
    before, after = ArtifactInfo.read(base), predictor.info
    encoded = learner.encode(tokenizer, rows, len(labels), before.max_tokens, before.unit)
    logits = learner.observe(load_classifier(base, None), EncodedRows(encoded), batches, memory.EVALUATION_BATCH)
    truth, found = learner.truth(rows.targets, len(labels)), []
    for info, given in ((before, logits), (after, predictor.logits(rows))):
        decoded = decoding.decode(rearranged(given, learner.meanings(info.labels), learner.meanings(labels)), info.temperature)
        found.append(measures_of(spec.task).score(decoding.predicted(decoded, truth, rows.ids, info.over(labels))))
    return found[0], found[1]


def rearranged(logits: Any, old: Sequence[str], new: Sequence[str]) -> Any:
    """Logits in another order of what they stand for; NEVER where they say nothing of it. logits: (N, K), or those of tokens."""
    if list(old) == list(new):
        return logits
    if isinstance(logits, Tokens):
        return replace(logits, values=tuple(rearranged(each, old, new) for each in logits.values))
    found: Array = np.full((len(logits), len(new)), NEVER, dtype=np.float64)
    for at, meaning in enumerate(new):
        if meaning in old:
            found[:, at] = logits[:, old.index(meaning)]
    return found


def _losses(spec: TrainSpec, folder: Path, tokenizer: Any, batches: Collate, rows: Rows) -> tuple[Any, Any]:
    base, artifact = folder / spec.base.path, folder / "artifact"
    info: Any = ArtifactInfo.read(artifact)
    encoded: Any = learner_of(spec.task).encode(tokenizer, rows, 0, info.max_tokens)
    models = open_decoder(base, None, ArtifactInfo.read(base)), open_decoder(artifact, base, info)
    found = [measure_losses(Decoder(model), encoded.examples, batches.pad_id, EVALUATION_ROWS) for model in models]
    before, after = (ScoredLosses(each.nats, each.tokens) for each in found)
    return before, after


def forgot(found: dict[str, Any], leading: Metric, base: str) -> Diagnosis | None:
    """The finding where the leading score on the earlier rows got worse and chance does not explain it. found: of `forgetting`."""
    score, digits = found["metrics"][found["by"]], leading.digits
    before, after = (f"{score[name]:.{digits}f}" for name in ("baseline", "candidate"))
    if score["verdict"] != "worse":
        return None
    lost = {label: each for label, each in found["per_class"].items() if each["verdict"] == "worse"}
    worst = sorted(lost, key=lambda label: lost[label]["difference"])[:3]
    named = f" Most in {', '.join(worst)}." if worst else ""
    return Diagnosis(
        "forgetting",
        "bad" if leading.lower_is_better or score["difference"] < -MUCH else "watch",
        f"It has forgotten some of what {base} knew.",
        f"On {found['rows']:,} earlier rows {leading.words} went from {before} to {after}.{named}",
        0,
        0,
        "Rehearse a larger share of the earlier rows, take a lower rate, or let fewer weights learn.",
    )
