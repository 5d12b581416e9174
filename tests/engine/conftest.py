"""A base model of two random layers, made in code, and run folders over eight sentences of two or three
labels.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.inbox import ROWS, write_rows

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["HF_HUB_OFFLINE"] = "1"

ROOT = Path(__file__).resolve().parents[2]
WORDS = (
    "card lost stolen money back please refund where is my the not arrived pay again order cancel"  # noqa: SIM905
    " thanks help late".split()
)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory):
    """A BERT of 2 layers, 32 wide, with a WordPiece tokenizer of twenty words."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny") / "base"
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    fast.save_pretrained(folder)
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def run_folder(tmp_path, tiny_base):
    """Makes a run folder: run_folder(rows=..., epochs=..., strategy={...}) → its path."""

    def make(name="run", rows=ROWS, validation=None, labels=("card", "refund"), **fields):
        folder = tmp_path / name
        folder.mkdir()
        write_rows(folder / "train.jsonl", rows)
        write_rows(folder / "validation.jsonl", validation if validation is not None else rows)
        spec = {
            "base": {"path": str(tiny_base), "name": "tiny"},
            "labels": list(labels),
            "strategy": {"kind": "full"},
            "epochs": 10,
            "batch_size": 4,
            "learning_rate": 5e-3,
            "head_learning_rate": 1e-2,
            "precision": "fp32",
            "threads": 1,
            "seed": 3,
        } | fields
        (folder / "spec.json").write_text(json.dumps(spec))
        return folder

    return make


@pytest.fixture
def calm_folder(run_folder, tiny_base, tmp_path, monkeypatch):
    """Makes run folders without dropout, of which each process draws its own. Seven rows: one process has
    none of the last batch.
    """
    base = tmp_path / "calm"
    shutil.copytree(tiny_base, base)
    calm = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (base / "config.json").write_text(json.dumps(json.loads((base / "config.json").read_text()) | calm))
    monkeypatch.setattr("lifecycle.runtime.engine.classifier.HEAD_DROPOUT", 0.0)
    monkeypatch.setattr(
        "lifecycle.runtime.engine.team.FOLLOWER", (sys.executable, "-m", "tests.engine.calm_follower")
    )

    def make(name, **fields):
        spec = {"epochs": 3, "batch_size": 3, "evaluations_per_epoch": 1, "class_weights": True} | fields
        return run_folder(name, rows=ROWS[:7], base={"path": str(base), "name": "calm"}, **spec)

    return make


@pytest.fixture
def engine():
    """Runs the program: engine("train", folder) → finished process. engine.start(...) → running process with
    a pipe on its stdin.
    """

    def start(verb, folder):
        return subprocess.Popen(
            [sys.executable, "-m", "lifecycle.runtime.engine", verb, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(verb, folder):
        process = start(verb, folder)
        process.output = process.stdout.read()
        process.wait()
        return process

    run.start = start
    return run


@pytest.fixture
def train_here():
    """Trains in this process, which has torch already; returns result.json."""
    from lifecycle.runtime.engine import program

    def train(folder, cancelled=lambda: False, verb="train"):
        program._carry_out(verb, folder, cancelled)
        return json.loads((folder / "result.json").read_text())

    return train


@pytest.fixture(scope="session")
def done_before(tmp_path_factory):
    """The folder of kept results, each named by a digest of the verb and of its folder's content before."""
    return tmp_path_factory.mktemp("done")


@pytest.fixture
def once(train_here, done_before):
    """As train_here, for a test's set-up: the first test of the session that has such a folder does it,
    others get copies. Not where the test has changed the engine, nor for tests of the verb itself.
    """

    def do(folder, verb="train"):
        key = hashlib.sha256(verb.encode())
        for each in sorted(path for path in folder.rglob("*") if path.is_file()):
            key.update(f"{each.relative_to(folder)}\0{each.stat().st_size}\0".encode() + each.read_bytes())
        kept = done_before / key.hexdigest()
        if kept.exists():
            shutil.copytree(kept, folder, dirs_exist_ok=True)
        else:
            result = train_here(folder, verb=verb)
            assert result["status"] == "succeeded", result
            shutil.copytree(folder, kept)
        return json.loads((folder / "result.json").read_text())

    return do
