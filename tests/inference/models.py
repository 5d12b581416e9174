"""Tiny artifacts and whole data folders for the tests of the inference server, built in code."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from lifecycle.runtime import bundle

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "card", "lost", "money", "late", "refund", "hello"]
LABELS = ["card", "money", "other"]
TOKEN, OTHER_TOKEN = "token-of-support", "token-of-billing"


@cache
def tokenizer() -> str:
    made = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return made.to_str()


@cache
def onnx_model(shift: int) -> bytes:
    """logits = mean over real tokens of a table of word scores; the best label of "card" is LABELS[shift]."""
    table = np.zeros((len(WORDS), 3), np.float32)
    table[WORDS.index("card"), shift % 3] = 9
    table[WORDS.index("money"), (shift + 1) % 3] = 9
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),  # (B, T, 3)
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["rows", "wide"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "one"], ["embedding"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "one"], ["count"], keepdims=1),
        helper.make_node("Div", ["embedding", "count"], ["logits"]),
    ]
    shapes = {"logits": ["batch", 3], "embedding": ["batch", 3]}
    return graph_of(nodes, {"table": table, "last": np.array([-1]), "one": np.array([1])}, shapes)


@cache
def tags_model(shift: int) -> bytes:
    """logits = a row of scores of each token's tags, and embedding = their sum over real tokens: "card" and
    "money" begin a span of the label with this number and of the next, "lost" continues one of the first.
    """
    table = np.zeros((len(WORDS), 7), np.float32)
    table[:, 0] = 2
    table[WORDS.index("card"), 1 + 2 * (shift % 3)] = 9
    table[WORDS.index("lost"), 2 + 2 * (shift % 3)] = 9
    table[WORDS.index("money"), 1 + 2 * ((shift + 1) % 3)] = 4
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["logits"]),  # (B, T, 7)
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["logits", "wide"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "one"], ["embedding"], keepdims=0),
    ]
    shapes = {"logits": ["batch", "sequence", 7], "embedding": ["batch", 7]}
    return graph_of(nodes, {"table": table, "last": np.array([-1]), "one": np.array([1])}, shapes)


@cache
def scores_model(shift: int) -> bytes:
    """logits = one number, the sum of the words' strengths: "refund" 1, "card" 2, "money" 3, "late" -1; of a
    shift of 1 their opposites.
    """
    table = np.zeros((len(WORDS), 1), np.float32)
    for word, strength in {"refund": 1, "card": 2, "money": 3, "late": -1}.items():
        table[WORDS.index(word)] = -strength if shift else strength
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),  # (B, T, 1)
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["rows", "wide"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "one"], ["logits"], keepdims=0),
        helper.make_node("Identity", ["logits"], ["embedding"]),
    ]
    shapes = {"logits": ["batch", 1], "embedding": ["batch", 1]}
    return graph_of(nodes, {"table": table, "last": np.array([-1]), "one": np.array([1])}, shapes)


def graph_of(nodes: list, constants: dict[str, np.ndarray], shapes: dict[str, list]) -> bytes:
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()
    ]
    tensors = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


GRAPHS = {"spans": tags_model, "ranking": scores_model, "preference": scores_model}


class Installation:
    """A data folder as the web application keeps it: keys, artifacts, routes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "keys" / "signing.pem"
        bundle.generate_key(self.key)
        self.serving = folder / "serving"
        self.serving.mkdir()
        self.epoch = 0

    def artifact(self, shift: int = 0, *, temperature: float = 1.0, **card: object) -> str:
        """A signed artifact in its place; returns the root digest."""
        draft = self.folder / "draft"
        (draft / "serving").mkdir(parents=True)
        settings = {
            "format": 1,
            "task": "single_label",
            "labels": LABELS,
            "max_tokens": 16,
            "pooling": "mean",
            "temperature": temperature,
            "strategy": "full",
            "base": {"name": "tiny", "digest": "0" * 64},
            "int8": None,
        }
        settings |= {
            "inputs": ["input_ids", "attention_mask", "token_type_ids"],
            "serving": "serving/model.onnx",
        } | card
        (draft / "lifecycle.json").write_text(json.dumps(settings))
        (draft / "tokenizer.json").write_text(tokenizer())
        (draft / "serving" / "model.onnx").write_bytes(GRAPHS.get(settings["task"], onnx_model)(shift))
        root = bundle.sign(draft, self.key)
        target = self.serving / "artifacts" / root
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(exist_ok=True)
        draft.rename(target)
        return root

    def document(self, **endpoints: dict) -> dict:
        """endpoints: by name; one without a project is of the project inbox."""
        self.epoch += 1
        return {
            "format": 4,
            "epoch": self.epoch,
            "at": "2026-01-01T00:00:00Z",
            "endpoints": {
                name if "/" in name else f"inbox/{name.replace('_', '-')}": each
                for name, each in endpoints.items()
            },
        }

    def publish(self, document: dict | None = None, *, key: Path | None = None, **endpoints: dict) -> int:
        """Write routes.json as the registry does; returns its epoch."""
        document = document or self.document(**endpoints)
        part = self.serving / "routes.json.part"
        part.write_bytes(bundle.sign_document(document, key or self.key))
        os.replace(part, self.serving / "routes.json")
        return document["epoch"]

    def plant(self, *faults: dict, key: Path | None = None) -> None:
        """Write faults.json as the registry does."""
        (self.serving / "faults.json").write_bytes(
            bundle.sign_document({"format": 1, "faults": list(faults)}, key or self.key)
        )

    def status(self) -> dict:
        return json.loads((self.serving / "status.json").read_text())

    def spooled(self) -> list[dict]:
        """All lines of completed segments, in order."""
        return [
            json.loads(line)
            for path in sorted((self.folder / "spool").glob("*.jsonl"))
            for line in path.read_text().splitlines()
        ]


def endpoint(
    root: str,
    *,
    token: str = TOKEN,
    until: str | None = None,
    standby: tuple[str, ...] = (),
    canary: str = "",
    share: int = 0,
    shadow: str = "",
    copies: int = 10_000,
    keep_text: bool = False,
    deployed: str = "canary-1",
    withdrawn: tuple[str, ...] = (),
) -> dict:
    """One endpoint of the document. share: of the canary; copies: of the requests, for the shadow; deployed:
    the canary's deployment.
    """
    arms = [served(root, 10_000 - share, "1.0.0", "stable-1") | {"arm": "stable"}]
    if canary:
        arms.append(served(canary, share, "1.1.0", deployed) | {"arm": "canary"})
    return {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, "endpoint")),
        "task": "single_label",
        "salt": "s1",
        "arms": arms,
        "shadow": served(shadow, copies, "1.2.0", "shadow-1") if shadow else None,
        "standby": [{"version": version_of(digest), "root_digest": digest} for digest in standby],
        "tokens": [{"digest": hashlib.sha256(token.encode()).hexdigest(), "until": until}],
        "keep_text": keep_text,
        "withdrawn": list(withdrawn),
    }


def served(root: str, share: int, semver: str, deployment: str) -> dict:
    return {
        "share": share,
        "version": version_of(root),
        "label": f"tiny {semver}",
        "root_digest": root,
        "deployment": deployment_of(deployment),
    }


def deployment_of(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def version_of(root: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, root))


def ask(*texts: str, **more: object) -> dict:
    return {
        "inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [len(texts)], "data": list(texts)}]
    } | more


def auth(token: str = TOKEN) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}
