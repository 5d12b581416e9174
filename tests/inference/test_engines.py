"""An artifact as the engine exports it answers alike through ONNX Runtime and through the torch fallback."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from lifecycle.runtime import bundle
from lifecycle.runtime.engine.artifact import INT8, SERVING, ArtifactInfo, Gate
from lifecycle.runtime.engine.classifier import Classifier
from lifecycle.runtime.engine.export import set_info, write_artifact
from lifecycle.runtime.engine.quantise import quantise
from lifecycle.runtime.inference import engines
from lifecycle.runtime.inference.engines import (
    MAX_PADDING,
    MAX_ROWS_PER_RUN,
    groups_of_like_length,
    oov_share,
)
from lifecycle.runtime.refusals import Refused
from tests.inference.models import LABELS, tokenizer

pytestmark = pytest.mark.engine

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The artifact, for all tests of the file; each has its own copy."""
    folder = tmp_path_factory.mktemp("exported") / "artifact"
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=16,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    model = Classifier(BertModel(config, add_pooling_layer=False), 16, 3, "mean")
    torch.nn.init.normal_(model.head.weight, std=3)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(tokenizer()), pad_token="[PAD]", unk_token="[UNK]"
    )
    write_artifact(
        folder, model, wrapped, ArtifactInfo(tuple(LABELS), 12, "mean", 1.5, "full", "tiny", "0" * 64, INPUTS)
    )
    return folder


@pytest.fixture
def artifact(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "artifact")


def test_onnx_and_torch_agree_on_texts_of_every_length(artifact):
    texts = ["card", "lost money late refund hello", "hello " * 40, "", "nothing known here"]
    fast = engines.load(artifact, bundle.accept_model_folder(artifact, onnx=True)).predict(texts)
    (artifact / "serving" / "model.onnx").unlink()

    slow = engines.load(artifact, bundle.manifest(artifact)).predict(texts)

    np.testing.assert_allclose(fast.values("SCORES"), slow.values("SCORES"), atol=1e-5)
    np.testing.assert_allclose(fast.embedding, slow.embedding, atol=1e-4)
    assert fast.tokens == slow.tokens == (3, 7, 12, 2, 5)
    assert fast.truncated == (False, False, True, False, False)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["logits", "embedding"])
def test_an_answer_that_is_no_number_is_raised_and_never_given(artifact, monkeypatch, where, bad):
    engine = engines.load(artifact, bundle.manifest(artifact))
    run = engine._runner.run

    def spoilt(feed):
        logits, embedding = run(feed)
        (logits if where == "logits" else embedding)[-1, 0] = bad
        return logits, embedding

    monkeypatch.setattr(engine._runner, "run", spoilt)

    with pytest.raises(engines.BadOutput):
        engine.predict(["card", "lost money"])


def test_a_text_gets_the_same_answer_alone_and_in_company(artifact):
    engine = engines.load(artifact, bundle.manifest(artifact))
    texts = ["card", "lost money late", "hello " * 11, "refund", "card lost"] * 4

    together = engine.predict(texts).values("SCORES")

    np.testing.assert_allclose(
        together, [engine.predict([text]).values("SCORES")[0] for text in texts], atol=1e-5
    )


@pytest.mark.parametrize("name", ["serving/model.onnx", "tokenizer.json", "lifecycle.json"])
def test_files_that_no_library_can_read_are_refused(artifact, name):
    (artifact / name).write_bytes(b"{}")

    with pytest.raises(Refused):
        engines.load(artifact, bundle.manifest(artifact))


def test_an_adapter_without_its_graph_is_refused_with_what_is_missing(artifact):
    (artifact / "serving" / "model.onnx").unlink()
    card = artifact / "lifecycle.json"
    card.write_text(card.read_text().replace('"full"', '"lora"'))

    with pytest.raises(Refused, match="The version has no ONNX file, and torch can't load it"):
        engines.load(artifact, bundle.manifest(artifact))


def test_rows_of_one_run_are_few_and_of_like_length():
    lengths = [5, 100, 6, 7, 90, 5, 128, 30] + [16] * 20

    groups = groups_of_like_length(lengths)

    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    assert all(len(group) <= MAX_ROWS_PER_RUN for group in groups)
    assert all(lengths[group[-1]] <= MAX_PADDING * lengths[group[0]] for group in groups)


def test_a_prediction_has_its_out_of_vocabulary_share_and_cost(artifact):
    found = engines.load(artifact, bundle.manifest(artifact)).predict(
        ["lost card", "lost snorkel money snorkel", "", "hello " * 40]
    )

    assert found.oov == (0, 0.5, 0, 0)
    assert found.cpu_seconds > 0


def test_words_of_several_tokens_and_unknown_ones_are_out_of_vocabulary():
    words = [None, 0, 1, 1, 1, 2, 3, None]

    # word 1 is three pieces, word 2 is the unknown token
    assert oov_share(words, [2, 7, 8, 9, 9, 1, 7, 3], unknown=1) == 0.5
    assert oov_share(words, [2, 7, 8, 9, 9, 1, 7, 3], unknown=None) == 0.25
    assert oov_share([None, None], [2, 3], unknown=1) == 0


@pytest.fixture
def rounded(artifact):
    """The artifact with a graph in int8 beside the fp32 one; the test chooses its gate's verdict."""
    quantise(artifact / "serving" / "model.onnx", artifact / INT8)

    def state(passed):
        gate = Gate(passed, "Measured on 400 rows.", 400, 0.995, "macro_f1", 0.93, 0.929, 400, 100)
        named = INT8 if passed else SERVING
        set_info(artifact, replace(ArtifactInfo.read(artifact), int8=gate, serving=named))
        return engines.load(artifact, bundle.manifest(artifact))

    return state


def test_the_server_runs_int8_only_where_the_gate_was_passed(rounded):
    fast, slow = rounded(True), rounded(False)

    assert (fast.precision, fast.platform, fast.reason) == (
        "int8",
        "onnxruntime_onnx_int8",
        "Measured on 400 rows.",
    )
    assert (slow.precision, slow.platform) == ("fp32", "onnxruntime_onnx")
    np.testing.assert_allclose(
        fast.predict(["lost card"]).values("SCORES"), slow.predict(["lost card"]).values("SCORES"), atol=0.1
    )


def test_an_int8_text_gets_the_very_same_answer_alone_and_in_company(rounded):
    engine = rounded(True)
    texts = ["card", "lost money late", "hello " * 11, "refund", "card lost"] * 4

    together = engine.predict(texts).values("SCORES")

    assert np.array_equal(together, np.stack([engine.predict([text]).values("SCORES")[0] for text in texts]))


@pytest.mark.parametrize(
    "field", [{"int8": "yes"}, {"int8": [1]}, {"int8": {"passed": True}}, "int8", "serving"]
)
def test_a_card_without_its_graph_or_with_a_gate_that_is_not_as_agreed_is_refused(artifact, field):
    card = artifact / "lifecycle.json"
    document = json.loads(card.read_text())
    if isinstance(field, str):
        del document[field]
    else:
        document |= field
    card.write_text(json.dumps(document))

    with pytest.raises(Refused, match="lifecycle.json is invalid"):
        engines.load(artifact, bundle.manifest(artifact))
