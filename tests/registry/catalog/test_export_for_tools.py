"""What is in an export beside the version: for transformers, PEFT, and MLflow, signed as a whole, and
described in its README.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lifecycle.runtime import bundle
from lifecycle.runtime.refusals import Refused
from registry.catalog import exported
from registry.catalog.exported import Plain
from registry.catalog.models import ModelVersion
from registry.ground.artifacts.actions import put_folder
from registry.ground.ledger.models import Event
from tests.engine.inbox import ROWS, write_rows
from tests.support import registry
from tests.support.registry import make_version
from tests.support.tiny_models import make_tiny_base

TEXTS = [text for text, _ in ROWS] + ["card " * 100]
TRANSFORMERS = """
import json, sys
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
model = AutoModelForSequenceClassification.from_pretrained("transformers", trust_remote_code=True).eval()
tokenizer = AutoTokenizer.from_pretrained("transformers", trust_remote_code=True)
with torch.no_grad():
    inputs = tokenizer(json.load(sys.stdin), truncation=True, padding=True, return_tensors="pt")
    print(json.dumps(model(**inputs).logits.softmax(-1).tolist()))
"""
PEFT = """
import json, sys
import torch
from peft import AutoPeftModelForFeatureExtraction
from safetensors.torch import load_file
from transformers import AutoTokenizer
model, tokenizer = AutoPeftModelForFeatureExtraction.from_pretrained("model").eval(), AutoTokenizer.from_pretrained("model")
head, about = load_file("model/head.safetensors"), json.load(open("model/lifecycle.json"))
inputs = tokenizer(json.load(sys.stdin), truncation=True, max_length=about["max_tokens"], padding=True, return_tensors="pt")
with torch.no_grad():
    hidden, mask = model(**inputs).last_hidden_state, inputs["attention_mask"].unsqueeze(-1)
logits = ((hidden * mask).sum(1) / mask.sum(1)) @ head["weight"].T + head["bias"]
print(json.dumps((logits / about["temperature"]).softmax(-1).tolist()))
"""  # noqa: E501
FUNCTION = """
import json, sys
sys.path.insert(0, "code")
import lifecycle_model
found = lifecycle_model._load_pyfunc("model").predict(json.load(sys.stdin))
print(json.dumps([list(each["probabilities"].values()) for each in found]))
"""
MLFLOW = FUNCTION.replace('sys.path.insert(0, "code")\nimport lifecycle_model', "import mlflow").replace(
    'lifecycle_model._load_pyfunc("model")', 'mlflow.pyfunc.load_model(".")'
)


@pytest.fixture
def trained(project, mia, ravi, tmp_path, monkeypatch) -> ModelVersion:
    """A version of a LoRA that was really trained over a tiny base; the engine answers in this process."""
    from lifecycle.ground.compute import warm
    from lifecycle.runtime.engine import program
    from lifecycle.runtime.engine.warm import reply

    base, run = make_tiny_base(tmp_path / "base"), tmp_path / "run"
    run.mkdir()
    write_rows(run / "train.jsonl", ROWS)
    write_rows(run / "validation.jsonl", ROWS)
    spec = {
        "base": {"path": str(base), "name": "tiny-base"},
        "labels": ["card", "refund"],
        "strategy": {"kind": "lora"},
        "epochs": 3,
        "batch_size": 4,
        "precision": "fp32",
        "threads": 1,
        "max_tokens": 16,
    }
    (run / "spec.json").write_text(json.dumps(spec))
    program._carry_out("train", run, lambda: False)
    version = make_version(project, mia, ravi, artifact=put_folder(run / "artifact"))
    version.run.base.folder = put_folder(base)
    version.run.base.save(update_fields=["folder"])
    monkeypatch.setattr(
        warm, "call", lambda verb, payload, seconds: reply({"verb": verb, "payload": payload})["result"]
    )
    return ModelVersion.objects.get(pk=version.pk)


def unpacked(version, actor, folder: Path) -> Path:
    """The export, laid out."""
    with registry.exported(version, actor) as packed, zipfile.ZipFile(packed) as archive:
        archive.extractall(folder)
    return folder


EACH = """
import contextlib, io, json, sys
texts, found = sys.stdin.read(), {}
for tool, code in json.loads(sys.argv[1]).items():
    sys.stdin = io.StringIO(texts)
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        exec(code, {})
    found[tool] = json.loads(stdout.getvalue().splitlines()[-1])
print(json.dumps(found))
"""


def predicted_by(codes: dict[str, str], folder: Path) -> dict[str, np.ndarray]:
    """What each code prints of the texts in a process without the product's code and without a network, in
    the folder of the export.
    """
    environment = {
        "HF_HUB_OFFLINE": "1",
        "PATH": "/usr/bin:/bin",
        "HF_HOME": str(folder.parent / "home"),
        "HOME": str(folder.parent),
    }
    command = [sys.executable, "-c", EACH, json.dumps(codes)]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {tool: np.array(found) for tool, found in json.loads(done.stdout).items()}


@pytest.mark.engine
def test_every_tool_gives_the_probabilities_that_are_served_and_one_signature_covers_all(
    trained, mia, tmp_path
):
    from lifecycle.runtime.engine.predictor import Predictor

    folder = unpacked(trained, mia, tmp_path / "export")

    listed = bundle.verify(folder, folder / "signing.pub.pem")
    served = Predictor(folder / "model").probabilities(TEXTS)
    results = predicted_by(
        {"function": FUNCTION, "transformers": TRANSFORMERS, "peft": PEFT}, folder
    )  # the first needs neither of the others
    assert {tool: np.abs(found - served).max() < 1e-4 for tool, found in results.items()} == dict.fromkeys(
        results, True
    )
    assert {
        "MLmodel",
        "base/model.safetensors",
        "transformers/modeling_lifecycle.py",
        "transformers/README.md",
    } <= {file.name for file in listed.files}
    (folder / "model" / "README.md").unlink()  # the card, which is newer than the version's own signature
    bundle.verify(folder / "model", folder / "signing.pub.pem", expected_root=trained.root_digest)


@pytest.mark.engine
@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="mlflow is not installed")
def test_mlflow_loads_the_export_and_answers_as_it_is_served(trained, mia, tmp_path):
    from lifecycle.runtime.engine.predictor import Predictor

    folder = unpacked(trained, mia, tmp_path / "export")

    (found,) = predicted_by({"mlflow": MLFLOW}, folder).values()
    assert np.abs(found - Predictor(folder / "model").probabilities(TEXTS)).max() < 1e-4


def test_what_the_engine_cannot_put_together_is_left_out_and_listed(
    project, mia, ravi, tmp_path, monkeypatch
):
    from lifecycle.ground.compute import warm

    def refuse(*_, **__):
        raise Refused("No class of transformers gives the answers of this model.")

    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact" / "tokenizer.json").write_text("{}")
    (tmp_path / "artifact" / "lifecycle.json").write_text("{}")
    version = make_version(project, mia, ravi, artifact=put_folder(tmp_path / "artifact"))
    monkeypatch.setattr(warm, "plain", refuse)

    folder = unpacked(version, mia, tmp_path / "export")

    assert not (folder / "transformers").exists()
    assert "No class of transformers gives the answers of this model." in (folder / "README.md").read_text()
    assert Event.objects.latest("pk").verb == "catalog.exported"


@pytest.mark.parametrize(
    ("named", "place"),
    [
        ("./base", "base"),
        ("all-MiniLM-L6-v2", "all-MiniLM-L6-v2"),
        ("acme/tiny", "acme/tiny"),
        ("../base", ""),
        ("/models/base", ""),
        ("model", ""),
        ("a/../../b", ""),
        ("", ""),
        (".hidden", ""),
        ("transformers/x", ""),
    ],
)
def test_the_base_is_where_the_adapter_names_it_and_never_outside_the_export(named, place):
    assert exported.base_place(named) == place


FACTS = {"strategy": "full", "spec": {"task": "single_label"}, "int8": None}


def test_the_readme_names_the_loader_and_whether_it_needs_trust_and_which_graph_was_measured():
    stock = exported.readme("# Card", FACTS, Plain("AutoModelForSequenceClassification"), "")
    pooled = exported.readme("# Card", FACTS, Plain("AutoModelForSequenceClassification", trust=True), "")
    rounded = FACTS | {
        "int8": {"passed": True, "reason": "int8 agrees with fp32 on 99.40 % of 300 validation rows."}
    }

    assert 'from_pretrained("transformers")' in stock
    assert 'from_pretrained("transformers", trust_remote_code=True)' in pooled
    assert "99.40 %" in exported.readme("# Card", rounded, Plain("AutoModelForSequenceClassification"), "")


def test_only_tasks_with_labels_of_a_text_are_a_function_of_mlflow_and_only_adapters_name_peft():
    marks = FACTS | {"spec": {"task": "spans"}, "strategy": "lora"}

    assert "mlflow" not in exported.readme("", marks, Plain("AutoModelForTokenClassification"), "base")
    assert "AutoPeftModelForFeatureExtraction" in exported.readme(
        "", marks, Plain("AutoModelForTokenClassification"), "base"
    )
    assert "peft" not in exported.readme("", FACTS, Plain("AutoModelForSequenceClassification"), "")


def test_the_card_names_the_owner_of_a_base_from_a_package(project, mia, ravi):
    from registry.catalog import card

    facts = make_version(project, mia, ravi).facts
    facts["base"]["name"] = "all-MiniLM-L6-v2"

    text = card.write(facts, {})

    assert "base_model: sentence-transformers/all-MiniLM-L6-v2\n" in text
    assert "| Base model | sentence-transformers/all-MiniLM-L6-v2" in text
