"""The int8 graph: made at the end of a run, measured against fp32 on the validation rows, and served only
when it passes.
"""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from onnxruntime.quantization.shape_inference import quant_pre_process

from lifecycle.runtime.engine import quantise
from lifecycle.runtime.engine.artifact import INT8, SERVING, ArtifactInfo, Gate
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.predictor import Predictor, open_predictor
from lifecycle.runtime.engine.quantise import judge
from lifecycle.runtime.task_types.ranking.measures import Ranked
from tests.engine.inbox import ROWS

pytestmark = pytest.mark.engine

CLASSES = 4
INFO = ArtifactInfo(("a", "b", "c", "d"), 64, "mean", 1.0, "full", "tiny", "", ("input_ids",))


def answers(truth, wrong):
    """Logits (N, C) that give `truth`, but for the first `wrong` rows, which give the next class."""
    given = np.array(truth)
    given[:wrong] = (given[:wrong] + 1) % CLASSES
    return np.eye(CLASSES, dtype=np.float32)[given] * 5


@pytest.mark.parametrize(("differ", "passed"), [(0, True), (10, True), (11, False)])
def test_agreement_of_exactly_99_percent_passes(differ, passed):
    truth = np.arange(1000) % CLASSES
    fp32 = answers(truth, 500)  # so wrong that a few more errors cost little F1
    int8 = fp32.copy()
    int8[:differ] = np.roll(fp32[:differ], 1, axis=1)

    gate = judge(INFO, fp32, int8, truth, 400, 100)

    assert gate.agreement == 1 - differ / 1000
    assert gate.passed is passed
    assert ("Agreement must be at least 99 %." in gate.reason) is not passed


@pytest.mark.parametrize(
    ("before", "after", "passed"),
    [(0.9, 0.895, True), (0.905, 0.9, True), (0.9, 0.8949, False), (0.9, 0.95, True)],
)
def test_half_a_point_of_macro_f1_may_be_lost_and_no_more(monkeypatch, before, after, passed):
    values = iter([before, after])
    monkeypatch.setattr(quantise, "scored", lambda *_: {"macro_f1": next(values)})
    same = answers(np.zeros(10, np.int64), 0)

    gate = judge(INFO, same, same, np.zeros(10, np.int64), 400, 100)

    assert gate.passed is passed
    assert ("The maximum loss is 0.5 points." in gate.reason) is not passed


def test_the_macro_f1_of_the_gate_is_that_of_every_report():
    truth = np.array([0, 0, 1, 1, 2, 2, 3, 3])

    assert quantise.scored(INFO, answers(truth, 0), truth)["macro_f1"] == 1
    found = quantise.scored(INFO, answers(truth, 2), truth)["macro_f1"]
    assert found == pytest.approx((0 + 4 / 6 + 1 + 1) / 4)


def test_sets_are_gated_by_their_micro_f1():
    """Of three labels one is given to most texts: losing a rare label costs micro-F1 little."""
    truth = np.zeros((100, 3), np.int64)
    truth[:, 0] = 1
    truth[0, 2] = 1
    fp32 = np.where(truth == 1, 5.0, -5.0)
    int8 = fp32.copy()
    int8[0, 2] = -5.0
    info = replace(INFO, task="multi_label", labels=("a", "b", "c"), thresholds=(0.5, 0.5, 0.5))

    gate = judge(info, fp32, int8, truth, 400, 100)

    assert (gate.passed, gate.metric, gate.agreement) == (True, "micro_f1", 0.99)
    assert (gate.fp32, gate.rounded) == (1, pytest.approx(2 * 100 / (2 * 100 + 1)))


def test_orders_are_gated_by_their_ndcg():
    truth = [Ranked.of(("a", "b", "c"), (0, 1, 2))] * 200
    fp32 = np.tile([3.0, 2.0, 1.0], (200, 1))
    one, three = fp32.copy(), fp32.copy()
    one[:1] = three[:3] = [1.0, 2.0, 3.0]  # the other way round
    info = replace(INFO, task="ranking", labels=())

    passed, refused = (judge(info, fp32, int8, truth, 400, 100) for int8 in (one, three))

    assert (passed.passed, passed.metric, passed.agreement, passed.fp32) == (True, "ndcg", 0.995, 1)
    reversed_ = (1 / math.log2(3) + 2 / 2) / (2 + 1 / math.log2(3))  # gains 0, 1, 2 instead of 2, 1, 0
    assert passed.rounded == pytest.approx((199 + reversed_) / 200)
    assert (refused.passed, refused.agreement) == (False, 0.985)


def test_a_gate_of_0_2_0_is_read_with_its_macro_f1():
    kept = {"passed": True, "reason": "Measured.", "fp32_macro_f1": 0.9271, "int8_macro_f1": 0.9264}

    assert Gate.read(kept) == Gate(True, "Measured.", metric="macro_f1", fp32=0.9271, rounded=0.9264)


def trained_by(train, run_folder):
    """Trains with so many validation rows; returns the folder and its result."""

    def make(rows, name="run", **fields):
        folder = run_folder(name, validation=(ROWS * (rows // len(ROWS) + 1))[:rows], **fields)
        return folder, train(folder)

    return make


@pytest.fixture
def trained(run_folder, train_here):
    return trained_by(train_here, run_folder)


@pytest.fixture
def kept(run_folder, once):
    """As trained, for what is done with the artifact."""
    return trained_by(once, run_folder)


def test_a_run_with_enough_validation_rows_leaves_an_int8_graph_that_serves(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, result = trained(104)
    artifact = folder / "artifact"
    info = ArtifactInfo.read(artifact)

    assert info.int8 == Gate(**result["int8"])
    assert {graph: pace["rows"] for graph, pace in result["inference"].items()} == dict.fromkeys(
        ("fp32", "int8"), 104
    )
    assert (info.int8.passed, info.int8.rows, info.int8.agreement, info.int8.split) == (
        True,
        104,
        1,
        "validation",
    )
    assert info.int8.rounded_bytes == (artifact / INT8).stat().st_size
    assert info.serving == INT8
    assert Predictor(artifact).alone
    assert json.loads((artifact / "lifecycle.json").read_text())["int8"]["fp32"] == 1
    assert not list(tmp_path.glob("*.onnx"))  # the library's scratch file


def test_an_int8_answer_is_the_same_alone_and_in_company(kept):
    folder, _ = kept(104)
    texts = [text for text, _ in ROWS]
    predictor = Predictor(folder / "artifact")

    together = predictor.answer(texts).logits

    assert np.array_equal(together, np.concatenate([predictor.answer([text]).logits for text in texts]))


def test_the_same_graph_gives_the_same_int8_bytes(kept, tmp_path):
    folder, _ = kept(8, epochs=1)
    for name in ("one", "two"):
        quantise.quantise(folder / "artifact" / "serving" / "model.onnx", tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_test_rows_choose_no_graph(trained, run_folder, train_here):
    """What they are is nothing to a run: these cannot even be read."""
    folder = run_folder(validation=(ROWS * 13)[:104])
    (folder / "test.jsonl").write_text("not a row")

    result = train_here(folder)

    _, wanted = trained(104, "without")
    assert (result["status"], result["int8"]) == ("succeeded", wanted["int8"])


@pytest.mark.parametrize(("rows", "reason"), [(1, "has 1."), (99, "has 99.")])
def test_too_few_validation_rows_leave_fp32_with_a_reason(trained, rows, reason):
    folder, result = trained(rows, epochs=1)

    assert ArtifactInfo.read(folder / "artifact").serving == SERVING
    assert result["int8"]["passed"] is False
    assert reason in result["int8"]["reason"]
    assert result["int8"]["agreement"] is None
    assert not (folder / "artifact" / INT8).exists()


def test_a_graph_that_fails_its_gate_is_not_kept(trained, monkeypatch):
    refused = Gate(
        False,
        "int8 agrees with fp32 on 98.00 % of 104 validation rows.",
        104,
        0.98,
        "macro_f1",
        0.9,
        0.88,
        4,
        1,
    )
    monkeypatch.setattr(quantise, "judge", lambda *_: refused)

    folder, result = trained(104, epochs=1)

    assert result["status"] == "succeeded"
    assert result["int8"]["agreement"] == 0.98
    assert not (folder / "artifact" / INT8).exists()
    assert ArtifactInfo.read(folder / "artifact").serving == SERVING


def test_where_the_whole_graph_fails_one_with_the_lower_products_in_fp32_is_tried(trained, monkeypatch):
    real, gates = quantise.judge, []

    def strict_once(*args):
        gates.append(real(*args))
        return gates[-1] if len(gates) > 1 else replace(gates[0], passed=False)

    monkeypatch.setattr(quantise, "judge", strict_once)

    folder, result = trained(104)

    assert len(gates) == 2
    assert gates[1].rounded_bytes > gates[0].rounded_bytes  # weights in fp32
    assert result["int8"]["passed"] is True
    assert result["int8"]["reason"].endswith(quantise.KEPT)
    assert ArtifactInfo.read(folder / "artifact").serving == INT8


def test_the_narrowing_products_are_those_of_the_feed_forward_layers(kept, tmp_path):
    folder, _ = kept(8, epochs=1)
    quant_pre_process(
        folder / "artifact" / "serving" / "model.onnx", tmp_path / "p.onnx", skip_symbolic_shape=True
    )

    found = quantise.narrowing(tmp_path / "p.onnx")

    assert [name.split("layer.")[1] for name in found] == ["0/output/dense/MatMul", "1/output/dense/MatMul"]


def test_a_graph_that_cannot_be_rounded_fails_the_gate_and_not_the_run(trained, monkeypatch):
    def fail(source, target, **_):
        target.write_bytes(b"half")
        raise RuntimeError("no such operator")

    monkeypatch.setattr(quantise, "quantise", fail)

    folder, result = trained(104, epochs=1)

    assert result["status"] == "succeeded"
    assert result["int8"]["reason"] == "The graph couldn't be quantised to int8 (RuntimeError)."
    assert not (folder / "artifact" / INT8).exists()


def test_an_artifact_without_its_gate_is_refused(kept):
    folder, _ = kept(8, epochs=1)
    path = folder / "artifact" / "lifecycle.json"
    document = json.loads(path.read_text())
    del document["int8"]
    path.write_text(json.dumps(document))

    with pytest.raises(EngineFault) as refused:
        ArtifactInfo.read(folder / "artifact")

    assert refused.value.code == "bad_spec"


def test_where_the_int8_graph_is_lost_fp32_is_made_again_and_answers(kept):
    folder, _ = kept(104)
    artifact = folder / "artifact"
    expected = Predictor(artifact, graph=artifact / SERVING).probabilities(["Where is my card?"])
    for name in (INT8, SERVING):
        (artifact / name).unlink()

    predictor = open_predictor(artifact, None, 0)

    assert predictor.alone is False
    assert predictor.probabilities(["Where is my card?"]) == pytest.approx(expected, abs=1e-6)
