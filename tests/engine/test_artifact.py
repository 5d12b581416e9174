import json

import numpy as np
import pytest

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.export import load_classifier
from lifecycle.runtime.engine.predictor import Predictor
from tests.engine.inbox import ROWS
from tests.support.by_hand import loading_snippet
from tests.support.faults import fault

pytestmark = pytest.mark.engine

TEXTS = [text for text, _ in ROWS] + ["", "card " * 100]


STRATEGIES = {kind: {"kind": kind} for kind in ("full", "lora", "ia3", "adapter", "head")} | {
    "dora": {"kind": "lora", "dora": True},
    "fast": {"kind": "lora", "frozen_layers": 1, "cached": True},
}


@pytest.fixture(params=STRATEGIES)
def artifact(request, run_folder, once):
    folder = run_folder(strategy=STRATEGIES[request.param], epochs=3, max_tokens=16)
    once(folder)
    return folder / "artifact"


def test_public_libraries_alone_give_the_answers_that_are_served(artifact, tiny_base):
    names = {"artifact": str(artifact), "base": str(tiny_base), "texts": TEXTS}

    exec(loading_snippet(ArtifactInfo.read(artifact)), names)

    served = Predictor(artifact).probabilities(TEXTS)
    assert np.allclose(names["probabilities"].numpy(), served, atol=1e-4)
    assert names["answers"] == [("card", "refund")[each] for each in served.argmax(1)]


def test_the_graph_equals_torch_on_any_shape(artifact, tiny_base):
    import torch

    from lifecycle.runtime.engine.classifier import collate

    model, predictor = load_classifier(artifact, tiny_base), Predictor(artifact, batch_size=3)
    ids = [each.ids for each in predictor.tokenizer.encode_batch(TEXTS)]

    answers = predictor.answer(TEXTS)

    with torch.no_grad():
        pooled = model.embed(**collate(ids, 0, token_types=True))
        logits = model.head(pooled)
    assert np.abs(answers.logits - logits.numpy()).max() < 1e-4
    assert np.abs(answers.embeddings - pooled.numpy()).max() < 1e-4
    assert max(answers.tokens) == 16


def test_the_graph_has_the_inputs_and_outputs_that_the_server_expects(artifact):
    session = Predictor(artifact).session

    assert [(each.name, each.type, each.shape) for each in session.get_inputs()] == [
        (name, "tensor(int64)", ["batch", "sequence"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    assert [(each.name, each.type) for each in session.get_outputs()] == [
        ("logits", "tensor(float)"),
        ("embedding", "tensor(float)"),
    ]


def test_the_description_names_labels_base_and_temperature(artifact):
    document = json.loads((artifact / "lifecycle.json").read_text())

    assert document["labels"] == ["card", "refund"]
    assert document["format"] == 1
    assert document["base"]["name"] == "tiny"
    assert len(document["base"]["digest"]) == 64
    assert document["temperature"] > 0
    assert ArtifactInfo.read(artifact).to_json() == document


def test_no_path_of_this_machine_is_in_the_artifact(artifact, tiny_base):
    for each in artifact.rglob("*"):
        if each.suffix == ".json":
            assert str(tiny_base.parent) not in each.read_text(), each.name


def test_a_folder_that_is_no_artifact_is_refused_with_a_sentence(tmp_path):
    with fault("bad_spec", str(tmp_path)):
        ArtifactInfo.read(tmp_path)
