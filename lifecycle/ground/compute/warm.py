"""Small verbs, run by one warm engine process that all workers and the web share: importing torch each time
would take seconds.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings

from lifecycle.ground.compute.environment import scrubbed
from lifecycle.runtime.engine import warm_client
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.refusals import NotReady, Refused

NOT_NOW = {"crashed", "out_of_memory", "disk_full"}


def call(verb: str, payload: dict[str, Any], timeout_seconds: float = 120.0) -> dict[str, Any]:
    """The result of predict, embed, explain, plain or probe. The engine is started where none listens, with
    an environment without secrets.

    Raises NotReady when it did not answer (trying again may help), Refused with the engine's own sentence for
    what it will not do.
    """
    try:
        return warm_client.call(
            socket_path(), verb, payload, timeout_seconds, environment=scrubbed(os.environ, threads=None)
        )
    except EngineFault as fault:
        kind = NotReady if fault.code in NOT_NOW else Refused
        raise kind(fault.message, next_step=fault.next_step) from fault


def predict(artifact: Path, texts: list[str], timeout_seconds: float = 120.0) -> dict[str, Any]:
    """{"task", "labels": [...], "thresholds", "answers": [{"label", "confidence", "probabilities",
    "tokens"}]} of an artifact's folder.

    Where one class answers from a threshold on there is "deciding": {"label", "threshold"} too. Where a text
    may have several classes an answer has "labels", a list, in the place of label and confidence; else
    thresholds is null.
    """
    return call("predict", {"artifact": str(artifact), "texts": texts}, timeout_seconds)


def embed(artifact: Path, texts: list[str], timeout_seconds: float = 120.0) -> list[list[float]]:
    """The artifact's pooled vector of each text."""
    vectors: list[list[float]] = call("embed", {"artifact": str(artifact), "texts": texts}, timeout_seconds)[
        "embeddings"
    ]
    return vectors


def embed_base(
    base: Path, texts: list[str], *, digest: str, max_tokens: int, timeout_seconds: float = 120.0
) -> list[list[float]]:
    """The vector of each text by a base model that no one has tuned: mean-pooled, of length 1. digest: of the
    base's files.
    """
    payload = {"base": str(base), "digest": digest, "max_tokens": max_tokens, "texts": texts}
    vectors: list[list[float]] = call("embed", payload, timeout_seconds)["embeddings"]
    return vectors


def explain(artifact: Path, text: str, timeout_seconds: float = 120.0) -> dict[str, Any]:
    """occlusion.Explanation of one text as JSON; its answer is the label's name. Where a text may have
    several classes {"classes": [one of each]}, where parts are marked {"parts": [one of each, with its
    "start", "end" and "confidence"]}.
    """
    return call("explain", {"artifact": str(artifact), "texts": [text]}, timeout_seconds)


def explain_responses(
    artifact: Path, prompt: str, responses: list[str], timeout_seconds: float = 600.0
) -> list[dict[str, Any]]:
    """ResponseExplanation of each response to a prompt as JSON, the strongest first."""
    payload = {"artifact": str(artifact), "texts": [prompt], "responses": responses}
    found: list[dict[str, Any]] = call("explain", payload, timeout_seconds)["responses"]
    return found


def plain(
    artifact: Path, target: Path, *, base: Path | None, base_name: str, timeout_seconds: float = 300.0
) -> dict[str, Any]:
    """Write an artifact to the folder `target` as transformers opens it: {"loader", "trust",
    "largest_difference"}, as `lifecycle.runtime.engine.plain.write_plain` describes.
    """
    payload = {
        "artifact": str(artifact),
        "target": str(target),
        "base": str(base) if base else None,
        "base_name": base_name,
    }
    return call("plain", payload, timeout_seconds)


def probe(timeout_seconds: float = 120.0) -> dict[str, Any]:
    """The machine's capabilities: environment, bf16, base models."""
    return call("probe", {}, timeout_seconds)


def socket_path() -> Path:
    """Where the engine of this installation listens. A socket's path must be short: with a long DATA_DIR it
    is in the temporary folder.
    """
    path = Path(settings.DATA_DIR) / "engine" / "warm.sock"
    if len(str(path)) > warm_client.MAX_PATH - len(".starting"):
        name = hashlib.sha256(str(settings.DATA_DIR).encode()).hexdigest()[:16]
        path = Path(tempfile.gettempdir()) / f"lifecycle-{os.getuid()}-{name}" / "warm.sock"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = path.parent.stat()
    if owner.st_uid != os.getuid():
        raise NotReady(
            f"The folder {path.parent} belongs to another user, so the engine can't start in it.",
            next_step="Choose a shorter DATA_DIR.",
        )
    return path
