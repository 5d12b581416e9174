"""From a trained classifier to its artifact folder: safetensors, tokenizer, description, and the ONNX graph
that serves.
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lifecycle.runtime.engine.adapters import load_adapters, save_adapters
from lifecycle.runtime.engine.artifact import BESIDE, HEAD, PEFT, SERVING, ArtifactInfo
from lifecycle.runtime.engine.classifier import Classifier, collate
from lifecycle.runtime.engine.events import write_json
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.strategies import load_encoder, merged
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of

OPSET = 17
TOLERANCE = 1e-4
SAMPLE_IDS = ((5, 6, 7, 8, 9, 10, 11), (6, 5), (7,))


def write_artifact(folder: Path, model: Classifier, tokenizer: Any, info: ArtifactInfo) -> None:
    """Write everything but the temperature's final value; replaces an artifact that a killed run left. Merges
    PEFT's part into `model`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _write_weights(folder, model, info)
    plain = getattr(tokenizer, "backend_tokenizer", None)
    if plain is not None:
        plain.no_truncation()
        plain.no_padding()
    tokenizer.save_pretrained(folder)
    write_json(folder / "lifecycle.json", info.to_json())
    export_onnx(merged(model), folder / SERVING, info.inputs, pad_id=tokenizer.pad_token_id or 0)


def _write_weights(folder: Path, model: Classifier, info: ArtifactInfo) -> None:
    save_file(
        {"weight": model.head.weight.detach().contiguous(), "bias": model.head.bias.detach().contiguous()},
        folder / HEAD,
    )
    encoder: Any = model.encoder
    if isinstance(encoder, PeftModel):
        encoder.peft_config["default"].base_model_name_or_path = BESIDE
        encoder.save_pretrained(folder, save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)
        encoder.get_base_model().config.save_pretrained(folder)
    elif info.strategy == "full":
        encoder.save_pretrained(folder)
    elif info.strategy == "adapter":
        save_adapters(encoder, folder, info.base_name)
        encoder.config.save_pretrained(folder)
    else:
        encoder.config.save_pretrained(folder)


def set_info(folder: Path, info: ArtifactInfo) -> ArtifactInfo:
    """Write lifecycle.json again, with what became known after the graph was written."""
    write_json(folder / "lifecycle.json", info.to_json())
    return info


class Graph(nn.Module):
    """The classifier with positional inputs and outputs, as ONNX wants it."""

    def __init__(self, model: Classifier, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.inputs = model, inputs

    def forward(self, *values: Tensor) -> tuple[Tensor, Tensor]:
        """As the model's `serve`."""
        return self.model.serve(**dict(zip(self.inputs, values, strict=True)))


def export_onnx(model: Classifier, path: Path, inputs: tuple[str, ...], pad_id: int = 0) -> float:
    """Write the fp32 graph and compare it with torch on another shape. Returns the largest difference; raises
    EngineFault above 1e-4.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    set_attention = getattr(model.encoder, "set_attn_implementation", None)
    if set_attention is not None:
        set_attention("eager")  # a smaller graph than sdpa's, which guards rows without any token
    graph = Graph(model.eval(), inputs).eval()
    batch = collate(SAMPLE_IDS, pad_id, token_types="token_type_ids" in inputs)
    whole = {0: "batch", 1: "sequence"}
    axes = dict.fromkeys(inputs, whole) | {
        "logits": whole if model.is_ragged else {0: "batch"},
        "embedding": {0: "batch"},
    }
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            tuple(batch[name] for name in inputs),
            path,
            input_names=list(inputs),
            output_names=["logits", "embedding"],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    return _compare(graph, path, inputs, pad_id)


def _compare(graph: Graph, path: Path, inputs: tuple[str, ...], pad_id: int) -> float:
    batch = collate([(5, 6, 7, 8, 9), (9, 8, 7)], pad_id, token_types="token_type_ids" in inputs)
    import onnxruntime  # as in Predictor

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    got = session.run(None, {name: batch[name].numpy() for name in inputs})
    with torch.no_grad():
        wanted = graph(*(batch[name] for name in inputs))
    worst = max(float(np.abs(one - two.numpy()).max()) for one, two in zip(got, wanted, strict=True))
    if not worst <= TOLERANCE:
        message = (
            f"The exported graph differs from the trained model by {worst:.2g}, more than {TOLERANCE:g}."
        )
        raise EngineFault(
            "crashed", message, "Report this base model: its architecture can't be exported accurately."
        )
    return worst


def load_classifier(artifact: Path, base: Path | None) -> Classifier:
    """The artifact as a torch model, what PEFT added merged. Raises EngineFault when it needs a base that is
    not given.
    """
    info = ArtifactInfo.read(artifact)
    if info.strategy != "full" and base is None:
        message = f"This {info.strategy} artifact needs its base model {info.base_name}."
        raise EngineFault("base_missing", message, "Pass the folder of the base model.")
    encoder = load_encoder(artifact if info.strategy == "full" or base is None else base, info.pooling)
    hidden = int(encoder.config.hidden_size)
    if info.strategy == "adapter":
        encoder = load_adapters(encoder, artifact)
    elif info.strategy in PEFT:
        encoder = PeftModel.from_pretrained(encoder, artifact)
    learner = learner_of(info.task)
    model = learner.network(encoder, hidden, learner.outputs(len(info.labels)), info.pooling)
    model.head.load_state_dict(load_file(artifact / HEAD))
    return merged(model).eval()
