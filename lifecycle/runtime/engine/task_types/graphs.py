"""What tasks share whose artifacts predict by an ONNX graph."""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Generic

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.engine import baselines, diagnosis, memory
from lifecycle.runtime.engine.artifact import HEAD, ArtifactInfo, Operating
from lifecycle.runtime.engine.batches import EncodedRows
from lifecycle.runtime.engine.export import load_classifier, set_info, write_artifact
from lifecycle.runtime.engine.predictor import Predictor, answer_timed, open_predictor
from lifecycle.runtime.engine.strategies import load_tokenizer
from lifecycle.runtime.engine.task_types.answerer import Answerer, Cancelled, Evaluation, Finished, P, Trained
from lifecycle.runtime.engine.task_types.learner import EncoderLearner
from lifecycle.runtime.statistics import metrics
from lifecycle.runtime.statistics.deciding import Deciding
from lifecycle.runtime.statistics.metrics import Countable, Floats
from lifecycle.runtime.task_types.decoding import Decoding
from lifecycle.runtime.task_types.measures import Measures
from lifecycle.runtime.task_types.rows import Rows
from lifecycle.runtime.task_types.spans.tagging import Tokens

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
NEVER = -1e4  # the logit of labels that a model doesn't have

Array = NDArray[Any]


class GraphAnswerer(Answerer[Predictor, Any, P], Generic[P]):
    """What the graph gives is decoded. has_int8: whether its graph is rounded to int8 where that passes the
    gate.
    """

    learner: ClassVar[EncoderLearner[Any]]
    decoding: ClassVar[Decoding[Any]]
    measures: ClassVar[Measures[Any]]
    has_int8: ClassVar[bool] = True

    def finish(self, run: Trained) -> Finished:
        """Write the artifact, choose its graph, fit on validation what turns logits into answers, and measure
        it as it will serve.
        """
        # quantisation is imported only where a run ends
        from lifecycle.runtime.engine.quantise import try_int8

        artifact, rows, truth = (
            run.folder / "artifact",
            run.prepared.validation,
            run.trainer.eval_dataset.encoded.truth,
        )
        model: Any = run.trainer.accelerator.unwrap_model(run.trainer.model, keep_fp32_wrapper=False)
        info = described(run)
        write_artifact(artifact, model, run.prepared.tokenizer, info)
        answered = answer_timed(Predictor(artifact, run.spec.threads), rows)
        logits, paces = answered.logits, {"fp32": answered.pace}
        info = self.decoding.fit(info, logits, truth, rows.codes)
        if self.has_int8:
            run.events.write(
                "stage", name="int8", message=f"Comparing int8 with fp32 on {len(rows):,} validation rows."
            )
            info, rounded = try_int8(artifact, info, rows, logits, run.spec.threads)
            if rounded is not None:
                logits, paces["int8"] = rounded.logits, rounded.pace
                info = self.decoding.fit(info, logits, truth, rows.codes)
        set_info(artifact, info)
        if info.operating and info.operating.missed:
            run.events.write(
                "finding", **diagnosis.operating_point_missed(info.operating, info.labels).to_json()
            )
        if info.deciding and not info.deciding.is_met:
            run.events.write("finding", **diagnosis.threshold_missed(info.deciding).to_json())
        values, before = (
            metrics.point_estimates(self.scored(logits, truth, card))
            for card in (info, replace(info, temperature=1.0, deciding=None))
        )
        measured = {"validation_loss": before[self.measures.metrics.loss]}
        if "ece" in before:
            measured |= {"ece_before_temperature": before["ece"], "temperature": info.temperature}
        return Finished(values | measured, info, paces)

    def scored(self, logits: Any, truth: Any, info: ArtifactInfo) -> Countable:
        """Rows as the artifact would predict them, ready for scoring, which needs no ids."""
        return self.measures.score(
            self.decoding.predicted(self.decoding.decode(logits, info.temperature), truth, (), info)
        )

    def merge(self, artifact: Path, base: Path | None, info: ArtifactInfo, target: Path) -> None:
        """With the head beside them."""
        load_classifier(artifact, base).encoder.save_pretrained(target)
        shutil.copyfile(artifact / HEAD, target / HEAD)
        load_tokenizer(artifact).save_pretrained(target)

    def open(
        self, artifact: Path, base: Path | None, *, threads: int, batch_size: int, cancelled: Cancelled
    ) -> Predictor:
        """As `open_predictor`."""
        return open_predictor(artifact, base, threads, batch_size)

    def ask(self, opened: Predictor, asked: Evaluation) -> Any:
        """Decoded logits."""
        asked.events.write("stage", name="predict", message=f"Predicting {len(asked.rows):,} rows.")
        return self.decoded(opened, asked.rows)

    def decoded(self, opened: Predictor, rows: Rows) -> Any:
        """What the graph gives to labeled rows, by the artifact's temperature."""
        return self.decoding.decode(opened.logits(rows), opened.info.temperature)

    def predicted(self, given: Any, asked: Evaluation) -> P:
        """As the task's decoding has it."""
        return self._predicted(given, asked.rows, asked.info)

    def _predicted(self, decoded: Any, rows: Rows, info: ArtifactInfo) -> Any:
        truth = self.learner.truth(rows.targets, len(info.labels))
        return self.decoding.predicted(decoded, truth, rows.ids, info, rows.codes)

    def beside(self, opened: Predictor, given: Any, predicted: P, asked: Evaluation) -> dict[str, Any]:
        """temperature, the graph that answered, and baselines."""
        found = {"temperature": asked.info.temperature, "graph": "int8" if opened.alone else "fp32"}
        return found | (
            baselines.against(predicted, asked) if asked.spec.baselines and not asked.cancelled() else {}
        )

    def losses(self, opened: Predictor, rows: Rows) -> Floats:
        """As the task's measures have them."""
        return self.measures.losses(self._predicted(self.decoded(opened, rows), rows, opened.info))

    def remembered(self, run: Trained, rows: Rows, labels: tuple[str, ...]) -> tuple[Countable, Countable]:
        """The base through torch, as it has no graph, and the artifact as it serves."""
        base, predictor = (
            run.folder / run.spec.base.path,
            Predictor(run.folder / "artifact", run.spec.threads),
        )
        before, after = ArtifactInfo.read(base), predictor.info
        encoded = self.learner.encode(
            run.prepared.tokenizer, rows, len(labels), before.max_tokens, before.unit
        )
        batches, at_once = run.trainer.data_collator, memory.EVALUATION_BATCH
        logits = self.learner.observe(load_classifier(base, None), EncodedRows(encoded), batches, at_once)
        truth, new = self.learner.truth(rows.targets, len(labels)), self.learner.meanings(labels)
        one, two = (
            self.scored(rearranged(given, self.learner.meanings(info.labels), new), truth, info.over(labels))
            for info, given in ((before, logits), (after, predictor.logits(rows)))
        )
        return one, two

    @abstractmethod
    def explain(self, opened: Predictor, text: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Which words of a text support its answers. payload: the rest of the request."""


def described(run: Trained) -> ArtifactInfo:
    """A run's artifact before fitting."""
    spec, prepared = run.spec, run.prepared
    inputs = tuple(name for name in INPUTS if name in prepared.tokenizer.model_input_names)
    by, target, of = spec.operating_point, spec.operating_target, spec.operating_class
    return ArtifactInfo(
        spec.labels,
        prepared.limit(spec),
        spec.pooling,
        1.0,
        spec.strategy.kind,
        spec.base.name,
        prepared.base.digest,
        inputs,
        spec.task,
        operating=None if by == "f1" or of else Operating(by, target),
        deciding=Deciding(of, by, target) if of else None,
        unit=prepared.unit,
    )


def rearranged(logits: Any, old: Sequence[str], new: Sequence[str]) -> Any:
    """Logits in another order of what they represent; NEVER for the rest. logits: (N, K), or those of
    tokens.
    """
    if list(old) == list(new):
        return logits
    if isinstance(logits, Tokens):
        return replace(logits, values=tuple(rearranged(each, old, new) for each in logits.values))
    found: Array = np.full((len(logits), len(new)), NEVER, dtype=np.float64)
    for at, meaning in enumerate(new):
        if meaning in old:
            found[:, at] = logits[:, old.index(meaning)]
    return found


def tempered(opened: Predictor) -> Callable[[Sequence[Any]], Any]:
    """Texts, or pairs of them, to their logits, divided by the temperature."""
    return lambda texts: opened.answer(texts).logits / opened.info.temperature


def read_end(opened: Predictor, text: str) -> int:
    """How many code points of a text the model reads."""
    return max((end for _, end in opened.tokenizer.encode(text).offsets), default=0)
