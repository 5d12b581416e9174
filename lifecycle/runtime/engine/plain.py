"""An artifact as plain transformers loads it: one folder with merged weights, the head, the labels and a
tokenizer that cuts as we do.

The library's own class is taken where it computes the same, which is tried and not assumed; else
`shipped.modeling_lifecycle` goes along with it, under a model type of its own, so that without that code
nothing loads, rather than something that answers wrongly.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification
from transformers.utils import logging as transformers_logging

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.base import check_base
from lifecycle.runtime.engine.classifier import Classifier, collate
from lifecycle.runtime.engine.events import write_json
from lifecycle.runtime.engine.export import SAMPLE_IDS, TOLERANCE, load_classifier
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.layers import layers_of
from lifecycle.runtime.engine.shipped import MODELING, source
from lifecycle.runtime.engine.shipped.modeling_lifecycle import (
    LifecycleConfig,
    LifecycleForSequenceClassification,
)
from lifecycle.runtime.engine.strategies import load_tokenizer
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.task_types.by_key.types import type_of

AUTO = {
    "AutoConfig": f"{MODELING}.LifecycleConfig",
    "AutoModelForSequenceClassification": f"{MODELING}.LifecycleForSequenceClassification",
}
PROBLEMS = {"single_label": "single_label_classification", "multi_label": "multi_label_classification"}


def write_plain(artifact: Path, base: Path | None, target: Path, base_name: str = "") -> dict[str, Any]:
    """Write the folder. base_name: of the base, as people find it.

    Returns {"loader": the class that opens it, "trust": whether that needs trust_remote_code,
    "largest_difference": from our own logits by their temperature}. Raises EngineFault `bad_spec` where no
    class of transformers gives the answers, `base_missing` without the base.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    info = ArtifactInfo.read(artifact)
    if type_of(info.task).writes_text:
        raise EngineFault(
            "bad_spec",
            "This is a generation model; load its folder directly.",
            "Load it as described in the card.",
        )
    check_base(info, base)
    ours = load_classifier(artifact, base)
    tempered(ours.head, info.temperature)
    names = list(learner_of(info.task).meanings(info.labels)) if info.labels else ["score"]
    model = _stock(ours, info) or _shipped(ours, info)
    difference = compared(ours, model, info)
    if not difference <= TOLERANCE:
        raise EngineFault(
            "bad_spec",
            f"No transformers class reproduces this model's output: it differs by {difference:.2g}.",
            "Use the graph in `serving`, as described in the card.",
        )
    is_shipped = isinstance(model, LifecycleForSequenceClassification)
    model.config.id2label, model.config.label2id = (
        dict(enumerate(names)),
        {name: at for at, name in enumerate(names)},
    )
    if info.task in PROBLEMS:
        model.config.problem_type = PROBLEMS[info.task]
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    model.save_pretrained(target)
    tokenizer = load_tokenizer(artifact)
    tokenizer.model_max_length = info.max_tokens
    tokenizer.save_pretrained(target)
    _describe(target, info, base_name or info.base_name, is_shipped)
    if is_shipped:
        (target / f"{MODELING}.py").write_text(source(MODELING), encoding="utf-8")
    loader = "AutoModelForTokenClassification" if ours.is_ragged else "AutoModelForSequenceClassification"
    return {"loader": loader, "trust": is_shipped, "largest_difference": difference}


def tempered(head: nn.Linear, temperature: float) -> None:
    """Put the temperature into the head's weights, so that its logits need none."""
    with torch.no_grad():
        head.weight.div_(temperature)
        head.bias.div_(temperature)


def _stock(ours: Classifier, info: ArtifactInfo) -> Any:
    """The library's own class with our weights, where it gives our logits; else None."""
    if not ours.is_ragged and (info.pooling != "pooler" or ours.reads_pairs) or info.strategy == "adapter":
        return None
    kind: Any = AutoModelForTokenClassification if ours.is_ragged else AutoModelForSequenceClassification
    config = type(ours.encoder.config).from_dict(
        ours.encoder.config.to_dict() | {"num_labels": ours.head.out_features}
    )
    config.id2label = {at: str(at) for at in range(ours.head.out_features)}
    try:
        model: Any = kind.from_config(config)
    except ValueError:  # the library has no such class for this architecture
        return None
    head = getattr(model, "classifier", None)
    if not isinstance(head, nn.Linear) or head.weight.shape != ours.head.weight.shape:
        return None
    missing, unexpected = model.base_model.load_state_dict(ours.encoder.state_dict(), strict=False)
    if missing or [name for name in unexpected if not name.startswith("pooler.")]:
        return None
    model.load_state_dict(
        {"classifier.weight": ours.head.weight, "classifier.bias": ours.head.bias}, strict=False
    )
    model = model.float().eval()
    return model if compared(ours, model, info) <= TOLERANCE else None


def _shipped(ours: Classifier, info: ArtifactInfo) -> Any:
    """Our own class, whose code is shipped."""
    if ours.is_ragged:
        raise EngineFault(
            "bad_spec",
            f"transformers has no token-classification class for this architecture ({info.base_name}).",
            "Use the graph in `serving`, as described in the card.",
        )
    encoder = ours.encoder.config.to_dict()
    width = layers_of(ours.encoder)[0].adapter.down.out_features if info.strategy == "adapter" else 0
    config = LifecycleConfig(
        encoder, info.pooling, width, ours.reads_pairs, num_labels=ours.head.out_features
    )
    config.auto_map, config.dtype = dict(AUTO), torch.float32
    model = LifecycleForSequenceClassification(config).float().eval()
    weights = {f"encoder.{name}": value for name, value in ours.encoder.state_dict().items()}
    if model.encoder.state_dict().keys() != ours.encoder.state_dict().keys():
        weights = {name: value for name, value in weights.items() if name in model.state_dict()}
    model.load_state_dict(
        weights | {"classifier.weight": ours.head.weight, "classifier.bias": ours.head.bias}, strict=True
    )
    return model


def _describe(target: Path, info: ArtifactInfo, base_name: str, is_shipped: bool) -> None:
    """Metadata that the library doesn't write: which classes load the folder, and how predictions differ from
    the likeliest label.
    """
    path = target / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model"] = base_name
    if is_shipped:
        config["auto_map"] = AUTO
    if info.thresholds:
        config["thresholds"] = list(info.thresholds)
    if info.cut and info.deciding:
        config["deciding"] = {"label": info.deciding.label, "threshold": info.deciding.threshold}
    write_json(path, config)


@torch.no_grad()
def compared(ours: Classifier, model: Any, info: ArtifactInfo) -> float:
    """The largest difference of the logits of a padded batch, where tokens are real."""
    batch: dict[str, Tensor] = collate(SAMPLE_IDS, 0, token_types="token_type_ids" in info.inputs)
    wanted, found = ours.eval().serve(**batch)[0], model(**batch).logits
    if ours.is_ragged:
        there = batch["attention_mask"].bool()
        wanted, found = wanted[there], found[there]
    return float((wanted - found).abs().max())
