"""The int8 graph beside the fp32 one, and the gate that it must pass before it may serve.

Weights are rounded per channel to 7 bits (`reduce_range`): processors without VNNI add pairs of products in
16 bits, which 8 bits would overflow, so that the gate's predictions would be valid only on the machine that
measured them. Activations are rounded dynamically. Most of what that costs comes from the lower layers'
narrowing products, which read the widest activations: where the whole graph in int8 fails the gate, one with
these left in fp32 is tried, at a quarter more time. Two tries, no more, so that chance has little to choose
from.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from lifecycle.runtime.engine.artifact import INT8, ArtifactInfo, Gate
from lifecycle.runtime.engine.predictor import Answered, Predictor, answer_timed
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.statistics import metrics
from lifecycle.runtime.task_types.by_key.decoding import decoding_of
from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.rows import Rows

Array = NDArray[Any]

MIN_ROWS = 100  # with fewer, 99 % agreement proves too little
MIN_AGREEMENT = 0.99
MAX_LOSS = 0.005
KEPT = "The lower layers' down-projections stay in fp32."


def try_int8(
    artifact: Path, info: ArtifactInfo, rows: Rows, fp32_logits: Any, threads: int = 0
) -> tuple[ArtifactInfo, Answered | None]:
    """Make the int8 graph, compare it with fp32 on the validation rows, and keep it only if it passes.

    fp32_logits: what the fp32 graph gives to these rows. Returns info with the gate and the graph that
    serves, and what the int8 graph answered where that is the one. The gate chooses what is measured, so it
    decides on validation: test rows choose nothing. A graph that cannot be rounded fails the gate, not the
    run.
    """
    count = len(rows)
    if count < MIN_ROWS:
        reason = (
            f"Comparing int8 with fp32 needs {MIN_ROWS} validation rows; the dataset version has {count:,}."
        )
        return replace(info, int8=Gate(False, reason, count)), None
    fp32, int8 = artifact / info.serving, artifact / INT8
    truth = learner_of(info.task).truth(rows.targets, len(info.labels))
    try:
        for kept in (False, True):
            quantise(fp32, int8, keep_lower=kept)
            answered = answer_timed(Predictor(artifact, threads, graph=int8), rows)
            gate = judge(info, fp32_logits, answered.logits, truth, fp32.stat().st_size, int8.stat().st_size)
            if gate.passed:
                gate = replace(gate, reason=f"{gate.reason} {KEPT}") if kept else gate
                return replace(info, int8=gate, serving=INT8), answered
    except Exception as error:  # the library raises kinds of its own for each operator that it does not know
        int8.unlink(missing_ok=True)
        reason = f"The graph couldn't be quantised to int8 ({type(error).__name__})."
        return replace(info, int8=Gate(False, reason, count)), None
    int8.unlink()
    return replace(info, int8=gate), None


def judge(info: ArtifactInfo, fp32: Array, int8: Array, truth: Any, fp32_bytes: int, int8_bytes: int) -> Gate:
    """The gate's verdict, by what the task names for it: the answers, and its metric. fp32, int8: logits
    (N, C) of the same rows; truth: as the learner has it.
    """
    agreement = decoding_of(info.task).agree(fp32, int8, info)
    metric = measures_of(info.task).metrics.rounding
    before, after = (scored(info, logits, truth)[metric.name] for logits in (fp32, int8))
    loss = round(before - after, 9)  # exactly half a point lost is not more than half a point
    figures = (len(truth), agreement, metric.name, before, after, fp32_bytes, int8_bytes)
    found = (
        f"int8 agrees with fp32 on {agreement * 100:.2f} % of {len(truth):,} validation rows;"
        f" {metric.words} {after:.4f} against {before:.4f}."
    )
    if agreement < MIN_AGREEMENT:
        found += f" Agreement must be at least {MIN_AGREEMENT * 100:g} %."
    if loss > MAX_LOSS:
        found += f" The maximum loss is {MAX_LOSS * 100:g} points."
    return Gate(agreement >= MIN_AGREEMENT and loss <= MAX_LOSS, found, *figures)


def scored(info: ArtifactInfo, logits: Array, truth: Any) -> dict[str, float]:
    """Every score of the answers that these logits (N, C) give."""
    decoding = decoding_of(info.task)
    predicted = decoding.predicted(decoding.decode(logits, info.temperature), truth, (), info)
    return metrics.point_estimates(measures_of(info.task).score(predicted))


def quantise(source: Path, target: Path, *, keep_lower: bool = False) -> None:
    """Write the int8 graph of an fp32 one; the same bytes for the same graph. keep_lower: leave the lower
    narrowing products in fp32.
    """
    with tempfile.TemporaryDirectory(prefix="lifecycle-int8-") as scratch, quiet():
        prepared = Path(scratch) / "prepared.onnx"
        # symbolic inference stops at the masks of newer encoders
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        kept = narrowing(prepared) if keep_lower else []
        kept = kept[: (len(kept) + 1) // 2]
        quantize_dynamic(
            prepared,
            target,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
        )


def narrowing(path: Path) -> list[str]:
    """Names of the products whose weights (K, N) have K of twice N or more, lowest first: the second half of
    each feed-forward.
    """
    graph = onnx.load(path).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    found = [
        (node.name, shapes[node.input[1]])
        for node in graph.node
        if node.op_type == "MatMul" and node.input[1] in shapes
    ]
    return [name for name, shape in found if len(shape) == 2 and shape[0] >= 2 * shape[1]]


@contextmanager
def quiet() -> Iterator[None]:
    """Without the library's advice on the root logger, which would are in every run's log."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
