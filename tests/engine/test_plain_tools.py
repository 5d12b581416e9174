"""An artifact opens with plain transformers and PEFT, offline, and answers as it is served."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.plain import write_plain
from lifecycle.runtime.engine.predictor import Predictor
from tests.engine.inbox import ROWS, SETS

pytestmark = pytest.mark.engine

TEXTS = [text for text, _ in ROWS] + ["", "card " * 100]
LOADER, PEFT = "AutoModelForSequenceClassification", "AutoPeftModelForFeatureExtraction"
# Each runs alone: no code of the product on its path, no network. It opens one folder after the other, each
# as its working directory, and prints why it refuses one.
AROUND = """
import json, os, sys
import torch
from transformers import AutoTokenizer
texts, results = json.loads(sys.argv[1]), []
for folder, options in json.loads(sys.argv[2]).items():
    os.chdir(folder)
    try:
        results.append(answers(**options))
    except ValueError as refused:
        results.append(str(refused))
print(json.dumps(results))
"""
TRANSFORMERS = """
def answers(loader, trust):
    import transformers
    model = getattr(transformers, loader).from_pretrained("plain", trust_remote_code=trust).eval()
    tokenizer = AutoTokenizer.from_pretrained("plain", trust_remote_code=trust)
    with torch.no_grad():
        logits = model(**tokenizer(texts, truncation=True, padding=True, return_tensors="pt")).logits
    shares = logits.sigmoid() if model.config.problem_type == "multi_label_classification" else logits.softmax(-1)
    return [shares.tolist(), [model.config.id2label[at] for at in range(shares.shape[-1])]]
"""  # noqa: E501
ADAPTERS = """
def answers(loader):
    import peft
    from safetensors.torch import load_file
    model, tokenizer = getattr(peft, loader).from_pretrained("artifact").eval(), AutoTokenizer.from_pretrained("artifact")
    head, about = load_file("artifact/head.safetensors"), json.load(open("artifact/lifecycle.json"))
    inputs = tokenizer(texts, truncation=True, max_length=about["max_tokens"], padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden, mask = model(**inputs).last_hidden_state, inputs["attention_mask"].unsqueeze(-1)
    logits = ((hidden * mask).sum(1) / mask.sum(1)) @ head["weight"].T + head["bias"]
    return (logits / about["temperature"]).softmax(-1).tolist()
"""  # noqa: E501


def results_of(answers: str, folders: dict[Path, dict[str, Any]], home: Path) -> list[Any]:
    """What a process that knows only the libraries gives to the texts by each folder, or why it refuses to
    open it.
    """
    environment = {
        "HF_HUB_OFFLINE": "1",
        "PATH": "/usr/bin:/bin",
        "HF_HOME": str(home / "cache"),
        "HOME": str(home),
    }
    asked = json.dumps({str(folder): options for folder, options in folders.items()})
    done = subprocess.run(
        [sys.executable, "-c", answers + AROUND, json.dumps(TEXTS), asked],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def off_by(shares: Any, artifact: Path) -> float:
    """The largest difference from the probabilities that are served."""
    return float(np.abs(np.array(shares) - Predictor(artifact).probabilities(TEXTS)).max())


CASES = {
    "full": {"strategy": {"kind": "full"}, "pooling": "mean"},
    "lora": {"strategy": {"kind": "lora"}, "pooling": "mean"},
    "adapter": {"strategy": {"kind": "adapter"}, "pooling": "mean"},
    "head": {"strategy": {"kind": "head"}, "pooling": "cls"},
    "pooler": {"strategy": {"kind": "lora"}, "pooling": "pooler"},
    "several": {"task": "multi_label", "rows": SETS},
}


def test_a_plain_folder_gives_the_probabilities_that_are_served_or_is_refused_without_its_code(
    run_folder, once, tiny_base, tmp_path
):
    folders = {
        name: run_folder(name, **{"epochs": 3, "max_tokens": 16} | fields) for name, fields in CASES.items()
    }
    made = {}
    for name, folder in folders.items():
        once(folder)
        made[name] = write_plain(folder / "artifact", tiny_base, folder / "plain", "acme/tiny")
    shutil.copytree(folders["full"] / "plain", tmp_path / "untrusted" / "plain")
    asked = {tmp_path / "untrusted": {"loader": LOADER, "trust": False}}  # before any code is trusted
    asked |= {
        folders[name]: {"loader": each["loader"], "trust": each["trust"]} for name, each in made.items()
    }

    refused, *opened = results_of(TRANSFORMERS, asked, tmp_path)

    assert "trust_remote_code" in refused
    assert {each["loader"] for each in made.values()} == {LOADER}
    # the library's own class computes the same
    assert [name for name, each in made.items() if not each["trust"]] == ["pooler"]
    for (name, folder), (shares, names) in zip(folders.items(), opened, strict=True):
        config = json.loads((folder / "plain" / "config.json").read_text())
        trusted = made[name]["trust"]
        assert off_by(shares, folder / "artifact") < 1e-4, name
        assert (names, config["base_model"]) == (["card", "refund"], "acme/tiny"), name
        assert config["model_type"] == ("lifecycle" if trusted else "bert"), name
        assert (folder / "plain" / "modeling_lifecycle.py").exists() is trusted, name
        assert config.get("thresholds") == (
            list(ArtifactInfo.read(folder / "artifact").thresholds) if name == "several" else None
        ), name


def test_peft_finds_the_base_beside_the_adapter_without_a_network(run_folder, once, tiny_base, tmp_path):
    folders = [run_folder(kind, strategy={"kind": kind}, epochs=3, max_tokens=16) for kind in ("lora", "ia3")]
    for folder in folders:
        once(folder)
        shutil.copytree(tiny_base, folder / "base")

    shares = results_of(ADAPTERS, {folder: {"loader": PEFT} for folder in folders}, tmp_path)

    for folder, each in zip(folders, shares, strict=True):
        assert off_by(each, folder / "artifact") < 1e-4, folder.name
        assert (
            json.loads((folder / "artifact" / "adapter_config.json").read_text())["base_model_name_or_path"]
            == "./base"
        )
