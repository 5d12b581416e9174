"""An artifact opens with plain transformers and PEFT, offline, and answers as it is served."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lifecycle.engine.artifact import ArtifactInfo
from lifecycle.engine.plain import write_plain
from lifecycle.engine.predictor import Predictor
from tests.engine.inbox import ROWS, SETS

pytestmark = pytest.mark.engine

TEXTS = [text for text, _ in ROWS] + ["", "card " * 100]
# Run by itself: no code of the product on its path, no network, and one folder.
OPEN = """
import json, sys
import torch
from transformers import {loader}, AutoTokenizer
folder, texts = sys.argv[1], json.loads(sys.argv[2])
trust = {trust}
model = {loader}.from_pretrained(folder, trust_remote_code=trust).eval()
tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust)
with torch.no_grad():
    logits = model(**tokenizer(texts, truncation=True, padding=True, return_tensors="pt")).logits
shares = logits.sigmoid() if model.config.problem_type == "multi_label_classification" else logits.softmax(-1)
print(json.dumps([shares.tolist(), [model.config.id2label[at] for at in range(shares.shape[-1])]]))
"""


def opened(folder: Path, loader: str, trust: bool, texts: list[str] = TEXTS) -> tuple[np.ndarray, list[str]]:
    """What a process that knows only transformers gives to the texts: probabilities, and what each is of."""
    done = run(OPEN.format(loader=loader, trust=trust), folder.parent, folder.name, json.dumps(texts))
    assert done.returncode == 0, done.stderr[-2000:]
    shares, names = json.loads(done.stdout.splitlines()[-1])
    return np.array(shares), names


def run(code: str, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin", "HF_HOME": str(cwd / "home"), "HOME": str(cwd)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def plain(run_folder, train_here, tiny_base, tmp_path):
    """Trains, and writes the plain folder: (artifact, folder, what was told)."""

    def make(**fields):
        folder = run_folder(**{"epochs": 3, "max_tokens": 16} | fields)
        assert train_here(folder)["status"] == "succeeded"
        told = write_plain(folder / "artifact", tiny_base, tmp_path / "plain", "acme/tiny")
        return folder / "artifact", tmp_path / "plain", told

    return make


@pytest.mark.parametrize(
    ("kind", "pooling", "trust"),
    [("full", "mean", True), ("lora", "mean", True), ("adapter", "mean", True), ("head", "cls", True), ("lora", "pooler", False)],
)
def test_probabilities_are_the_served_ones_and_the_librarys_own_class_serves_where_it_computes_the_same(plain, kind, pooling, trust):
    artifact, folder, told = plain(strategy={"kind": kind}, pooling=pooling)

    shares, names = opened(folder, "AutoModelForSequenceClassification", trust)

    served = Predictor(artifact).probabilities(TEXTS)
    assert (told["loader"], told["trust"], names) == ("AutoModelForSequenceClassification", trust, ["card", "refund"])
    assert np.abs(shares - served).max() < 1e-4
    config = json.loads((folder / "config.json").read_text())
    assert config["base_model"] == "acme/tiny"
    assert config["model_type"] == ("lifecycle" if trust else "bert")
    assert (folder / "modeling_lifecycle.py").exists() is trust


def test_without_its_code_a_pooled_model_is_refused_rather_than_wrong(plain):
    _, folder, _ = plain(pooling="mean")

    done = run(OPEN.format(loader="AutoModelForSequenceClassification", trust=False), folder.parent, folder.name, json.dumps(TEXTS))

    assert done.returncode != 0
    assert "trust_remote_code" in done.stderr


def test_any_number_of_labels_have_their_sigmoids_and_thresholds(plain):
    artifact, folder, told = plain(task="multi_label", rows=SETS)

    shares, _ = opened(folder, told["loader"], told["trust"])

    assert np.abs(shares - Predictor(artifact).probabilities(TEXTS)).max() < 1e-4
    assert json.loads((folder / "config.json").read_text())["thresholds"] == list(ArtifactInfo.read(artifact).thresholds)


@pytest.mark.parametrize(("task", "loader"), [("lora", "AutoPeftModelForFeatureExtraction"), ("ia3", "AutoPeftModelForFeatureExtraction")])
def test_peft_finds_the_base_beside_the_adapter_without_a_network(run_folder, train_here, tiny_base, tmp_path, task, loader):
    folder = run_folder(strategy={"kind": task}, epochs=3, max_tokens=16)
    train_here(folder)
    shutil.copytree(folder / "artifact", tmp_path / "out" / "model")
    shutil.copytree(tiny_base, tmp_path / "out" / "base")
    code = f"""
import json, sys
import torch
from peft import {loader}
from safetensors.torch import load_file
from transformers import AutoTokenizer
model, tokenizer = {loader}.from_pretrained("model").eval(), AutoTokenizer.from_pretrained("model")
head, about = load_file("model/head.safetensors"), json.load(open("model/lifecycle.json"))
inputs = tokenizer(json.loads(sys.argv[1]), truncation=True, max_length=about["max_tokens"], padding=True, return_tensors="pt")
with torch.no_grad():
    hidden, mask = model(**inputs).last_hidden_state, inputs["attention_mask"].unsqueeze(-1)
logits = ((hidden * mask).sum(1) / mask.sum(1)) @ head["weight"].T + head["bias"]
print(json.dumps((logits / about["temperature"]).softmax(-1).tolist()))
"""

    done = run(code, tmp_path / "out", json.dumps(TEXTS))

    assert done.returncode == 0, done.stderr[-2000:]
    assert np.abs(np.array(json.loads(done.stdout.splitlines()[-1])) - Predictor(folder / "artifact").probabilities(TEXTS)).max() < 1e-4
    assert json.loads((tmp_path / "out" / "model" / "adapter_config.json").read_text())["base_model_name_or_path"] == "./base"
